//! The logins of the service: whatever is set for them, and when one is refused.

use crate::client::Stream;
use crate::scene::SOON;
use crate::shop::{Shop, import};
use crate::trust::with_two_logins;
use crate::wait::eventually;

/// Such settings come with templates for roles, or were made for people who use psql.
#[test]
fn settings_of_the_logins_change_nothing() {
    let mut shop = Shop::open();
    let (mut service, readers) = with_two_logins(&mut shop);
    let settings = [
        "row_security = off",
        "default_transaction_read_only = on",
        "default_transaction_deferrable = on",
        "default_transaction_isolation = serializable",
        "idle_session_timeout = '100ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "statement_timeout = '1ms'",
        "lock_timeout = '1ms'",
        "client_encoding = 'LATIN1'",
        "standard_conforming_strings = off",
        "DateStyle = 'German, DMY'",
        "IntervalStyle = 'sql_standard'",
        "TimeZone = 'Asia/Kolkata'",
        "bytea_output = 'escape'",
        "extra_float_digits = -15",
        "search_path = public",
    ];
    for setting in settings {
        for target in ["ROLE hub", "ROLE readers", "DATABASE postgres"] {
            shop.admin.run(&format!("ALTER {target} SET {setting}"));
        }
    }
    service.start(&["--create-slot", "--subscriber-database-url", &readers]);
    let mut stream = Stream::open(&service, 2, None);
    // This session is from before the settings.
    shop.admin.run(&import(2, 1));
    let event = stream.expect_signal(1);
    let token = service.token(2);
    let read = &service.json("/api/signals", &token)["signals"][0];
    assert_eq!(read, &event.data, "read or streamed, it is the same");
    assert_eq!(read["expires_at"], "infinity");
    let created = read["created_at"].as_str().expect("text");
    assert!(created.ends_with("+00:00"), "{created}");
    let (status, marked) = service.post("/api/signals/1", &token, r#"{"viewed":true}"#);
    assert_eq!((status, &marked["viewed"]), (200, &true.into()), "{marked}");
    assert_eq!(stream.expect("mark").data, marked);
    assert!(!service.said().contains("warning"), "{}", service.said());
}

#[test]
fn a_login_for_subscribers_that_is_refused_is_noticed_and_so_is_its_return() {
    let mut shop = Shop::open();
    let (mut service, readers) = with_two_logins(&mut shop);
    service.start(&["--create-slot", "--subscriber-database-url", &readers]);
    let token = service.token(2);
    for (refuse, admit) in [
        ("ALTER ROLE readers NOLOGIN", "ALTER ROLE readers LOGIN"),
        (
            "ALTER ROLE readers CONNECTION LIMIT 0",
            "ALTER ROLE readers CONNECTION LIMIT -1",
        ),
    ] {
        shop.admin.run(refuse);
        // Connections that are open already are not affected.
        shop.admin.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'readers'",
        );
        eventually(SOON, "the operator is told", || {
            let status = service.get("/api/signals", Some(&token)).status();
            status == 503 && service.health() == "away, streaming"
        });
        eventually(SOON, "the log says so", || {
            service.said().contains("the database cannot be reached")
        });
        shop.admin.run(admit);
        eventually(SOON, "it is well again", || service.health() == "ok");
        assert_eq!(service.get("/api/signals", Some(&token)).status(), 200);
    }
    assert!(service.said().contains("\"readers\""), "{}", service.said());
}
