//! An installation that was updated is the same as a fresh one.

use signal_hub_harness::cluster::binaries::releases;
use signal_hub_harness::cluster::{Cluster, Options};
use signal_hub_harness::session::Session;
use std::collections::BTreeSet;

/// What an installation consists of: a line each, and each line names what it is about first.
///
/// Members of the extension are those that pg_depend says, with what hangs on them. Columns of
/// tables are compared by name: ALTER TABLE can only append. pg_attver is a stamp of the server's own.
const CATALOGS: &[&str] = &[
    "SELECT format('member: %s %s', m.type, m.identity) FROM member m",
    "SELECT format('comment on %s %s, part %s: %s', m.type, m.identity,
                   coalesce((SELECT a.attname::text FROM pg_attribute a
                              WHERE m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum = d.objsubid AND d.objsubid > 0), '-'),
                   d.description)
       FROM member m JOIN pg_description d ON (d.classoid, d.objoid) = (m.classid, m.objid)",
    "SELECT format('comment on %s %s: %s', o.type, o.identity, d.description)
       FROM hanging h JOIN pg_description d ON (d.classoid, d.objoid) = (h.classid, h.objid)
      CROSS JOIN pg_identify_object(h.classid, h.objid, 0) o",
    "SELECT format('privileges first given on %s %s, part %s: %s', m.type, m.identity, i.objsubid, i.initprivs)
       FROM member m JOIN pg_init_privs i ON (i.classoid, i.objoid) = (m.classid, m.objid)",
    "SELECT format('function %s: %s; owner %s, privileges %s', p.oid::regprocedure, pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl)
       FROM member m JOIN pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass",
    "SELECT format('relation %s: kind %s, persistence %s, row security %s %s, replica identity %s, options %s, owner %s, privileges %s, access method %s',
                   c.oid::regclass, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.reloptions,
                   c.relowner::regrole, c.relacl, (SELECT amname FROM pg_am WHERE oid = c.relam))
       FROM relation r JOIN pg_class c USING (oid)",
    "SELECT format('column %s.%s: %s, not null %s, identity %L, generated %L, default %s, collation %s, storage %s, compression %L, statistics %s, options %s, privileges %s',
                   a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                   pg_get_expr(d.adbin, d.adrelid), nullif(a.attcollation, 0)::regcollation, a.attstorage, a.attcompression,
                   nullif(a.attstattarget, -1), ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg_attver=%' ORDER BY o), a.attacl)
       FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)",
    "SELECT format('column %s of view %s: %s', a.attnum, a.attrelid::regclass, a.attname)
       FROM relation r JOIN pg_class c USING (oid) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      WHERE c.relkind IN ('v', 'm')",
    "SELECT format('view %s: %s', v.oid::regclass, pg_get_viewdef(v.oid))
       FROM relation r JOIN pg_class v USING (oid) WHERE v.relkind IN ('v', 'm')",
    "SELECT format('constraint %s of %s%s: %s', k.conname, nullif(k.conrelid, 0)::regclass, nullif(k.contypid, 0)::regtype, pg_get_constraintdef(k.oid))
       FROM hanging h JOIN pg_constraint k ON k.oid = h.objid AND h.classid = 'pg_constraint'::regclass",
    "SELECT format('index %s: %s; clustered %s, replica identity %s, valid %s', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid),
                   i.indisclustered, i.indisreplident, i.indisvalid)
       FROM relation r JOIN pg_index i ON i.indrelid = r.oid",
    "SELECT format('trigger: %s; enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
       FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal",
    "SELECT format('rule: %s; enabled %s', pg_get_ruledef(w.oid), w.ev_enabled)
       FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'",
    "SELECT format('statistics: %s', pg_get_statisticsobjdef(s.oid))
       FROM relation r JOIN pg_statistic_ext s ON s.stxrelid = r.oid",
    "SELECT format('policy %s on %s: permissive %s, for %s to %s using %s with check %s', p.polname, p.polrelid::regclass, p.polpermissive, p.polcmd,
                   p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
       FROM relation r JOIN pg_policy p ON p.polrelid = r.oid",
    "SELECT format('sequence %s: %s', s.seqrelid::regclass, to_jsonb(s) - 'seqrelid' - 'seqtypid')
       FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid",
    "SELECT format('type %s: kind %s, base %s, not null %s, default %s, values %s, owner %s, privileges %s', t.oid::regtype, t.typtype,
                   nullif(t.typbasetype, 0)::regtype, t.typnotnull, t.typdefault,
                   (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
                   t.typowner::regrole, t.typacl)
       FROM member m JOIN pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass",
    "SELECT format('in a dump: %s where %L', o.oid::regclass, o.condition)
       FROM pg_extension e CROSS JOIN unnest(e.extconfig, e.extcondition) AS o (oid, condition) WHERE e.extname = 'signal_hub'",
    "SELECT format('extension: version %s in %s, relocatable %s', e.extversion, e.extnamespace::regnamespace, e.extrelocatable)
       FROM pg_extension e WHERE e.extname = 'signal_hub'",
];

/// The sets that the queries above speak of: members of the extension, tables and the like among
/// them or behind composite types, and objects that are no members themselves but hang on one.
const SETS: &str = "
    CREATE TEMP VIEW member AS
        SELECT d.classid, d.objid, o.type, o.identity
          FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         CROSS JOIN pg_identify_object(d.classid, d.objid, 0) o
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e';
    CREATE TEMP VIEW relation AS
        SELECT objid AS oid FROM member WHERE classid = 'pg_class'::regclass
         UNION SELECT t.typrelid FROM member m JOIN pg_type t ON t.oid = m.objid AND m.classid = 'pg_type'::regclass AND t.typtype = 'c';
    CREATE TEMP VIEW hanging AS
        SELECT 'pg_constraint'::regclass AS classid, k.oid AS objid FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid
         UNION ALL SELECT 'pg_constraint'::regclass, k.oid
                     FROM member m JOIN pg_constraint k ON k.contypid = m.objid AND m.classid = 'pg_type'::regclass
         UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM relation r JOIN pg_index i ON i.indrelid = r.oid
         UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
         UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
         UNION ALL SELECT 'pg_extension'::regclass, e.oid FROM pg_extension e WHERE e.extname = 'signal_hub'";

fn describe(session: &mut Session) -> BTreeSet<String> {
    session.run(SETS);
    let mut lines = BTreeSet::new();
    for query in CATALOGS {
        lines.extend(session.list::<String>(query));
    }
    // Columns of a row by name here, too. When a version of a rule was enabled first is when this
    // was made, or updated.
    let rows = "SELECT format('SELECT %L || (to_jsonb(t) - ''first_enabled_at'')::text FROM %s AS t', format('row of %s: ', c.oid::regclass), c.oid::regclass)
                  FROM relation r JOIN pg_class c USING (oid) WHERE c.relkind IN ('r', 'p')";
    for query in session.list::<String>(rows) {
        lines.extend(session.list::<String>(&query));
    }
    lines
}

/// A new database with the extension, in a schema that has to be quoted.
fn installation(cluster: &Cluster, database: &str, create: &str) -> BTreeSet<String> {
    let mut session = cluster.create_database(database);
    session.run(&format!("CREATE SCHEMA \"Signal Hub\"; {create}"));
    describe(&mut session)
}

/// What only `these` have; of definitions that go over several lines, the lines that differ.
fn difference(whose: &str, these: &BTreeSet<String>, those: &BTreeSet<String>) -> Vec<String> {
    let known: BTreeSet<&str> = those.iter().flat_map(|entry| entry.lines()).collect();
    let only = these.difference(those).map(|entry| {
        let mut lines = entry.lines();
        let first = lines.next().unwrap_or_default();
        let others: String = lines
            .filter(|line| !known.contains(line))
            .map(|line| format!("\n    {line}"))
            .collect();
        format!("{whose} only: {first}{others}")
    });
    only.collect()
}

#[test]
fn an_installation_of_any_release_that_is_updated_equals_a_fresh_one() {
    let cluster = Options::not_preloaded().start();
    let fresh = installation(
        &cluster,
        "fresh",
        "CREATE EXTENSION signal_hub SCHEMA \"Signal Hub\"",
    );
    assert!(fresh.len() > 400, "{} lines say little", fresh.len());
    let releases = releases();
    assert!(releases.iter().any(|release| release == "0.1.0"));
    for release in releases {
        let updated = installation(
            &cluster,
            &format!("updated from {release}"),
            &format!(
                "CREATE EXTENSION signal_hub SCHEMA \"Signal Hub\" VERSION '{release}';
                 ALTER EXTENSION signal_hub UPDATE"
            ),
        );
        let mut differences = difference("fresh", &fresh, &updated);
        differences.extend(difference("updated", &updated, &fresh));
        assert!(
            differences.is_empty(),
            "what is updated from {release} is not what is fresh:\n{}",
            differences.join("\n")
        );
    }
}
