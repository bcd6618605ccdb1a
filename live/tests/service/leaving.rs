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
    // More than there are connections for them, from one subscriber each and none who waits.
    for round in 0..4 {
        let clients: Vec<TcpStream> = (1..=3)
            .map(|number| {
                let mut client = TcpStream::connect(service.address()).expect("it listens");
                let request = format!(
                    "GET /api/signals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
                    service.token(number)
                );
                client.write_all(request.as_bytes()).expect("it listens");
                client
            })
            .collect();
        eventually(SOON, "they are read for", || {
            shop.admin.one::<i64>(reading) == 3
        });
        drop(clients);
        let ended = within(Duration::from_secs(2), || {
            (shop.admin.one::<i64>(reading) == 0).then_some(())
        });
        assert!(ended.is_some(), "round {round}");
    }
    shop.admin.run("DROP POLICY slow ON user_signals");
    for number in 1..=3 {
        let page = service.json("/api/signals", &service.token(number));
        assert_eq!(page["signals"].as_array().map(Vec::len), Some(1));
    }
}
