//! Statements that wait for a lock to be refused, where it is not plain to see that they will be.

use super::*;

/// Has mallory hold a weak lock on the deliveries, and another statement wait behind it for a
/// strong one, again and again; meanwhile two signals have to reach everybody.
fn deliveries_go_on_while(
    waiting: &'static str,
    holding: &str,
    (cluster, session): (&Cluster, &mut Session),
    market: &Simulator,
) {
    let mut holder = cluster.session_as("mallory", POSTGRES);
    holder.run(&format!("BEGIN; {holding}"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut mallory = cluster.session_as("mallory", POSTGRES);
        let has_to_stop = &stop;
        scope.spawn(move || {
            while !has_to_stop.load(Ordering::Relaxed) {
                mallory.run("SET statement_timeout = '60s'");
                mallory.error(waiting);
            }
        });
        eventually(SOON, "it waits", || {
            session.one::<bool>("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            market.set_change("BTCUSDT", "3.5");
            wait_for_deliveries(session, 3);
            market.set_change("ETHUSDT", "-3.5");
            wait_for_deliveries(session, 6);
        }));
        stop.store(true, Ordering::Relaxed);
        holder.run("ROLLBACK");
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The owner is shown less of other sessions than a superuser is.
#[test]
fn a_statement_that_waits_to_be_refused_holds_up_no_delivery_of_an_owner_who_is_no_superuser() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    session.run(
        "CREATE ROLE keeper;
         DO $$
         DECLARE owned regclass;
         BEGIN
             FOR owned IN SELECT objid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
                           WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
             LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO keeper', owned);
             END LOOP;
         END $$;
         GRANT CREATE ON SCHEMA public TO keeper; GRANT TEMPORARY ON DATABASE postgres TO mallory",
    );
    deliveries_go_on_while(
        "CREATE TEMP TABLE theirs (u uuid, s bigint, FOREIGN KEY (u, s) REFERENCES public.user_signals)",
        "PREPARE a AS INSERT INTO public.user_signals SELECT * FROM public.user_signals",
        (&cluster, &mut session),
        &market,
    );
}

/// Who may mark signals as read may not change the table.
#[test]
fn a_statement_of_a_subscriber_that_waits_to_be_refused_holds_up_no_delivery() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    session.run("SELECT grant_realtime_access('mallory')");
    deliveries_go_on_while(
        "CREATE TRIGGER mine BEFORE INSERT ON user_signals EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "PREPARE a AS UPDATE public.user_signals SET viewed = true",
        (&cluster, &mut session),
        &market,
    );
}
