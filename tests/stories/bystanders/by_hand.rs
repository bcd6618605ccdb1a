//! Calls by hand while a role without rights is in the way.

use super::*;
use signal_hub_harness::scene::installed_by_hand;

/// The worker sends such a statement away; a caller is told of it.
#[test]
fn a_call_behind_a_statement_that_waits_to_be_refused_ends_with_an_error_that_names_it() {
    let market = flat_market();
    let (cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 3);
    session.run("CREATE ROLE mallory LOGIN; GRANT TEMPORARY ON DATABASE postgres TO mallory");
    let mut holder = cluster.session_as("mallory", POSTGRES);
    holder.run(
        "BEGIN; PREPARE a AS INSERT INTO public.user_signals SELECT * FROM public.user_signals",
    );
    let mut mallory = cluster.session_as("mallory", POSTGRES);
    let pid: i32 = mallory.one("SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        // Not for ever, should the test fail.
        mallory.run("SET statement_timeout = '180s'");
        let waiting = scope.spawn(move || {
            mallory.error(
                "CREATE TEMP TABLE theirs (u uuid, s bigint, FOREIGN KEY (u, s) REFERENCES public.user_signals)",
            )
        });
        eventually(SOON, "it waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        market.set_change("BTCUSDT", "3.5");
        let began = Instant::now();
        let error = session.error("SELECT generate_signals_now()");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(30), "it took {took:?}");
        assert_eq!(error.code().code(), "55P03", "{error}");
        let names = format!("process {pid} (mallory) waits for");
        assert!(error.message().contains(&names), "{error}");
        // What the caller asked for counts: more than the five seconds of the others.
        session.run("SET lock_timeout = '8s'");
        let began = Instant::now();
        session.error("SELECT generate_signals_now()");
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(8), "it took {took:?}");
        assert!(took < SOON, "it took {took:?}");
        session.run("RESET lock_timeout");
        holder.run("ROLLBACK");
        waiting.join().expect("it is refused");
    });
    let report = generate(&mut session);
    assert_eq!(report["deliveries"], 3, "{report}");
}
