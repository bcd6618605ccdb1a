//! Every documented function and view gives on shards what it gives on one server.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{SOON, subscribe, user, wait_for_good_run};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::collections::BTreeSet;

/// What a function gives: the same on one server and on several; a text with this in it; or, while
/// the tables are sharded, a refusal that docs/scaling.md tells of.
enum Gives {
    TheSame,
    Something(&'static str),
    Refused,
}
use Gives::{Refused, Something, TheSame};

const CANDLES: &str = "$q$SELECT 'BTCUSDT'::text AS symbol, t AS open_time, 100::numeric AS open, 101::numeric AS high,
    99::numeric AS low, 100::numeric AS close, 10::numeric AS base_volume
    FROM generate_series(timestamptz '2026-01-01 00:00Z', '2026-01-03 00:00Z', interval '1 hour') t ORDER BY t$q$";

/// Each documented function, with a call of it.
const CALLS: &[(&str, &str, Gives)] = &[
    (
        "abandon_table",
        "abandon_table('app.subscriptions')",
        Something("not adopted"),
    ),
    ("adopt_signals", "adopt_signals('app.signals')", Refused),
    (
        "adopt_subscriptions",
        "adopt_subscriptions('app.subscriptions')",
        Refused,
    ),
    ("current_subscriber", "current_subscriber()", TheSame),
    (
        "disable_realtime",
        "disable_realtime()",
        Something("taken out"),
    ),
    ("dump_user_additions", "dump_user_additions()", TheSame),
    ("enable_citus", "enable_citus()", Something("2 node(s)")),
    (
        "enable_realtime",
        "enable_realtime()",
        Something("added to publication"),
    ),
    ("forward_claims", "forward_claims()", TheSame),
    (
        "generate_signals_now",
        "generate_signals_now()",
        Something("\"success\""),
    ),
    ("grant_realtime_access", "grant_realtime_access()", TheSame),
    ("pause_signals", "pause_signals('a test')", TheSame),
    (
        "preview_signals",
        "(SELECT string_agg(DISTINCT p.symbol, ' ') FROM preview_signals() p)",
        TheSame,
    ),
    (
        "replay_signals",
        "(SELECT count(*) FROM replay_signals(CANDLES))",
        TheSame,
    ),
    (
        "replay_track_record",
        "(SELECT signals FROM replay_track_record(CANDLES))",
        TheSame,
    ),
    ("resume_signals", "resume_signals()", TheSame),
    (
        "retry_refused_deliveries",
        "retry_refused_deliveries()",
        TheSame,
    ),
    (
        "signal_outcome_opened",
        "(SELECT string_agg(signal_outcome_opened(o)::text, ' ' ORDER BY signal_id) FROM signal_outcomes o)",
        TheSame,
    ),
    (
        "signal_outcome_settled",
        "(SELECT string_agg(signal_outcome_settled(o)::text, ' ' ORDER BY signal_id) FROM signal_outcomes o)",
        TheSame,
    ),
    (
        "signal_track_record",
        "(SELECT signals FROM signal_track_record())",
        TheSame,
    ),
    (
        "signal_worker_history",
        "(SELECT waits_for IS NULL FROM signal_worker_history())",
        TheSame,
    ),
    (
        "signal_worker_status",
        "(SELECT preloaded AND enabled FROM signal_worker_status())",
        TheSame,
    ),
    ("signals_since", "signals_since(NULL)", Refused),
    ("start_signal_worker", "start_signal_worker()", TheSame),
    (
        "subscriber_status",
        "(SELECT string_agg((s - 'resets_at')::text, ' ' ORDER BY n) FROM generate_series(1, 4) n
        CROSS JOIN LATERAL to_jsonb(subscriber_status(
            ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid)) s)",
        TheSame,
    ),
    (
        "track_record_digest",
        "track_record_digest(current_date)",
        TheSame,
    ),
    (
        "verify_track_record",
        "(SELECT count(*) FROM verify_track_record())",
        TheSame,
    ),
    // Last: all is as it was.
    (
        "disable_citus",
        "disable_citus()",
        Something("back on this server"),
    ),
];

/// Of these the rows are not compared: it is enough that they can be read.
const CHANGING: [&str; 11] = [
    // The move is a write of them.
    "user_preferences",
    "signal_pause",
    "signal_health",
    "signal_metrics",
    "signal_uptime",
    "signal_runs",
    "signal_run_days",
    "signal_stats",
    "signal_prices",
    "signal_exchanges",
    "signal_run_totals",
];

fn documented(admin: &mut Session, catalog: &str) -> Vec<String> {
    admin.list(&format!(
        "SELECT DISTINCT {name}::text FROM {catalog} o
           JOIN pg_depend d ON d.classid = '{catalog}'::regclass AND d.objid = o.oid AND d.deptype = 'e'
           JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          WHERE e.extname = 'signal_hub' AND {name} !~ '^signal_hub_' AND {only} ORDER BY 1",
        name = if catalog == "pg_proc" { "proname" } else { "relname" },
        only = match catalog {
            "pg_proc" => "prorettype <> 'trigger'::regtype",
            _ => "relkind IN ('r', 'v')",
        },
    ))
}

/// The rows of each table and view, as texts.
fn contents(admin: &mut Session) -> Vec<(String, String)> {
    let relations = documented(admin, "pg_class");
    let mut all = Vec::new();
    for relation in relations {
        let mut rows: Vec<String> = admin.list(&format!("SELECT r::text FROM {relation} r"));
        if CHANGING.contains(&&*relation) {
            rows.clear();
        }
        rows.sort();
        all.push((relation, rows.concat()));
    }
    all
}

/// What a subscriber sees, who is known by claims as PostgREST sets them.
fn as_subscriber(client: &mut Session, number: u32) -> Vec<String> {
    client.run(&format!(
        r#"BEGIN; SET LOCAL ROLE authenticated;
           SELECT set_config('request.jwt.claims', '{{"sub": "{}", "role": "authenticated"}}', true);
           SELECT forward_claims()"#,
        user(number)
    ));
    let mut seen = Vec::new();
    for query in [
        "SELECT (to_jsonb(s) - 'resets_at')::text FROM subscriber_status() s",
        "SELECT concat_ws(' ', o.signal_id, o.state, o.entry_price, o.received)
           FROM user_signal_outcomes o ORDER BY o.signal_id",
        "SELECT to_jsonb(q)::text FROM user_signal_quotas q",
        "SELECT signal_id::text FROM signal_outcomes ORDER BY signal_id",
        "SELECT concat_ws(' ', e.user_id, e.signal_id, e.entry_price) FROM user_signals e ORDER BY e.signal_id",
        "SELECT concat_ws(' ', s.user_id, s.signal_id) FROM signals_since(NULL) p
          CROSS JOIN LATERAL unnest(p.signals) s ORDER BY 1",
        "SELECT concat_ws(' ', p.user_id, p.sides) FROM user_preferences p",
    ] {
        seen.push(client.list::<String>(query).join("; "));
    }
    client.run("COMMIT");
    seen
}

#[test]
fn every_documented_function_and_view_gives_what_one_server_gives() {
    let settings = [("citus.enable_change_data_capture", "on")];
    let Some(mut servers) = Servers::with(2, &settings) else {
        return;
    };
    servers.admin.run(
        "CREATE ROLE anon LOGIN; CREATE ROLE authenticated LOGIN; CREATE ROLE service_role LOGIN BYPASSRLS;
         CREATE SCHEMA app;
         CREATE TABLE app.subscriptions (user_id uuid PRIMARY KEY, tier text, status text, current_period_end timestamptz);
         CREATE TABLE app.signals (signal_id bigint, user_id uuid);
         SELECT grant_realtime_access()",
    );
    subscribe(&mut servers.admin, "MAX", 1, 50);
    servers.admin.run(&format!(
        "INSERT INTO user_preferences (user_id, sides) VALUES ('{}', '{{SHORT}}');
         UPDATE user_subscriptions SET status = 'paused' WHERE user_id = '{}'",
        user(2),
        user(3)
    ));
    servers.turn();
    servers.wait_for_signals(1);
    wait_for_good_run(&mut servers.admin);
    // What was missed counts from the last change of preferences, and the move is one.
    servers
        .admin
        .run("SELECT pause_signals('to compare'); UPDATE user_preferences SET sides = sides");
    let mut client = servers.coordinator.session(POSTGRES);

    let on_one = contents(&mut servers.admin);
    let seen_on_one: Vec<_> = [1, 2, 60]
        .map(|number| as_subscriber(&mut client, number))
        .into();
    let given_on_one: Vec<Option<String>> = CALLS
        .iter()
        .map(|(name, call, gives)| match gives {
            TheSame => Some(given(&mut servers.admin, name, call)),
            Something(_) | Refused => None,
        })
        .collect();
    servers.admin.run("SELECT pause_signals('to compare')");
    eventually(SOON, "nothing is under way", || {
        servers
            .admin
            .try_list::<String>("SELECT enable_citus()")
            .ok()
    });

    for ((relation, one), (_, several)) in on_one.iter().zip(contents(&mut servers.admin)) {
        assert_eq!(&several, one, "{relation}");
    }
    for (number, seen) in [1, 2, 60].into_iter().zip(&seen_on_one) {
        assert_eq!(
            &as_subscriber(&mut client, number),
            seen,
            "subscriber {number}"
        );
    }
    let called: BTreeSet<&str> = CALLS.iter().map(|(name, ..)| *name).collect();
    let functions = documented(&mut servers.admin, "pg_proc");
    assert_eq!(
        called,
        functions.iter().map(|name| &**name).collect(),
        "each is called here"
    );
    for ((name, call, gives), one) in CALLS.iter().zip(given_on_one) {
        match gives {
            TheSame => assert_eq!(Some(given(&mut servers.admin, name, call)), one, "{name}"),
            Something(text) => {
                let given = eventually(SOON, "nothing is under way", || {
                    servers
                        .admin
                        .try_list::<Option<String>>(&format!("SELECT {call}::text"))
                        .ok()
                });
                let given: String = given.into_iter().flatten().collect();
                assert!(given.contains(text), "{name}: {given}");
            }
            Refused => {
                let refused = servers.admin.error(&format!("SELECT {call}"));
                assert_eq!(refused.code().code(), "0A000", "{name}: {refused}");
                assert!(refused.hint().is_some(), "{name}: it says what to do");
            }
        }
        // Disabled before it is enabled: there is something to take out.
        if *name == "current_subscriber" {
            servers.admin.run("SELECT enable_realtime()");
        }
    }
}

fn given(admin: &mut Session, name: &str, call: &str) -> String {
    let query = format!("SELECT coalesce(({call})::text, 'null')").replace("CANDLES", CANDLES);
    match name {
        "abandon_table" | "dump_user_additions" | "grant_realtime_access" => {
            let rows: Vec<String> = admin.list(&format!("SELECT {call}::text"));
            rows.concat()
        }
        _ => admin.one(&query),
    }
}
