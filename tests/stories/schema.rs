//! The SQL that users install is the SQL that the library was compiled for.

use object::{Object, ObjectSection, ObjectSymbol};
use pgrx_sql_entity_graph::metadata::{SqlArrayMapping, SqlMapping};
use pgrx_sql_entity_graph::section::{decode_entities, is_schema_section_name};
use pgrx_sql_entity_graph::{PgExternEntity, PgExternReturnEntity, SqlGraphEntity, UsedTypeEntity};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::library;
use signal_hub_harness::scene::{by_hand, flat_market};
use signal_hub_harness::session::Session;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What a query says (`name`) of those objects of a catalog that belong to the extension.
fn members(session: &mut Session, catalog: &str, name: &str, condition: &str) -> Vec<String> {
    session.list(&format!(
        "SELECT {name} FROM {catalog} AS o
           JOIN pg_depend d ON d.classid = '{catalog}'::regclass AND d.objid = o.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          WHERE e.extname = 'signal_hub' AND {condition} ORDER BY 1"
    ))
}

#[test]
fn every_function_of_the_library_is_declared_with_its_own_types() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");

    let file = std::fs::read(library()).expect("the library is readable");
    let elf = object::File::parse(&*file).expect("the library is an ELF file");
    let section = elf
        .sections()
        .find(|section| section.name().is_ok_and(is_schema_section_name));
    let section = section.expect("pgrx leaves a section about the functions");
    let entities = decode_entities(section.data().expect("its bytes")).expect("of this pgrx");
    let mut compiled: Vec<String> = entities
        .iter()
        .filter_map(|entity| match entity {
            SqlGraphEntity::Function(function) => Some(signature(&mut session, function)),
            _ => None,
        })
        .collect();
    compiled.sort_unstable();
    assert!(!compiled.is_empty());

    let declared = members(
        &mut session,
        "pg_proc",
        "format('%s(%s) %s%s strict=%s from %s',
                o.proname,
                (SELECT string_agg(format('%s %s', o.proargnames[n], t::regtype), ', ' ORDER BY n)
                   FROM unnest(o.proargtypes::oid[]) WITH ORDINALITY AS a (t, n)),
                CASE WHEN o.proretset THEN 'setof ' END,
                coalesce((SELECT '(' || string_agg(format('%s %s', o.proargnames[n], t::regtype), ', ' ORDER BY n) || ')'
                            FROM unnest(o.proallargtypes) WITH ORDINALITY AS a (t, n)
                           WHERE o.proargmodes[n] IN ('o', 't')),
                         o.prorettype::regtype::text),
                o.proisstrict, o.prosrc)",
        "o.prolang = (SELECT oid FROM pg_language WHERE lanname = 'c')",
    );
    assert_eq!(
        declared, compiled,
        "left what SQL declares, right what the library has"
    );
}

/// A function of the library in the form in which the query above shows those of the catalog.
fn signature(session: &mut Session, function: &PgExternEntity) -> String {
    let arguments: Vec<String> = function
        .fn_args
        .iter()
        .filter_map(|argument| {
            Some(format!(
                "{} {}",
                argument.pattern,
                sql_type(session, &argument.used_ty)?
            ))
        })
        .collect();
    let mut typed =
        |ty: &UsedTypeEntity| sql_type(session, ty).expect("returned types are SQL types");
    let returns = match &function.fn_return {
        PgExternReturnEntity::None => "void".to_owned(),
        PgExternReturnEntity::Trigger => "trigger".to_owned(),
        PgExternReturnEntity::Type { ty } => typed(ty),
        PgExternReturnEntity::SetOf { ty } => format!("setof {}", typed(ty)),
        PgExternReturnEntity::Iterated { tys } => {
            let columns: Vec<String> = tys
                .iter()
                .map(|column| {
                    format!(
                        "{} {}",
                        column.name.unwrap_or_default().trim_matches('"'),
                        typed(&column.ty)
                    )
                })
                .collect();
            format!("setof ({})", columns.join(", "))
        }
    };
    // A function with an argument that cannot be null must never be called with one.
    let strict = function
        .fn_args
        .iter()
        .any(|argument| !argument.used_ty.optional && !is_skipped(&argument.used_ty));
    format!(
        "{}({}) {returns} strict={} from {}_wrapper",
        function.name,
        arguments.join(", "),
        if strict { "t" } else { "f" },
        function.unaliased_name
    )
}

fn is_skipped(ty: &UsedTypeEntity) -> bool {
    matches!(ty.metadata.argument_sql, Ok(SqlMapping::Skip))
}

/// PostgreSQL's own name of a type; `None` for what does not appear in SQL.
fn sql_type(session: &mut Session, ty: &UsedTypeEntity) -> Option<String> {
    let name = match &ty.metadata.argument_sql {
        Ok(SqlMapping::As(name)) => name,
        Ok(SqlMapping::Skip) => return None,
        Ok(SqlMapping::Array(SqlArrayMapping::As(element))) => &format!("{element}[]"),
        other => panic!("{}: {other:?} is not expected here", ty.full_path),
    };
    Some(session.one(&format!("SELECT '{name}'::regtype::text")))
}

#[test]
fn every_object_of_the_extension_has_a_comment() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");

    let no_comment = "NOT EXISTS (SELECT FROM pg_description c
                                   WHERE c.classoid = d.classid AND c.objoid = o.oid AND c.objsubid = 0)";
    let tables = members(
        &mut session,
        "pg_class",
        "o.relname::text",
        &format!("o.relkind IN ('r', 'p', 'v', 'm', 'S') AND {no_comment}"),
    );
    assert_eq!(
        tables,
        Vec::<String>::new(),
        "tables, views and sequences without a comment"
    );
    let functions = members(
        &mut session,
        "pg_proc",
        "o.oid::regprocedure::text",
        no_comment,
    );
    assert_eq!(
        functions,
        Vec::<String>::new(),
        "functions without a comment"
    );
    let columns = members(
        &mut session,
        "pg_class",
        "(SELECT string_agg(format('%s.%s', o.relname, a.attname), ' ') FROM pg_attribute a
           WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped AND col_description(o.oid, a.attnum) IS NULL)",
        "o.relkind IN ('r', 'p', 'v', 'm') AND EXISTS (
            SELECT FROM pg_attribute a
             WHERE a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped AND col_description(o.oid, a.attnum) IS NULL)",
    );
    assert_eq!(columns, Vec::<String>::new(), "columns without a comment");
    let others: Vec<String> = session.list(
        "WITH tables AS (
             SELECT d.objid AS oid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
              WHERE e.extname = 'signal_hub' AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
         ), others AS (
             SELECT 'pg_trigger'::regclass AS classid, t.oid FROM pg_trigger t JOIN tables ON t.tgrelid = tables.oid WHERE NOT t.tgisinternal
              UNION ALL
             SELECT 'pg_policy'::regclass, p.oid FROM pg_policy p JOIN tables ON p.polrelid = tables.oid
              UNION ALL
             SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN tables ON i.indrelid = tables.oid WHERE NOT i.indisprimary
         )
         SELECT pg_describe_object(o.classid, o.oid, 0) FROM others o
          WHERE NOT EXISTS (SELECT FROM pg_description c WHERE c.classoid = o.classid AND c.objoid = o.oid) ORDER BY 1",
    );
    assert_eq!(
        others,
        Vec::<String>::new(),
        "triggers, policies and indexes without a comment"
    );
    let members: i64 = session.one(
        "SELECT count(*) FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
          WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass",
    );
    assert!(members > 15, "{members} objects were looked at");
}

#[test]
fn strangers_may_execute_nothing_but_the_reading_of_their_own_claims() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub; CREATE ROLE stranger");
    let open = members(
        &mut session,
        "pg_proc",
        "o.oid::regprocedure::text",
        "has_function_privilege('stranger', o.oid, 'EXECUTE')",
    );
    assert_eq!(open, ["current_subscriber()"]);
    let open = members(
        &mut session,
        "pg_class",
        "o.relname::text",
        "o.relkind IN ('r', 'p', 'v', 'm') AND has_table_privilege('stranger', o.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')",
    );
    assert_eq!(
        open,
        Vec::<String>::new(),
        "tables and views open to strangers"
    );
}

#[test]
fn functions_that_decide_for_others_cannot_be_fooled_by_the_callers_search_path() {
    let market = flat_market();
    let cluster = by_hand(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let unpinned = members(
        &mut session,
        "pg_proc",
        "o.oid::regprocedure::text",
        "o.prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
         AND NOT coalesce(o.proconfig, '{}') @> '{\"search_path=pg_catalog, pg_temp\"}'",
    );
    assert_eq!(
        unpinned,
        Vec::<String>::new(),
        "functions without a pinned search_path"
    );
}

/// A database that was not updated yet still calls what its release named.
#[test]
fn every_c_function_that_the_sql_of_a_release_names_is_still_in_the_library() {
    let file = fs::read(library()).expect("the library is readable");
    let elf = object::File::parse(&*file).expect("the library is an ELF file");
    let exported: BTreeSet<&str> = elf
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/releases");
    let mut named = 0;
    for entry in fs::read_dir(releases).expect("the scripts are in the repository") {
        let script = entry.expect("readable").path();
        let text = fs::read_to_string(&script).expect("readable");
        for (_, after) in text
            .match_indices("'MODULE_PATHNAME', '")
            .map(|(at, found)| text.split_at(at + found.len()))
        {
            let (symbol, _) = after.split_once('\'').expect("the name ends");
            let finfo = format!("pg_finfo_{symbol}");
            assert!(
                exported.contains(symbol) && exported.contains(finfo.as_str()),
                "{} names {symbol}",
                script.display()
            );
            named += 1;
        }
    }
    assert!(named > 10, "{named} names were found");
}

#[test]
fn the_control_file_has_the_version_of_the_workspace() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../signal_hub.control");
    let control = fs::read_to_string(file).expect("readable");
    let expected = format!("default_version = '{}'", env!("CARGO_PKG_VERSION"));
    assert!(
        control.lines().any(|line| line == expected),
        "{expected} is expected of\n{control}"
    );
    // What PGXN reads.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../META.json");
    let meta = fs::read_to_string(file).expect("readable");
    let meta: serde_json::Value = serde_json::from_str(&meta).expect("JSON");
    for version in [&meta["version"], &meta["provides"]["signal_hub"]["version"]] {
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
    }
}
