//! enable_realtime() and disable_realtime().

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::output;
use signal_hub_harness::scene::{flat_market, installed_by_hand};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::{Shop, import, options};

/// What is published, as "publication table operations".
fn published(session: &mut Session) -> Vec<String> {
    session.list(
        "SELECT format('%s %s %s%s%s', t.pubname, t.tablename, CASE WHEN p.pubinsert THEN 'i' END,
                       CASE WHEN p.pubupdate THEN 'u' END, CASE WHEN p.pubdelete OR p.pubtruncate THEN 'd' END)
           FROM pg_publication_tables t JOIN pg_publication p USING (pubname)
          WHERE t.tablename LIKE '%signal%' ORDER BY 1",
    )
}

fn publications(session: &mut Session) -> Vec<String> {
    session.list("SELECT pubname::text FROM pg_publication ORDER BY 1")
}

#[test]
fn realtime_is_one_call_and_gone_with_another() {
    let mut shop = Shop::open();
    let admin = &mut shop.admin;
    let said: String = admin.one("SELECT enable_realtime()");
    assert!(said.contains("created"), "{said}");
    assert_eq!(
        published(admin),
        [
            "signal_hub signal_outcomes iu",
            "signal_hub user_signals iu"
        ]
    );
    assert_eq!(
        admin.one::<String>(
            "SELECT relreplident::text FROM pg_class WHERE relname = 'user_signals'"
        ),
        "d",
        "the primary key"
    );
    let said: String = admin.one("SELECT enable_realtime()");
    assert!(said.contains("already"), "{said}");
    admin.run("SELECT enable_realtime(include_signals => true)");
    admin.run("SELECT enable_realtime()");
    assert_eq!(
        published(admin),
        [
            "signal_hub signal_outcomes iu",
            "signal_hub signals iu",
            "signal_hub user_signals iu"
        ],
        "a later call takes nothing away"
    );

    let said: String = admin.one("SELECT disable_realtime()");
    assert!(said.contains("dropped"), "{said}");
    assert_eq!(publications(admin), Vec::<String>::new());
    admin.run("SELECT disable_realtime()");
}

#[test]
fn a_slot_can_be_read_on_after_realtime_was_off_for_a_while() {
    let mut shop = Shop::open();
    let admin = &mut shop.admin;
    admin.run("SELECT enable_realtime()");
    admin.run("SELECT pg_create_logical_replication_slot('reader', 'pgoutput')");
    let said: String = admin.one("SELECT disable_realtime()");
    assert!(said.contains("reader"), "{said}");
    assert_eq!(published(admin), Vec::<String>::new());
    admin.run(&import(1, 1));
    admin.run("SELECT enable_realtime()");
    admin.run(&import(1, 2));
    let rows: i64 = admin.one(
        "SELECT count(*) FROM pg_logical_slot_get_binary_changes('reader', NULL, NULL, 'proto_version', '1', 'publication_names', 'signal_hub')
          WHERE get_byte(data, 0) = ascii('I')",
    );
    assert_eq!(rows, 1, "of the two, the one while it was published");

    admin.run("SELECT pg_drop_replication_slot('reader')");
    let said: String = admin.one("SELECT disable_realtime()");
    assert!(said.contains("dropped"), "{said}");
    assert_eq!(publications(admin), Vec::<String>::new());
}

#[test]
fn a_publication_of_some_columns_or_rows_is_reported() {
    let mut shop = Shop::open();
    let admin = &mut shop.admin;
    admin.run("CREATE PUBLICATION mine FOR TABLE user_signals WHERE (signal_id > 100) WITH (publish = 'insert')");
    let said: String = admin.one("SELECT enable_realtime('mine')");
    assert!(said.contains("row filter"), "{said}");
}

#[test]
fn a_publication_that_was_there_is_used_and_left() {
    let mut shop = Shop::open();
    let admin = &mut shop.admin;
    admin.run("CREATE TABLE chat (id bigint PRIMARY KEY); CREATE PUBLICATION supabase_realtime FOR TABLE chat");
    admin.run("SELECT enable_realtime('supabase_realtime')");
    assert_eq!(
        published(admin),
        [
            "supabase_realtime signal_outcomes iud",
            "supabase_realtime user_signals iud"
        ]
    );
    admin.run("SELECT disable_realtime('supabase_realtime')");
    assert_eq!(published(admin), Vec::<String>::new());
    assert_eq!(
        admin.list::<String>("SELECT tablename::text FROM pg_publication_tables"),
        ["chat"]
    );
    // It is not dropped when it is empty either.
    admin.run("ALTER PUBLICATION supabase_realtime DROP TABLE chat");
    admin.run("SELECT enable_realtime('supabase_realtime'), disable_realtime('supabase_realtime')");
    assert_eq!(publications(admin), ["supabase_realtime"]);
    // The extension's publication is not dropped while somebody else's table is in it.
    admin.run(
        "SELECT enable_realtime('Mine; DROP'); ALTER PUBLICATION \"Mine; DROP\" ADD TABLE chat",
    );
    admin.run("SELECT disable_realtime('Mine; DROP')");
    assert_eq!(publications(admin), ["Mine; DROP", "supabase_realtime"]);
}

#[test]
fn a_publication_of_all_tables_publishes_already_and_cannot_leave_one_out() {
    let mut shop = Shop::open();
    let admin = &mut shop.admin;
    admin.run("CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION here FOR TABLES IN SCHEMA public");
    for name in ["everything", "here"] {
        let said: String = admin.one(&format!("SELECT enable_realtime('{name}')"));
        assert!(said.contains("already"), "{said}");
        let error = admin.error(&format!("SELECT disable_realtime('{name}')"));
        assert_eq!(error.code().code(), "55000");
        assert!(error.hint().is_some());
    }
    let publishing: String = admin.one("SELECT replication FROM signal_health");
    assert_eq!(
        publishing,
        "published by everything, here, followed by 0 slot(s)"
    );
}

#[test]
fn what_stands_in_the_way_is_said() {
    let market = flat_market();
    let (_cluster, mut admin) = installed_by_hand(&market);
    let error = admin.error("SELECT enable_realtime()");
    assert_eq!(error.code().code(), "55000");
    assert_eq!(
        error.message(),
        "wal_level is replica, realtime clients need logical"
    );
    assert!(error.hint().is_some_and(|hint| hint.contains("restart")));

    let cluster = options(&market).start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE EXTENSION signal_hub; CREATE ROLE clerk; CREATE PUBLICATION of_others; CREATE PUBLICATION deaf WITH (publish = 'delete')",
    );
    let mut refused = |sql: &str, code: &str, message: &str| {
        admin.run("SET ROLE clerk");
        let error = admin.error(&format!("SELECT {sql}"));
        admin.run("RESET ROLE");
        assert_eq!(error.code().code(), code, "{sql}: {}", error.message());
        assert!(error.message().contains(message), "{}", error.message());
        error.hint().map(str::to_owned)
    };
    refused(
        "enable_realtime()",
        "42501",
        "permission denied for function",
    );
    refused(
        "disable_realtime()",
        "42501",
        "permission denied for function",
    );
    let mut owner = cluster.session(POSTGRES);
    owner.run("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO clerk");
    let hint = refused(
        "enable_realtime()",
        "42501",
        "must be owner of table public.user_signals",
    );
    assert_eq!(hint.as_deref(), Some("Call this as postgres."));
    owner.run("ALTER TABLE user_signals OWNER TO clerk");
    refused(
        "enable_realtime(include_signals => true)",
        "42501",
        "must be owner of table public.signals",
    );
    let hint = refused(
        "enable_realtime()",
        "42501",
        "permission denied for database postgres",
    );
    assert!(hint.is_some());
    let hint = refused(
        "enable_realtime('of_others')",
        "42501",
        "must be owner of publication of_others",
    );
    assert!(hint.is_some());
    refused(
        "disable_realtime('of_others')",
        "42501",
        "must be owner of publication of_others",
    );
    let hint = refused(
        "enable_realtime('deaf')",
        "55000",
        "does not publish inserts",
    );
    assert!(hint.is_some_and(|hint| hint.contains("ALTER PUBLICATION deaf SET")));
    refused("enable_realtime(NULL)", "22004", "must not be null");
    refused("disable_realtime(NULL)", "22004", "must not be null");
    owner.run("GRANT CREATE ON DATABASE postgres TO clerk");
    // What an owner can do who is not a superuser.
    owner.run("SET ROLE clerk; SELECT enable_realtime(); SELECT disable_realtime()");
}

#[test]
fn a_publication_of_somebody_without_a_say_in_the_table_is_not_adopted() {
    let market = flat_market();
    let cluster = options(&market).start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE EXTENSION signal_hub; CREATE ROLE squatter; GRANT CREATE ON DATABASE postgres TO squatter;
         SET ROLE squatter; CREATE PUBLICATION signal_hub; CREATE PUBLICATION other; RESET ROLE",
    );
    for call in [
        "enable_realtime()",
        "enable_realtime(include_signals => true)",
        "enable_realtime('signal_hub')",
    ] {
        let error = admin.error(&format!("SELECT {call}"));
        assert_eq!(error.code().code(), "42501", "{}", error.message());
        assert!(
            error.message().contains("belongs to squatter"),
            "{}",
            error.message()
        );
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("OWNER TO postgres"), "{hint}");
    }
    assert_eq!(published(&mut admin), Vec::<String>::new());
    // Also when the table is in it already.
    admin.run("ALTER PUBLICATION signal_hub ADD TABLE user_signals");
    let error = admin.error("SELECT enable_realtime()");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    admin.run("ALTER PUBLICATION signal_hub OWNER TO postgres; SELECT enable_realtime()");
    assert_eq!(
        published(&mut admin),
        [
            "signal_hub signal_outcomes iud",
            "signal_hub user_signals iud"
        ]
    );
    // Whoever names another one knows whose it is, and is told.
    let done: String = admin.one("SELECT enable_realtime('other')");
    assert!(done.contains("\"other\" belongs to squatter"), "{done}");
}

#[test]
fn the_publication_outlives_the_extension_and_a_dump_brings_it_back() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let dump = output(shop.cluster.tool("pg_dump").arg(POSTGRES));
    assert_eq!(dump.matches("CREATE PUBLICATION").count(), 1);

    let mut restored = shop.cluster.create_database("restored");
    let file = shop.cluster.folder().join("dump.sql");
    std::fs::write(&file, &dump).expect("the folder is ours");
    output(
        shop.cluster
            .tool("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-f"])
            .arg(&file),
    );
    // pg_dump does not dump that an extension's table is in a publication.
    assert_eq!(publications(&mut restored), ["signal_hub"]);
    restored.run("SELECT enable_realtime()");
    assert_eq!(
        published(&mut restored),
        [
            "signal_hub signal_outcomes iu",
            "signal_hub user_signals iu"
        ]
    );
    assert!(
        restored
            .one::<String>("SELECT disable_realtime()")
            .contains("dropped"),
        "known as our own after the restore"
    );

    shop.admin.run("DROP EXTENSION signal_hub");
    assert_eq!(publications(&mut shop.admin), ["signal_hub"]);
    assert_eq!(published(&mut shop.admin), Vec::<String>::new());
}

#[test]
fn realtime_works_from_a_schema_with_an_awkward_name() {
    let market = flat_market();
    let cluster = options(&market).start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        r#"CREATE SCHEMA "My %s Signals"; CREATE EXTENSION signal_hub SCHEMA "My %s Signals"; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS"#,
    );
    admin.run(r#"SELECT "My %s Signals".enable_realtime(include_signals => true)"#);
    assert_eq!(
        published(&mut admin),
        [
            "signal_hub signal_outcomes iu",
            "signal_hub signals iu",
            "signal_hub user_signals iu"
        ]
    );
    let granted: Vec<String> =
        admin.list(r#"SELECT * FROM "My %s Signals".grant_realtime_access()"#);
    assert_eq!(granted.len(), 3, "{granted:?}");
    admin.run(
        r#"SET ROLE authenticated;
           SELECT * FROM "My %s Signals".signals_since((SELECT watermark FROM "My %s Signals".signals_since()));
           SET ROLE service_role;
           SELECT * FROM "My %s Signals".signal_health, "My %s Signals".signal_stats;
           RESET ROLE"#,
    );
    admin.run(r#"SELECT "My %s Signals".disable_realtime()"#);
    assert_eq!(publications(&mut admin), Vec::<String>::new());
}
