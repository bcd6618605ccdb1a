//! What the worker does with adopted tables is held up by nobody for long.

use super::{INSTALL, OLD_STACK, beside_the_application};
use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{FLIPS_AT_ONCE, SOON, by_itself, flat_market};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;
use std::sync::atomic::{AtomicBool, Ordering};

const COPIES: &str = "SELECT count(*) FROM public.user_signals WHERE metadata ? 'copiedBy'";

/// An application that has moved in, with a worker.
fn with_a_worker(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_itself(market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(OLD_STACK);
    session.run(&format!(
        "BEGIN; {INSTALL}; SET LOCAL search_path = signal_hub; {FLIPS_AT_ONCE}; COMMIT"
    ));
    session.run(
        "SELECT signal_hub.adopt_subscriptions('public.user_subscriptions');
         SELECT signal_hub.adopt_signals('public.user_signals')",
    );
    (cluster, session)
}

#[test]
fn an_adopted_table_that_cannot_be_looked_at_is_named_by_health_until_it_can() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run(OLD_STACK);
    session.run(&format!("BEGIN; {INSTALL}; COMMIT"));
    // The first look after the start of the worker meets what the application did before it.
    session.run(
        "SELECT signal_hub.pause_signals('moving');
         SELECT signal_hub.adopt_subscriptions('public.user_subscriptions');
         UPDATE public.user_subscriptions SET current_period_end = clock_timestamp() + interval '1 second';
         ALTER TABLE public.user_subscriptions RENAME current_period_end TO ends_at",
    );
    eventually(SOON, "they have ended", || {
        session.one::<bool>(
            "SELECT bool_and(current_period_end < clock_timestamp()) FROM signal_hub.user_subscriptions",
        )
    });
    session.run("SELECT pg_terminate_backend(worker_pid) FROM signal_hub.signal_health");
    let said = "SELECT message FROM signal_hub.signal_health WHERE state = 'failing'";
    session.run("SELECT signal_hub.resume_signals()");
    eventually(SOON, "health names it", || {
        let said: Vec<String> = session.list(said);
        said.iter().any(|said| said.contains("current_period_end"))
    });
    session.run("ALTER TABLE public.user_subscriptions RENAME ends_at TO current_period_end");
    eventually(SOON, "all is well again", || {
        session.one::<bool>("SELECT healthy FROM signal_hub.signal_health")
    });
}

#[test]
fn a_role_that_may_only_read_the_applications_table_holds_up_no_signal() {
    let market = flat_market();
    let (cluster, mut session) = with_a_worker(&market);
    session
        .run("CREATE ROLE reader LOGIN BYPASSRLS; GRANT SELECT ON public.user_signals TO reader");
    let mut holder = cluster.session_as("reader", POSTGRES);
    holder.run("BEGIN; SELECT FROM public.user_signals");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut waiting = cluster.session_as("reader", POSTGRES);
        let has_to_stop = &stop;
        scope.spawn(move || {
            while !has_to_stop.load(Ordering::Relaxed) {
                waiting.error("CREATE RULE mine AS ON INSERT TO public.user_signals DO NOTHING");
            }
        });
        eventually(SOON, "it waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (symbol, copies) in [("BTCUSDT", 1), ("ETHUSDT", 2)] {
                market.set_change(symbol, "3.5");
                eventually(SOON, "the signal is copied", || {
                    holder.one::<i64>(COPIES) == copies
                });
            }
        }));
        stop.store(true, Ordering::Relaxed);
        holder.run("ROLLBACK");
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn a_trigger_of_the_application_that_does_not_end_is_ended_and_named() {
    let market = flat_market();
    let (_cluster, mut session) = with_a_worker(&market);
    session.run(
        "SET ROLE app_owner;
         CREATE FUNCTION public.dream() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_sleep(600); RETURN NEW; END';
         CREATE TRIGGER dream BEFORE INSERT ON public.user_signals FOR EACH ROW EXECUTE FUNCTION public.dream();
         RESET ROLE",
    );
    market.set_change("BTCUSDT", "3.5");
    let message = eventually(SOON, "health names it", || {
        session
            .list::<String>("SELECT message FROM signal_hub.signal_health WHERE NOT healthy")
            .pop()
            .filter(|message| message.contains("took longer than"))
    });
    assert!(message.contains("app_owner"), "{message}");
    session.run("DROP TRIGGER dream ON public.user_signals");
    eventually(SOON, "the signal is copied", || {
        session.one::<i64>(COPIES) == 1
    });
}

#[test]
fn subscriptions_that_end_all_at_once_are_all_looked_at() {
    let market = flat_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run(
        "UPDATE signal_hub.signal_tiers SET enabled = true;
         TRUNCATE public.user_subscriptions;
         INSERT INTO public.user_subscriptions (user_id, tier, current_period_end)
         SELECT md5(n::text)::uuid, t.tier, t.ends
           FROM generate_series(1, 12000) n, (VALUES ('MAX', now() + '1 hour'), ('PRO', NULL)) t (tier, ends);
         ANALYZE public.user_subscriptions;
         SELECT signal_hub.adopt_subscriptions('public.user_subscriptions')",
    );
    // The hour has passed, and two days more in which no worker ran.
    session.run(
        "SET session_replication_role = replica;
         UPDATE public.user_subscriptions SET current_period_end = now() - interval '2 days' WHERE tier = 'MAX';
         UPDATE signal_hub.user_subscriptions SET current_period_end = now() - interval '2 days';
         -- A few have nothing else.
         DELETE FROM public.user_subscriptions WHERE tier = 'PRO' AND user_id < '01000000-0000-0000-0000-000000000000';
         RESET session_replication_role",
    );
    let mut place = String::new();
    let mut calls = 0;
    while let Some(last) = session.one::<Option<String>>(&format!(
        "SELECT signal_hub.signal_hub_renew_adopted('{place}')"
    )) {
        place = last;
        calls += 1;
    }
    assert_eq!(calls, 2);
    let ended: Vec<String> = session.list(
        "SELECT DISTINCT tier FROM signal_hub.user_subscriptions
          WHERE (user_id < '01000000-0000-0000-0000-000000000000') = (tier = 'PRO')",
    );
    assert_eq!(ended, [""; 0]);
}

#[test]
fn prices_that_must_not_be_null_are_told_where_a_tier_has_none() {
    let market = flat_market();
    let (_cluster, mut session) = beside_the_application(&market);
    session.run("TRUNCATE public.user_signals; ALTER TABLE public.user_signals ALTER entry_price SET NOT NULL");
    let told: Vec<String> = session.list("SELECT signal_hub.adopt_signals('public.user_signals')");
    assert!(
        told.iter().any(|line| line.contains("entry_price")
            && line.contains("(FREE)")
            && line.contains("DROP NOT NULL")),
        "{told:?}"
    );
}
