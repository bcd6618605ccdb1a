//! The logins of the service may have any password.

use crate::client::Stream;
use crate::service::Service;
use crate::shop::{Shop, import};
use std::fs;

#[test]
fn any_password_serves_for_queries_and_for_replication() {
    let mut shop = Shop::open();
    shop.admin.run(
        "SELECT enable_realtime();
         SET password_encryption = 'scram-sha-256';
         CREATE ROLE hub LOGIN REPLICATION; GRANT authenticated, pg_monitor TO hub",
    );
    let rules = shop.cluster.data().join("pg_hba.conf");
    let others = fs::read_to_string(&rules).expect("the folder is ours");
    let ours = "host all hub 127.0.0.1/32 scram-sha-256\nhost replication hub 127.0.0.1/32 scram-sha-256\n";
    fs::write(&rules, ours.to_owned() + &others).expect("the folder is ours");
    shop.admin.run("SELECT pg_reload_conf()");
    for (number, (password, in_the_url)) in [
        ("p@:/?#&%=+ \"\\x", "p%40%3A%2F%3F%23%26%25%3D%2B%20%22%5Cx"),
        // What other keyboards and machines make of the same letters.
        ("p\u{e4}ss", "p%C3%A4ss"),
        ("pa\u{308}ss", "pa%CC%88ss"),
        ("a\u{a0}b\u{ad}\u{2168}", "a%C2%A0b%C2%AD%E2%85%A8"),
    ]
    .into_iter()
    .enumerate()
    {
        shop.admin
            .run(&format!("ALTER ROLE hub PASSWORD $p${password}$p$"));
        let mut service = Service::of(&shop.cluster, &mut shop.admin);
        service.become_role(&format!("hub:{in_the_url}"));
        service.start(&["--create-slot"]);
        let mut stream = Stream::open(&service, 2, None);
        let id = 1 + number as i64;
        shop.admin.run(&import(2, id));
        stream.expect_signal(id);
        assert!(service.stop().success());
    }
}
