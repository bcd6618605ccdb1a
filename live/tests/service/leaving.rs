//! What a client asked for who does not wait for the answer.

use crate::scene::SOON;
use crate::service::open;
use crate::wait::{eventually, within};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn reads_of_clients_who_leave_are_cancelled() {
    let (mut shop, service) = open();
    shop.admin.run(
        "CREATE POLICY slow ON user_signals AS RESTRICTIVE TO authenticated
                USING ((SELECT pg_sleep(4.5)) IS NOT NULL)",
    );
    let reading = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    shop.signal();
    let tokens = [1, 2, 3].map(|number| service.token(number));
    let ask = |token: &String| {
        let mut client = TcpStream::connect(service.address()).expect("it listens");
        let request = format!(
            "GET /api/signals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        client.write_all(request.as_bytes()).expect("it listens");
        client
    };
    // More than there are connections for them, from one subscriber each and none who waits.
    for round in 0..4 {
        // On a busy machine one may be done before the last has begun: then all ask again.
        let clients = eventually(SOON, "all are read for", || {
            eventually(SOON, "nobody is read for any more", || {
                shop.admin.one::<i64>(reading) == 0
            });
            let clients: Vec<TcpStream> = tokens.iter().map(ask).collect();
            let are_read_for = || shop.admin.one::<i64>(reading) == 3;
            within(Duration::from_secs(3), are_read_for).map(|()| clients)
        });
        let cancelled = || {
            let words = "canceling statement due to user request";
            shop.cluster.log().matches(words).count()
        };
        let before = cancelled();
        drop(clients);
        eventually(SOON, &format!("round {round} is cancelled"), || {
            cancelled() >= before + 3
        });
    }
    shop.admin.run("DROP POLICY slow ON user_signals");
    for (number, token) in (1..=3).zip(&tokens) {
        let page = service.json("/api/signals", token);
        let signals = page["signals"].as_array().map(Vec::len);
        assert_eq!(signals, Some(1), "subscriber {number}");
    }
}
