//! The right to create triggers, one table of the extension, or a function that its tables use
//! gains nobody the rights of the tables' owner: nothing is done with these rights, health names
//! what is in the way, and nothing is lost by it.

mod detours;
mod in_their_place;

use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{
    FLIPS_AT_ONCE, SOON, by_itself, flat_market, subscribe, user, wait_for_deliveries,
    wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;

/// What mallory's code does with the rights of a superuser: the log keeps it, whatever is rolled
/// back, and says which process it was.
const TRAP: &str = "
    CREATE FUNCTION theirs.spring() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            RAISE LOG 'a trap was sprung as %', current_user;
        END IF;
    END $$;
    CREATE FUNCTION theirs.climb() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM theirs.spring();
        RETURN coalesce(NEW, OLD);
    END $$;
    CREATE FUNCTION theirs.same(value anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        PERFORM theirs.spring();
        RETURN value;
    END $$;
    CREATE FUNCTION theirs.is_fine(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        PERFORM theirs.spring();
        RETURN true;
    END $$;
    CREATE FUNCTION theirs.is_equal(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        PERFORM theirs.spring();
        RETURN $1 = $2;
    END $$;
    CREATE OPERATOR theirs.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = theirs.is_equal);
    CREATE DOMAIN theirs.fine_text AS text CHECK (theirs.is_fine(VALUE));
    CREATE TABLE theirs.copies (user_id uuid, signal_id bigint)";

/// A server with the extension, three subscribers, good runs, and mallory with her code.
fn shop(market: &Simulator) -> (Cluster, Session) {
    let cluster = by_itself(market)
        .set("signal_hub.signal_retention", "1d")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    session.run(FLIPS_AT_ONCE);
    subscribe(&mut session, "MAX", 1, 3);
    session.run(&format!(
        "CREATE ROLE mallory LOGIN;
         CREATE SCHEMA theirs AUTHORIZATION mallory; GRANT CREATE ON SCHEMA public TO mallory;
         SET ROLE mallory; {TRAP}; RESET ROLE; COMMIT"
    ));
    wait_for_good_run(&mut session);
    (cluster, session)
}

/// How mallory's code gets near the tables, as whom it is put there, what health names, and how it
/// is taken away.
struct Way {
    put: &'static str,
    named: &'static [&'static str],
    removed: &'static str,
}

const WAYS: [Way; 13] = [
    Way {
        put: "GRANT ALL ON user_signals TO mallory; SET ROLE mallory;
              CREATE TRIGGER climb AFTER INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION theirs.climb()",
        named: &["trigger climb on table public.user_signals", "theirs.climb()", "mallory"],
        removed: "DROP TRIGGER climb ON user_signals",
    },
    Way {
        put: "GRANT TRIGGER ON signal_symbols TO mallory; SET ROLE mallory;
              CREATE TRIGGER climb BEFORE UPDATE OR INSERT ON signal_symbols EXECUTE FUNCTION theirs.climb();
              RESET ROLE; ALTER TABLE signal_symbols ENABLE ALWAYS TRIGGER climb",
        named: &["trigger climb on table public.signal_symbols", "theirs.climb()"],
        removed: "DROP TRIGGER climb ON signal_symbols",
    },
    Way {
        put: "CREATE TRIGGER climb BEFORE INSERT ON signals FOR EACH ROW
              WHEN (theirs.is_fine(NEW.symbol)) EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        named: &["trigger climb on table public.signals", "theirs.is_fine(text)"],
        removed: "DROP TRIGGER climb ON signals",
    },
    Way {
        put: "ALTER TABLE signal_symbols OWNER TO mallory",
        named: &["table public.signal_symbols belongs to mallory"],
        removed: "ALTER TABLE signal_symbols OWNER TO postgres",
    },
    Way {
        put: "ALTER TABLE user_subscriptions OWNER TO mallory; SET ROLE mallory;
              CREATE INDEX climb ON user_subscriptions (theirs.same(tier));
              RESET ROLE; ALTER TABLE user_subscriptions OWNER TO postgres",
        named: &["index public.climb", "theirs.same(anyelement)"],
        removed: "DROP INDEX climb",
    },
    Way {
        put: "CREATE INDEX climb ON user_subscriptions (user_id) WHERE tier OPERATOR(theirs.===) 'MAX'",
        named: &["index public.climb", "theirs.is_equal(text,text)"],
        removed: "DROP INDEX climb",
    },
    Way {
        put: "ALTER TABLE user_signals ADD CONSTRAINT climb CHECK (theirs.is_fine(symbol))",
        named: &["constraint climb on table public.user_signals", "theirs.is_fine(text)"],
        removed: "ALTER TABLE user_signals DROP CONSTRAINT climb",
    },
    Way {
        put: "ALTER TABLE user_signals ADD COLUMN climb text DEFAULT theirs.same('x'::text)",
        named: &["column climb of table public.user_signals", "theirs.same(anyelement)"],
        removed: "ALTER TABLE user_signals DROP COLUMN climb",
    },
    Way {
        put: "ALTER TABLE signals ADD COLUMN climb text GENERATED ALWAYS AS (theirs.same(symbol)) STORED",
        named: &["column climb of table public.signals", "theirs.same(anyelement)"],
        removed: "ALTER TABLE signals DROP COLUMN climb",
    },
    Way {
        put: "ALTER TABLE user_signals ADD COLUMN climb theirs.fine_text",
        named: &["table public.user_signals", "theirs.is_fine(text)", "mallory"],
        removed: "ALTER TABLE user_signals DROP COLUMN climb",
    },
    Way {
        put: "CREATE RULE climb AS ON INSERT TO user_signals DO ALSO INSERT INTO theirs.copies VALUES (NEW.user_id, NEW.signal_id)",
        named: &["rule climb on table public.user_signals", "table theirs.copies"],
        removed: "DROP RULE climb ON user_signals",
    },
    Way {
        put: "CREATE TABLE climb () INHERITS (user_subscriptions); ALTER TABLE climb OWNER TO mallory",
        named: &["table public.climb belongs to mallory"],
        removed: "DROP TABLE climb",
    },
    Way {
        put: "GRANT REFERENCES ON user_signals TO mallory; SET ROLE mallory;
              CREATE TABLE theirs.climb (user_id uuid, signal_id bigint,
                  FOREIGN KEY (user_id, signal_id) REFERENCES public.user_signals ON DELETE CASCADE);
              CREATE TRIGGER climb AFTER DELETE ON theirs.climb FOR EACH ROW EXECUTE FUNCTION theirs.climb()",
        named: &["trigger climb on table theirs.climb", "theirs.climb()"],
        removed: "DROP TABLE theirs.climb",
    },
];

#[test]
fn code_of_others_on_the_tables_never_runs_as_their_owner_and_health_names_it() {
    none_of_these_ways_leads_up(&WAYS);
}

/// Puts mallory's code near the tables in each way, has a signal made, and takes it away again.
fn none_of_these_ways_leads_up(ways: &[Way]) {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let mut expected = 0;
    for (nth, way) in ways.iter().enumerate() {
        session.run(way.put);
        session.run("RESET ROLE");
        // A signal, on every other turn of another symbol, to the other side each time.
        let symbol = ["BTCUSDT", "ETHUSDT", "SOLUSDT"][nth % 3];
        market.set_change(symbol, if nth / 3 % 2 == 0 { "3.5" } else { "-3.5" });
        let message = eventually(SOON, way.put, || {
            session
                .list::<String>(
                    "SELECT message FROM signal_health WHERE state = 'failing' AND NOT healthy",
                )
                .pop()
                .filter(|message| way.named.iter().all(|named| message.contains(named)))
        });
        assert!(message.len() < 600, "{message}");
        let error = session.error("SELECT generate_signals_now()");
        assert_eq!(error.code().code(), "42501", "{}", error.message());
        for call in ["pause_signals()", "retry_refused_deliveries()"] {
            let error = session.error(&format!("SELECT {call}"));
            assert_eq!(error.code().code(), "42501", "{}", error.message());
        }
        session.run(way.removed);
        expected += 3;
        wait_for_deliveries(&mut session, expected);
        eventually(SOON, "health is good again", || {
            session.one::<bool>("SELECT healthy FROM signal_health")
        });
    }
    let log = cluster.log();
    let sprung: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("a trap was sprung"))
        .collect();
    // The superuser above checks rows for a constraint, and fills a column, when they are added.
    let by_itself: Vec<&&str> = sprung
        .iter()
        .filter(|line| !line.contains("client backend"))
        .collect();
    assert!(by_itself.is_empty(), "{by_itself:#?}");
}

#[test]
fn code_of_the_owner_of_the_tables_or_of_a_superuser_keeps_working() {
    let market = flat_market();
    let (_cluster, mut session) = shop(&market);
    session.run(
        "CREATE ROLE keeper; GRANT keeper TO mallory; GRANT CREATE ON SCHEMA public TO keeper;
         GRANT USAGE ON SCHEMA theirs TO keeper;
         DO $$
         DECLARE owned regclass;
         BEGIN
             FOR owned IN SELECT objid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
                           WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
             LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO keeper', owned);
             END LOOP;
         END $$;
         -- She may act as the owner anyway.
         CREATE TRIGGER climb AFTER INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION theirs.climb();
         CREATE INDEX climb ON user_subscriptions (theirs.same(tier))",
    );
    market.set_change("BTCUSDT", "3.5");
    wait_for_deliveries(&mut session, 3);
    assert!(session.one::<bool>("SELECT healthy FROM signal_health"));
    session.run("REVOKE keeper FROM mallory");
    eventually(SOON, "she may no longer", || {
        session
            .one::<String>("SELECT message FROM signal_health")
            .contains("index public.climb uses function theirs.same(anyelement) of mallory")
    });
}

/// Whoever waits with the table locked until a transaction of the worker waits for it, and then
/// commits a trigger, is not faster than the check.
#[test]
fn a_trigger_that_is_committed_while_the_worker_waits_for_the_table_does_not_fire() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    session.run("GRANT TRIGGER ON user_signals TO mallory");
    for symbol in ["BTCUSDT", "ETHUSDT", "SOLUSDT"] {
        let mut mallory = cluster.session_as("mallory", POSTGRES);
        mallory.run(
            "BEGIN; CREATE TRIGGER climb AFTER INSERT ON user_signals FOR EACH ROW EXECUTE FUNCTION theirs.climb()",
        );
        market.set_change(symbol, "3.5");
        eventually(SOON, "the worker waits for the table", || {
            session.one::<bool>(
                "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity USING (pid)
                                 WHERE NOT granted AND relation = 'user_signals'::regclass AND backend_type = 'signal_hub worker')",
            )
        });
        mallory.run("COMMIT");
        eventually(SOON, "health names it", || {
            session
                .one::<String>("SELECT message FROM signal_health")
                .contains("trigger climb")
        });
        session.run("DROP TRIGGER climb ON user_signals");
        eventually(SOON, "all is delivered", || {
            session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NULL") == 0
        });
    }
    assert_eq!(session.one::<i64>("SELECT count(*) FROM user_signals"), 9);
    assert!(!cluster.log().contains("a trap was sprung"));
}

#[test]
fn a_table_put_under_the_name_of_one_that_was_moved_away_is_not_written_to() {
    let market = flat_market();
    let (_cluster, mut session) = shop(&market);
    session.run("CREATE SCHEMA elsewhere; ALTER TABLE signal_episodes SET SCHEMA elsewhere");
    eventually(SOON, "health names it", || {
        session
            .one::<String>("SELECT message FROM signal_health")
            .contains("ALTER TABLE elsewhere.signal_episodes SET SCHEMA public")
    });
    session.run("ALTER TABLE elsewhere.signal_episodes SET SCHEMA public");
    market.set_change("BTCUSDT", "3.5");
    wait_for_deliveries(&mut session, 3);
}

#[test]
fn pausing_gives_a_trigger_on_the_pause_no_rights_of_the_caller() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    session.run(
        "DO $$
         DECLARE owned regclass;
         BEGIN
             FOR owned IN SELECT objid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r'
                           WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
             LOOP
                 EXECUTE format('ALTER TABLE %s OWNER TO mallory', owned);
             END LOOP;
         END $$;
         CREATE TRIGGER climb AFTER INSERT OR UPDATE OR DELETE ON signal_pause FOR EACH ROW EXECUTE FUNCTION theirs.climb();
         SELECT pause_signals('a look around'); SELECT pause_signals('longer'); SELECT resume_signals()",
    );
    assert!(!cluster.log().contains("a trap was sprung"));
    assert!(!session.one::<bool>("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'"));
    assert!(
        !session.one::<bool>("SELECT resume_signals()"),
        "no pause is left"
    );
}

#[test]
fn a_reason_of_any_length_takes_little_memory() {
    let market = flat_market();
    let (cluster, mut session) = shop(&market);
    let mut operator = cluster.session(POSTGRES);
    let pid: i32 = operator.one("SELECT pg_backend_pid()");
    operator.run("SELECT pause_signals(repeat('\u{e9}', 100000000))");
    assert_eq!(
        session.one::<i32>("SELECT length(reason) FROM signal_pause"),
        1000
    );
    let error = operator.error("SELECT signals_since(repeat('x', 200000000))");
    assert_eq!(error.code().code(), "22P02", "{}", error.message());
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))
        .and_then(|kb| kb.parse::<u64>().ok())
        .expect("in kB");
    // The text itself has 200 MB, and the server holds it once, or twice while it makes it.
    assert!(peak < 700_000, "{peak} kB at the peak");
}

/// An index, a constraint or a default cannot be switched off while an update changes rows.
#[test]
fn an_update_runs_no_code_of_others() {
    let cluster = Options::not_preloaded().start();
    let mut session = cluster.session(POSTGRES);
    session.run(&format!(
        "CREATE ROLE mallory; CREATE EXTENSION signal_hub VERSION '0.2.0';
         CREATE SCHEMA theirs AUTHORIZATION mallory; GRANT CREATE ON SCHEMA public TO mallory;
         SET ROLE mallory; {TRAP}; RESET ROLE;
         INSERT INTO user_subscriptions (user_id, tier) VALUES ('{}', 'MAX');
         ALTER TABLE user_subscriptions OWNER TO mallory; SET ROLE mallory;
         CREATE INDEX climb ON public.user_subscriptions (theirs.same(tier));
         CREATE TRIGGER climb BEFORE UPDATE ON public.user_subscriptions FOR EACH ROW EXECUTE FUNCTION theirs.climb();
         ALTER TABLE public.user_subscriptions ENABLE ALWAYS TRIGGER climb;
         RESET ROLE",
        user(1)
    ));
    let error = session.error("ALTER EXTENSION signal_hub UPDATE");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    assert!(
        error
            .detail()
            .is_some_and(|detail| detail.contains("index public.climb")),
        "{:?}",
        error.detail()
    );
    // Whoever owns a table may do more to it than the catalogs tell.
    session.run("DROP INDEX climb");
    let error = session.error("ALTER EXTENSION signal_hub UPDATE");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    assert!(
        error
            .detail()
            .is_some_and(|detail| detail.contains("belongs to mallory")),
        "{:?}",
        error.detail()
    );
    session
        .run("ALTER TABLE user_subscriptions OWNER TO postgres; ALTER EXTENSION signal_hub UPDATE");
    assert!(!cluster.log().contains("a trap was sprung"));
    // Now the library tells of the rest.
    let error = session.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "42501", "{}", error.message());
    session.run("DROP TRIGGER climb ON user_subscriptions");
    let error = session.error("SELECT generate_signals_now()");
    assert_ne!(error.code().code(), "42501", "{}", error.message());
}
