//! Who holds a stream is served before all others, and everybody exactly once, whoever comes,
//! leaves or is killed meanwhile.

use crate::client::Stream;
use crate::cluster::{Cluster, POSTGRES};
use crate::scene::{
    FLIPS_AT_ONCE, SOON, Turns, by_itself, flat_market, subscribe, user, worker_pid,
};
use crate::service::{SLOT, Service};
use crate::wait::eventually;
use rustix::process::{Pid, Signal, kill_process};
use signal_hub_harness::session::Session;
use signal_hub_simulator::Simulator;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const CROWD: u32 = 20_000;
/// Long enough for a fan-out on a busy machine.
const LATER: Duration = Duration::from_secs(60);

/// A server whose worker delivers in small batches to a crowd, and a service that follows it.
fn crowded(market: &Simulator) -> (Cluster, Session, Service) {
    with_subscribers(market, CROWD)
}

fn with_subscribers(market: &Simulator, subscribers: u32) -> (Cluster, Session, Service) {
    let cluster = by_itself(market)
        .set("wal_level", "logical")
        .set("signal_hub.delivery_batch", "100")
        .start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE ROLE authenticated;
         CREATE EXTENSION signal_hub;
         UPDATE signal_tiers SET daily_quota = NULL;
         SELECT grant_realtime_access(); SELECT enable_realtime()",
    );
    admin.run(FLIPS_AT_ONCE);
    subscribe(&mut admin, "MAX", 1, subscribers);
    let mut service = Service::of(&cluster, &mut admin);
    service.start(&["--create-slot"]);
    (cluster, admin, service)
}

fn watchers(admin: &mut Session) -> Vec<String> {
    admin.list("SELECT user_id::text FROM signal_watchers ORDER BY 1")
}

/// Waits until the newest of this many signals has reached everybody, once.
#[track_caller]
fn everybody_has(admin: &mut Session, signals: i64) {
    eventually(LATER, "the signal is delivered", || {
        admin.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL") >= signals
    });
    let uneven: Vec<String> = admin.list(&format!(
        "SELECT format('signal %s: %s rows, %s counted, %s given up', s.signal_id, count(e.user_id), s.deliveries,
                       s.delivery_failures)
           FROM signals s LEFT JOIN user_signals e USING (signal_id)
          GROUP BY s.signal_id HAVING count(e.user_id) <> {CROWD} OR s.deliveries <> {CROWD}"
    ));
    assert!(uneven.is_empty(), "{uneven:#?}");
}

#[test]
fn who_watches_has_the_signal_before_all_others_and_a_dead_service_costs_nothing() {
    const HERE: [u32; 3] = [5_000, 12_345, 19_999];
    let market = flat_market();
    let mut turns = Turns::default();
    let (_cluster, mut admin, mut service) = crowded(&market);
    let mut streams = HERE.map(|number| Stream::open(&service, number, None));
    eventually(SOON, "the database knows who is here", || {
        watchers(&mut admin) == HERE.map(user)
    });
    eventually(SOON, "prices are kept for those who watch", || {
        admin.one::<i64>("SELECT count(*) FROM signal_prices") == 10
    });
    turns.turn(&market);
    for stream in &mut streams {
        stream.expect("signal");
    }
    assert!(admin.one::<bool>(
        "SELECT bool_and(p.last_price = s.last_price AND p.priced_at = s.close_time)
           FROM signals s JOIN signal_prices p USING (symbol)"
    ));
    everybody_has(&mut admin, 1);
    let first: bool = admin.one(
        "SELECT max(e.created_at) FILTER (WHERE w.user_id IS NOT NULL)
                < min(e.created_at) FILTER (WHERE w.user_id IS NULL)
           FROM user_signals e LEFT JOIN signal_watchers w USING (user_id)",
    );
    assert!(first, "all watchers before anybody else");

    // It dies without a word: its entries stay, and count no more once its slot is free.
    service.kill();
    eventually(SOON, "the slot is free", || {
        admin.one::<bool>(&format!(
            "SELECT NOT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'"
        ))
    });
    assert_eq!(watchers(&mut admin).len(), 3);
    admin.run("DELETE FROM signal_prices");
    turns.turn(&market);
    everybody_has(&mut admin, 2);
    let prices: i64 = admin.one("SELECT count(*) FROM signal_prices");
    assert_eq!(prices, 0, "nobody watches");
    let order: bool = admin.one(
        "SELECT bool_and(in_order) FROM (
             SELECT e.created_at >= lag(e.created_at) OVER (ORDER BY e.user_id) AS in_order
               FROM user_signals e WHERE e.signal_id = (SELECT max(signal_id) FROM signals)) o
          WHERE in_order IS NOT NULL",
    );
    assert!(order, "in the order of the key");
    service.start(&[]);
    let _stream = Stream::open(&service, 7, None);
    eventually(SOON, "a new one is known", || {
        watchers(&mut admin).contains(&user(7))
    });
    turns.turn(&market);
    everybody_has(&mut admin, 3);
}

/// The entries change all the time while the worker is killed in the middle of fan-outs: rows that
/// were served first are met by a process that does not know that.
#[test]
fn whoever_comes_leaves_or_is_killed_everybody_has_each_signal_once() {
    let market = flat_market();
    let mut turns = Turns::default();
    let (cluster, mut admin, service) = crowded(&market);
    // For fan-outs that are to be seen under way: they are slow until the worker is killed.
    admin.run(
        "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END';
         CREATE TRIGGER take_time AFTER INSERT ON user_signals EXECUTE FUNCTION take_time();
         ALTER TABLE user_signals DISABLE TRIGGER take_time",
    );
    let stop = Arc::new(AtomicBool::new(false));
    let restless = {
        let stop = Arc::clone(&stop);
        let config = cluster.config(POSTGRES);
        thread::spawn(move || {
            let mut random = fastrand::Rng::with_seed(1);
            let mut session = None;
            while !stop.load(Ordering::Relaxed) {
                let client = match &mut session {
                    Some(client) => client,
                    // The server resets itself now and then.
                    none => match config.connect(postgres::NoTls) {
                        Ok(client) => none.insert(client),
                        Err(_) => continue,
                    },
                };
                let one = user(random.u32(1..=CROWD));
                let changed = client.batch_execute(&format!(
                    "DELETE FROM signal_watchers WHERE ctid IN (
                         SELECT ctid FROM signal_watchers ORDER BY random() LIMIT 20);
                     INSERT INTO signal_watchers (user_id, slot)
                     SELECT user_id, '{SLOT}' FROM user_subscriptions WHERE user_id >= '{one}' LIMIT 30
                         ON CONFLICT DO NOTHING"
                ));
                if changed.is_err() {
                    session = None;
                }
            }
        })
    };
    for number in 1..=6 {
        eventually(SOON, "somebody watches", || {
            watchers(&mut admin).len() > 100
        });
        if number % 2 == 0 {
            admin.run("ALTER TABLE user_signals ENABLE TRIGGER take_time");
        }
        turns.turn(&market);
        if number % 2 == 0 {
            eventually(SOON, "the fan-out is under way", || {
                admin.one::<bool>(
                    "SELECT EXISTS (SELECT FROM signals WHERE delivered_at IS NULL AND deliveries > 0)",
                )
            });
            let pid = worker_pid(&mut admin).and_then(Pid::from_raw);
            kill_process(pid.expect("a worker runs"), Signal::KILL).expect("it is ours");
            eventually(SOON, "the server resets itself", || {
                admin.try_list::<i32>("SELECT 1").is_err()
            });
            admin = eventually(SOON, "it takes connections again", || {
                let client = cluster.config(POSTGRES).connect(postgres::NoTls);
                client.ok().map(Session::new)
            });
            admin.run("ALTER TABLE user_signals DISABLE TRIGGER take_time");
            eventually(LATER, "the service follows again", || {
                service.health() == "ok"
            });
        }
        everybody_has(&mut admin, number);
    }
    stop.store(true, Ordering::Relaxed);
    restless.join().expect("no panic");
}

#[test]
fn prices_that_cannot_be_written_cost_no_signal_and_are_said() {
    let market = flat_market();
    let (_cluster, mut admin, service) = with_subscribers(&market, 1);
    admin.run("ALTER TABLE signal_prices ADD CONSTRAINT nothing_goes CHECK (last_price < 0)");
    let mut stream = Stream::open(&service, 1, None);
    eventually(SOON, "health says what is wrong", || {
        admin.one::<bool>(
            "SELECT state = 'failing' AND message LIKE '%signal_prices cannot be written: %nothing_goes%'
               FROM signal_health",
        )
    });
    Turns::default().turn(&market);
    stream.expect("signal");
    admin.run("ALTER TABLE signal_prices DROP CONSTRAINT nothing_goes");
    eventually(SOON, "all is well", || {
        admin.one::<bool>(
            "SELECT healthy AND (SELECT count(*) = 10 FROM signal_prices) FROM signal_health",
        )
    });
}
