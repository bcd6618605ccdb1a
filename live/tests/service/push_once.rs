//! Each notification is sent once: by one of several services, and whatever happens to the database.

use crate::client::Stream;
use crate::cluster::{POSTGRES, Stop};
use crate::push::{add, arrives, notifying, open, start};
use crate::push_service::PushService;
use crate::scene::SOON;
use crate::wait::eventually;
use serde_json::json;
use signal_hub_harness::session::Session;

const PATHS: [&str; 2] = ["/two", "/three"];

#[track_caller]
fn each_has(push: &PushService, count: usize) {
    for path in PATHS {
        arrives(push, path, count);
    }
}

/// A service that ends has sent what it has read before; what it would send twice is sent by then.
#[track_caller]
fn none_has_more(push: &PushService, counts: [usize; 2]) {
    assert_eq!(PATHS.map(|path| push.sent(path).len()), counts);
}

fn is_in_view(admin: &mut Session, is: bool) {
    eventually(SOON, "the services know whose page is in view", || {
        admin.one::<bool>("SELECT EXISTS (SELECT FROM signal_watchers WHERE in_view)") == is
    });
}

#[test]
fn of_two_services_with_the_key_one_notifies_and_a_page_of_the_other_counts() {
    let (mut shop, mut first, push) = open();
    let browsers = [(2, "/two"), (3, "/three")];
    let browsers = browsers.map(|(number, path)| add(&first, &push, number, path));
    let mut second = notifying(&mut shop, &push, "second");
    for signals in 1..=4 {
        shop.signal();
        each_has(&push, signals);
    }

    // Somebody looks at a page that reads a stream of the other service.
    let mut stream = Stream::open(&second, 2, None);
    let body = json!({"stream": stream.number, "visible": true}).to_string();
    assert_eq!(second.post("/api/visible", &second.token(2), &body).0, 200);
    is_in_view(&mut shop.admin, true);
    shop.signal();
    stream.expect("signal");
    arrives(&push, "/three", 5);
    drop(stream);
    is_in_view(&mut shop.admin, false);
    shop.signal();
    arrives(&push, "/three", 6);
    arrives(&push, "/two", 5);

    // One of them dies without a word: the other sends everything.
    second.kill();
    shop.signal();
    arrives(&push, "/three", 7);
    arrives(&push, "/two", 6);

    // It comes back, and reads rows that it has not confirmed.
    start(&mut second, &shop, &push, "second");
    assert!(first.stop().success());
    shop.signal();
    arrives(&push, "/three", 8);
    arrives(&push, "/two", 7);
    assert!(second.stop().success());
    none_has_more(&push, [7, 8]);
    drop(browsers);
}

#[test]
fn a_database_that_goes_away_amid_notifications_costs_none_and_repeats_none() {
    let (mut shop, mut service, push) = open();
    let browsers = [(2, "/two"), (3, "/three")];
    let browsers = browsers.map(|(number, path)| add(&service, &push, number, path));
    let mut signals = 0;
    for how in [Some(Stop::Fast), Some(Stop::Immediate), None] {
        for is_sent_before in [false, true] {
            shop.signal();
            signals += 1;
            if is_sent_before {
                // What became of it is not recorded yet.
                each_has(&push, signals);
            }
            match how {
                Some(how) => drop(shop.cluster.stop(how)),
                None => shop.cluster.kill9(),
            }
            shop.cluster.start();
            shop.admin = shop.cluster.session(POSTGRES);
            each_has(&push, signals);
        }
    }
    assert!(service.stop().success());
    none_has_more(&push, [signals; 2]);
    drop(browsers);
}
