//! Several hosts in the address: the service follows the one that accepts writes.

use crate::client::Stream;
use crate::cluster::POSTGRES;
use crate::scene::SOON;
use crate::service::Service;
use crate::shop::{Shop, import};
use crate::wait::eventually;

#[test]
fn after_a_failover_the_service_goes_on_with_the_new_primary() {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let standby = shop.cluster.standby();
    let mut reader = standby.session(POSTGRES);
    let first: String = shop.admin.one("SHOW port");
    let second: String = reader.one("SHOW port");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    // The standby is asked first, and passed over.
    service.use_address(&format!(
        "postgresql://postgres@127.0.0.1:{second},127.0.0.1:{first}/{POSTGRES}?sslmode=disable"
    ));
    service.start(&["--create-slot"]);
    let mut stream = Stream::open(&service, 2, None);
    shop.admin.run(&import(2, 1));
    stream.expect_signal(1);
    eventually(SOON, "the standby has the row", || {
        reader.one::<i64>("SELECT count(*) FROM user_signals") == 1
    });

    shop.cluster.kill9();
    eventually(SOON, "the service says that it has no database", || {
        service.health() == "away, reconnecting"
    });
    // Who restarts what hangs leaves it alone; who sends clients here sends them elsewhere.
    assert_eq!(service.get("/livez", None).status(), 200);
    assert_eq!(service.get("/readyz", None).status(), 503);
    // The service looks for another one after a first pause.
    eventually(SOON, "no host is found", || {
        service.said().contains("no host accepts writes")
    });
    assert!(reader.one::<bool>("SELECT pg_promote()"));
    // Before PostgreSQL 17 standbys have no slots.
    let output = service.run("create-slot", &[]);
    assert!(output.status.success(), "{output:?}");
    eventually(SOON, "the service follows the new primary", || {
        service.health() == "ok"
    });
    reader.run(&import(2, 2));
    stream.expect_signal(2);
}
