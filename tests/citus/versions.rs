//! Updates reach all servers: from a release that knew nothing of them, and of tables that are
//! sharded.

use install_scripts::part::Part;
use install_scripts::sources::{Frozen, Update};
use install_scripts::{scripts, sources};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::cluster::binaries::{output, program};
use signal_hub_harness::nodes::Servers;
use signal_hub_harness::scene::{FLIPS_AT_ONCE, SOON, subscribe};
use signal_hub_harness::wait::eventually;
use std::fs;
use std::path::{Path, PathBuf};

const SUBSCRIBERS: u32 = 500;

const VERSION: &str = "SELECT extversion FROM pg_extension WHERE extname = 'signal_hub'";

/// One signal, and everybody's row of it, as release 0.2.0 left them.
const DELIVERED: &str = "
    INSERT INTO signal_runs (trigger, status, started_at, finished_at, symbols_evaluated, signals_generated,
                             deliveries)
    SELECT 'worker', 'ok', now(), now(), 10, 1, count(*) FROM user_subscriptions;
    INSERT INTO signals (run_id, strategy, symbol, signal_type, reason, why, confidence, quality_score,
                         entry_price, take_profit, stop_loss, expires_at, price_change_percent,
                         last_price, open_price, high_price, low_price, bid_price, ask_price,
                         weighted_average_price, base_volume, quote_volume, trade_count, open_time, close_time,
                         gates, delivered_tiers, deliveries, delivered_at, created_at)
    SELECT run_id, 'momentum', 'LTCUSDT', 'LONG', 'entered', 'by hand', 35, 80, 100, '{101,102}', 97.5,
           now() + interval '4 hours', 3.5, 100, 96.6, 101, 96, 99.9, 100.1, 99, 50000, 5000000, 12345,
           now() - interval '1 day', now(), '[]', '{MAX}', deliveries, now(), now() FROM signal_runs;
    INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score, entry_price,
                              take_profit, stop_loss, expires_at, full_details, metadata)
    SELECT u.user_id, g.signal_id, 'MAX', g.symbol, g.signal_type, g.confidence, g.quality_score, g.entry_price,
           g.take_profit, g.stop_loss, g.expires_at, true, '{}'
      FROM signals g CROSS JOIN user_subscriptions u";

#[test]
fn an_installation_of_the_release_before_is_updated_on_all_servers_and_moves_to_the_nodes() {
    let Some(mut servers) = Servers::without_extension(2, &[]) else {
        return;
    };
    servers.admin.run(
        "CREATE EXTENSION signal_hub VERSION '0.2.0'; UPDATE signal_tiers SET daily_quota = NULL",
    );
    subscribe(&mut servers.admin, "MAX", 1, SUBSCRIBERS);
    servers.admin.run(DELIVERED);
    servers.admin.run("ALTER EXTENSION signal_hub UPDATE");
    same_version_everywhere(&mut servers);
    servers.admin.run(FLIPS_AT_ONCE);
    let admin = &mut servers.admin;
    eventually(SOON, "nothing is under way", || {
        admin.try_list::<String>("SELECT enable_citus()").ok()
    });
    servers.turn();
    servers.wait_for_signals(2);
    servers.everybody_has_each_once(SUBSCRIBERS.into(), 2);
    drops(&mut servers);
}

/// Files beside those of the extension, until this is dropped.
struct Files(Vec<PathBuf>);

impl Files {
    fn write(&mut self, name: &str, text: &str) {
        let folder = output(program("pg_config").arg("--sharedir"));
        let file = Path::new(&folder).join("extension").join(name);
        fs::write(&file, text).expect("whoever installed the extension can write there");
        self.0.push(file);
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = fs::remove_file(file);
        }
    }
}

/// All that an update from this version to a later one does which changes nothing, and a column.
fn update_to_a_later_version(version: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql");
    let mut sources = sources::read(&folder).expect("the parts are in order");
    sources.frozen.push(Frozen {
        file: folder.clone(),
        name: format!("signal_hub--{version}.sql"),
        text: scripts::install(&sources),
    });
    let column = Part::of_update(
        Path::new("16_column.sql"),
        "DO $$
BEGIN
    -- Citus hands this on to the nodes.
    IF NOT @extschema@.signal_hub_is_node() THEN
        ALTER TABLE @extschema@.user_signals ADD COLUMN later text;
    END IF;
END
$$;
",
    );
    let update = Update {
        folder,
        from: version.to_owned(),
        to: "99.0.0".to_owned(),
        parts: vec![column.expect("a part")],
    };
    scripts::update(&sources, &update, "99.0.0").expect("a script")
}

#[test]
fn an_update_of_sharded_tables_reaches_every_shard_once() {
    let Some(mut servers) = Servers::start() else {
        return;
    };
    let version: String = servers.admin.one(VERSION);
    subscribe(&mut servers.admin, "MAX", 1, SUBSCRIBERS);
    servers.shard();
    servers.turn();
    servers.wait_for_signals(1);
    let mut files = Files(Vec::new());
    // There, and back with all that an update does: the library has this version.
    files.write(&format!("signal_hub--{version}--away.sql"), "");
    files.write(
        &format!("signal_hub--away--{version}.sql"),
        &update_to_a_later_version(&version),
    );
    servers
        .admin
        .run("ALTER EXTENSION signal_hub UPDATE TO 'away'");
    servers
        .admin
        .run(&format!("ALTER EXTENSION signal_hub UPDATE TO '{version}'"));
    drop(files);
    same_version_everywhere(&mut servers);
    servers.admin.run("UPDATE user_signals SET later = 'x'");
    servers.turn();
    servers.wait_for_signals(2);
    servers.everybody_has_each_once(SUBSCRIBERS.into(), 2);
    let admin = &mut servers.admin;
    eventually(SOON, "all is well", || {
        admin.one::<bool>("SELECT state = 'running' FROM signal_health")
    });
    drops(&mut servers);
}

#[track_caller]
fn same_version_everywhere(servers: &mut Servers) {
    let here: String = servers.admin.one(VERSION);
    for node in &servers.nodes {
        assert_eq!(node.session(POSTGRES).one::<String>(VERSION), here);
    }
}

/// The way back, and nothing is left on any server.
fn drops(servers: &mut Servers) {
    let admin = &mut servers.admin;
    eventually(SOON, "nothing is under way", || {
        admin.try_list::<String>("SELECT disable_citus()").ok()
    });
    servers.admin.run("DROP EXTENSION signal_hub");
    let left = "SELECT coalesce(string_agg(c.oid::regclass::text, ' '), '') FROM pg_class c
                 WHERE c.relnamespace = 'public'::regnamespace AND c.relname !~ '^citus_'";
    let functions = "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                      WHERE n.nspname = 'public' AND p.proname !~ '^citus_'";
    let types = "SELECT count(*) FROM pg_event_trigger WHERE evtname ~ 'signal_hub'";
    let mut sessions = vec![servers.coordinator.session(POSTGRES)];
    sessions.extend(servers.nodes.iter().map(|node| node.session(POSTGRES)));
    for session in &mut sessions {
        session.run("SET citus.show_shards_for_app_name_prefixes = '*'");
        assert_eq!(session.one::<String>(left), "");
        assert_eq!(session.one::<i64>(functions), 0);
        assert_eq!(session.one::<i64>(types), 0);
    }
}
