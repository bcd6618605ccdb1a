//! Nothing that other roles create is called, and subscribers' transactions have no more rights
//! than they need.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::scene::SOON;
use crate::service::Service;
use crate::shop::{Shop, import};
use crate::wait::eventually;
use signal_hub_harness::session::Session;
use signal_hub_live::Statement;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Copies of what pg_catalog has, in another schema: views of its relations, domains of its types,
/// and functions of the same names and parameters, which report in the server's log when called.
fn plant_copies(admin: &mut Session, schema: &str) {
    let copies = "
        DO $plant$
        DECLARE command text;
        BEGIN
            FOR command IN
                SELECT format('CREATE VIEW SCHEMA.%I AS TABLE pg_catalog.%I', c.relname, c.relname)
                  FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v')
                UNION ALL
                SELECT format('CREATE DOMAIN SCHEMA.%I AS pg_catalog.%I', t.typname, t.typname)
                  FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b' AND t.typelem = 0
                UNION ALL
                SELECT format('CREATE FUNCTION SCHEMA.%I(%s) RETURNS %s LANGUAGE plpgsql AS '
                              '$f$BEGIN RAISE LOG ''planted: %%'', %L; RETURN NULL; END$f$',
                              p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), p.proname)
                  FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
            LOOP
                BEGIN
                    EXECUTE command;
                EXCEPTION WHEN OTHERS THEN
                    -- Some types are only for functions in C.
                    NULL;
                END;
            END LOOP;
        END $plant$";
    admin.run(&copies.replace("SCHEMA", schema));
}

/// Everything of the schema that a statement refers to, as the server's own parser resolves it.
fn resolved(admin: &mut Session, text: &str, schema: &str) -> Vec<String> {
    admin.run(&format!(
        "SET search_path = {schema}, pg_catalog; PREPARE probe AS {text}"
    ));
    // With this search_path their names come with a schema.
    let types: Vec<String> = admin.list(
        "SELECT pg_catalog.format_type(t, NULL)
           FROM pg_catalog.pg_prepared_statements p, pg_catalog.unnest(p.parameter_types) WITH ORDINALITY u(t, n)
          WHERE p.name OPERATOR(pg_catalog.=) 'probe' ORDER BY n",
    );
    admin.run(&format!(
        "DEALLOCATE probe;
         CREATE FUNCTION probe.probe({}) RETURNS SETOF record LANGUAGE sql BEGIN ATOMIC {text}; END;
         SET search_path = pg_catalog",
        types.join(", ")
    ));
    let found = admin.list(&format!(
        "SELECT pg_describe_object(d.refclassid, d.refobjid, 0) FROM pg_depend d
          WHERE d.classid = 'pg_proc'::regclass AND d.objid = 'probe.probe'::regproc
            AND pg_describe_object(d.refclassid, d.refobjid, 0) LIKE '%{schema}.%'"
    ));
    admin.run("DROP FUNCTION probe.probe");
    found
}

/// Names that are called without a schema. What takes an argument of any type cannot be copied, so
/// the parser alone would not find it.
fn unqualified_calls(text: &str) -> Vec<&str> {
    /// Not functions, or resolved by the grammar to those of pg_catalog.
    const GRAMMAR: [&str; 6] = ["and", "coalesce", "exists", "extract", "in", "or"];
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '"';
    let mut calls = Vec::new();
    for (end, _) in text.match_indices('(') {
        let before = &text[..end];
        let start = before.rfind(|c| !is_letter(c)).map_or(0, |place| place + 1);
        let name = &before[start..];
        let is_qualified = before[..start].ends_with('.');
        if !name.is_empty() && !is_qualified && !GRAMMAR.contains(&name.to_lowercase().as_str()) {
            calls.push(name);
        }
    }
    calls
}

#[test]
fn every_statement_names_the_schema_of_everything_it_uses() {
    let mut shop = Shop::open();
    shop.admin.run("CREATE SCHEMA hostile; CREATE SCHEMA probe");
    plant_copies(&mut shop.admin, "hostile");
    // These are what the test would find.
    for (text, expected) in [
        ("SELECT now()", "function hostile.now()"),
        ("SELECT FROM pg_roles", "view hostile.pg_roles"),
        ("SELECT $1::text", "type hostile.text"),
    ] {
        let found = resolved(&mut shop.admin, text, "hostile");
        assert!(
            found.iter().any(|object| object == expected),
            "{text}: {found:?}"
        );
    }
    assert_eq!(
        unqualified_calls("SELECT now(), a.b(1), (SELECT 1)"),
        ["now"]
    );
    let release: i32 = shop
        .admin
        .one("SELECT current_setting('server_version_num')::integer");
    for statement in Statement::ALL {
        if release < 170_000 && matches!(statement, Statement::CreateFailoverSlot) {
            // Earlier releases cannot parse it, and are not asked to.
            continue;
        }
        let text = statement.text("public");
        let found = resolved(&mut shop.admin, &text, "hostile");
        assert!(found.is_empty(), "{statement:?} uses {found:?}: {text}");
        let calls = unqualified_calls(&text);
        assert!(calls.is_empty(), "{statement:?} calls {calls:?}: {text}");
        let parameters = text.match_indices('$').map(|(at, _)| &text[at..]);
        for parameter in parameters.filter(|p| p[1..].starts_with(|c: char| c.is_ascii_digit())) {
            assert!(
                parameter[2..].starts_with("::"),
                "{statement:?}: no type in {text}"
            );
        }
    }
}

/// A service whose logins have nothing but what they need.
pub fn with_two_logins(shop: &mut Shop) -> (Service, String) {
    shop.admin.run(
        "SELECT enable_realtime();
         CREATE ROLE hub LOGIN REPLICATION; GRANT authenticated, pg_monitor TO hub;
         CREATE ROLE readers LOGIN NOINHERIT; GRANT authenticated TO readers",
    );
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.become_role("hub");
    let port: String = shop.admin.one("SHOW port");
    (
        service,
        format!("postgresql://readers@127.0.0.1:{port}/{POSTGRES}"),
    )
}

#[test]
fn nothing_planted_is_called_whatever_search_path_the_logins_have() {
    let mut shop = Shop::open();
    let (mut service, readers) = with_two_logins(&mut shop);
    // The objects of the extension are copied nowhere: these take the place of two of them.
    shop.admin.run(
        "CREATE FUNCTION public.jsonb_build_object(text, text, text, boolean, text, text, text, timestamptz, text, timestamptz, text, timestamptz)
             RETURNS jsonb LANGUAGE plpgsql AS $f$BEGIN RAISE LOG 'planted: jsonb_build_object'; RETURN '{}'; END$f$;
         CREATE FUNCTION public.unnest(user_signals[]) RETURNS SETOF user_signals
             LANGUAGE plpgsql AS $f$BEGIN RAISE LOG 'planted: unnest'; END$f$;
         CREATE FUNCTION public.signals_since(text, float8, OUT watermark text, OUT more boolean, OUT signals user_signals[])
             LANGUAGE plpgsql AS $f$BEGIN RAISE LOG 'planted: signals_since'; END$f$;
         CREATE SCHEMA hub; CREATE SCHEMA authenticated; CREATE SCHEMA readers;
         GRANT USAGE ON SCHEMA hub, authenticated, readers TO PUBLIC",
    );
    for schema in ["hub", "authenticated", "readers", "public"] {
        plant_copies(&mut shop.admin, schema);
    }
    // An operator, too: better than that of pg_catalog for whoever finds it first.
    shop.admin.run(
        "CREATE FUNCTION public.is_equal(name, name) RETURNS boolean LANGUAGE plpgsql AS $f$BEGIN RAISE LOG 'planted: ='; RETURN false; END$f$;
         CREATE OPERATOR public.= (FUNCTION = public.is_equal, LEFTARG = name, RIGHTARG = name)",
    );
    for role in ["hub", "readers", "authenticated"] {
        shop.admin.run(&format!(
            "ALTER ROLE {role} SET search_path = \"$user\", public, pg_catalog"
        ));
    }
    shop.admin
        .run("ALTER DATABASE postgres SET search_path = \"$user\", public, pg_catalog");
    let options = ["--create-slot", "--subscriber-database-url", &readers];
    service.start(&options);
    let mut stream = Stream::open(&service, 2, None);
    shop.admin = shop.cluster.session(POSTGRES);
    shop.admin.run("SET search_path = pg_catalog, public");
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    stream.settle();
    let token = service.token(2);
    assert_eq!(
        service.json("/api/signals", &token)["signals"][0]["signal_id"],
        1
    );
    let (status, _) = service.post("/api/signals/1", &token, r#"{"viewed":true}"#);
    assert_eq!(status, 200);
    eventually(SOON, "health is known", || {
        service.json("/api/health", &token)["state"] == "not_preloaded"
    });
    assert!(service.stop().success());
    for command in ["drop-slot", "create-slot"] {
        assert!(service.run(command, &[]).status.success(), "{command}");
    }
    let log = shop.cluster.log();
    let called: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("planted"))
        .collect();
    assert!(called.is_empty(), "{called:#?}");
    // What a session without the service's options would call.
    let mut victim = shop.cluster.session(POSTGRES);
    let _ = victim.try_list::<bool>("SELECT FROM pg_catalog.pg_roles WHERE rolname = current_user");
    assert!(shop.cluster.log().contains("planted: ="), "the trap works");
}

#[test]
fn the_extension_may_be_in_any_schema() {
    let mut shop = Shop::open();
    shop.admin.run(
        "DROP EXTENSION signal_hub CASCADE; CREATE SCHEMA \"Odd; schema\";
         CREATE EXTENSION signal_hub SCHEMA \"Odd; schema\"; SET search_path = \"Odd; schema\";
         SELECT grant_realtime_access()",
    );
    let (mut service, readers) = with_two_logins(&mut shop);
    service.start(&["--create-slot", "--subscriber-database-url", &readers]);
    let mut stream = Stream::open(&service, 2, None);
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    let (status, marked) = service.post("/api/signals/1", &service.token(2), r#"{"viewed":true}"#);
    assert_eq!((status, &marked["viewed"]), (200, &true.into()), "{marked}");
}

#[test]
fn the_login_for_subscribers_must_have_nothing_else() {
    let mut shop = Shop::open();
    let (mut service, readers) = with_two_logins(&mut shop);
    assert!(service.run("create-slot", &[]).status.success());
    let options = ["--subscriber-database-url", readers.as_str()];
    for (excess, expected, remedy) in [
        (
            "ALTER ROLE readers REPLICATION",
            "role readers, the login for subscribers, has attributes",
            "ALTER ROLE \"readers\" NOSUPERUSER NOREPLICATION NOBYPASSRLS NOCREATEROLE NOCREATEDB",
        ),
        (
            "GRANT pg_monitor TO readers",
            "is a member of \"pg_",
            "REVOKE \"pg_monitor\" FROM \"readers\"",
        ),
        (
            "REVOKE authenticated FROM readers",
            "role readers may not become \"authenticated\"",
            "GRANT \"authenticated\" TO \"readers\"",
        ),
    ] {
        shop.admin.run(excess);
        let message = service.refused(&options);
        assert!(message.contains(expected), "{message}");
        assert!(message.contains(remedy), "{message}");
        shop.admin.run(remedy);
    }
    shop.admin
        .run("CREATE TABLE theirs (); ALTER TABLE theirs OWNER TO readers");
    let message = service.refused(&options);
    assert!(message.contains("owns objects"), "{message}");
    shop.admin.run("DROP TABLE theirs");
    shop.admin.run("CREATE DATABASE other");
    let elsewhere = readers.replace("/postgres", "/other");
    let message = service.refused(&["--subscriber-database-url", &elsewhere]);
    assert!(message.contains("is another database"), "{message}");

    service.start(&options);
    assert!(!service.said().contains("warning"), "{}", service.said());
    let logins: Vec<String> = shop.admin.list(
        "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name = 'signal_hub_live' ORDER BY 1",
    );
    assert_eq!(logins, ["hub"]);
    let _stream = Stream::open(&service, 2, None);
    let logins: Vec<String> = shop.admin.list(
        "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name = 'signal_hub_live' ORDER BY 1",
    );
    assert_eq!(logins, ["hub", "readers"]);
}

/// A policy's function runs as the subscriber, and can reset the role.
#[test]
fn what_runs_as_a_subscriber_cannot_get_the_rights_of_the_service() {
    let mut shop = Shop::open();
    let (mut service, readers) = with_two_logins(&mut shop);
    shop.admin.run(
        "CREATE FUNCTION escape() RETURNS boolean LANGUAGE plpgsql AS $f$
         BEGIN
             PERFORM set_config('role', 'none', true);
             RAISE LOG 'escaped as %, replication %', current_user,
                       (SELECT rolreplication OR pg_has_role('pg_monitor', 'MEMBER') FROM pg_roles WHERE rolname = current_user);
             PERFORM set_config('role', 'authenticated', true);
             RETURN true;
         END $f$;
         CREATE POLICY also ON user_signals AS RESTRICTIVE TO authenticated USING (escape())",
    );
    shop.admin.run(&import(2, 1));
    let options = ["--create-slot", "--subscriber-database-url", &readers];
    service.start(&options);
    let token = service.token(2);
    assert_eq!(
        service.json("/api/signals", &token)["signals"][0]["signal_id"],
        1
    );
    let log = shop.cluster.log();
    assert!(log.contains("escaped as readers, replication f"), "{log}");
    assert!(!log.contains("escaped as hub"), "{log}");
}

/// As a pooler that ignores the options of a session.
fn drop_search_path(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it listens").port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", server)).expect("the server listens");
            let other = (
                server.try_clone().expect("a socket"),
                client.try_clone().expect("a socket"),
            );
            // Each ends with its connection.
            thread::spawn(move || io::copy(&mut &other.0, &mut &other.1));
            thread::spawn(move || {
                let mut start = [0; 4096];
                let read = (&client).read(&mut start)?;
                // Of the same length, because the length is in front.
                let (pin, other) = (
                    b"search_path=pg_catalog,pg_temp",
                    b"application_name=any_name_here",
                );
                if let Some(at) = start.windows(pin.len()).position(|bytes| bytes == pin) {
                    start[at..][..other.len()].copy_from_slice(other);
                }
                (&server).write_all(&start[..read])?;
                io::copy(&mut &client, &mut &server)
            });
        }
    });
    port
}

#[test]
fn a_pooler_that_drops_the_settings_of_a_session_is_refused() {
    let mut shop = Shop::open();
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    let port: String = shop.admin.one("SHOW port");
    let port = drop_search_path(port.parse().expect("a number"));
    // Without TLS, of which a pooler would have to be the end.
    service.use_address(&format!(
        "postgresql://postgres@127.0.0.1:{port}/{POSTGRES}?sslmode=disable"
    ));
    let message = service.refused(&[]);
    assert!(message.contains("not through a pooler"), "{message}");
}
