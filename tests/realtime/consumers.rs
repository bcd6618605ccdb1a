//! Programs that follow user_signals by logical replication, each from its own package. Killed in
//! the middle of a stream and started again, each ends with exactly the rows of the table.

mod pgoutput;

use signal_hub_harness::cluster::{Cluster, POSTGRES, Stop};
use signal_hub_harness::scene::{SOON, subscribe, user};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::Shop;
use signal_hub_harness::target;
use signal_hub_harness::wait::eventually;
use std::fs::{self, File};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Subscribers, who all get every signal.
const CROWD: u32 = 250;

/// Signals that are delivered while a program follows.
const SIGNALS: usize = 18;

/// Rows to receive, without those that are sent again because they were marked.
const ROWS: usize = SIGNALS * CROWD as usize;

/// Long enough for a program to start and to receive everything.
const LATER: Duration = Duration::from_secs(120);

/// The slot a program reads.
const SLOT: &str = "follower";

/// A program that writes what it receives to standard output.
struct Follower {
    plugin: &'static str,
    /// Starts it again on its slot, where it stopped.
    command: fn(&Cluster) -> Command,
    /// The rows of its output as JSON objects, complete ones only, in their order.
    rows: fn(&[u8]) -> Vec<String>,
}

/// The starts of a program; each has its own output file.
struct Runs {
    files: Vec<PathBuf>,
    running: Child,
}

impl Runs {
    fn start(follower: &Follower, cluster: &Cluster) -> Self {
        let (file, running) = start(follower, cluster, 0);
        Self {
            files: vec![file],
            running,
        }
    }

    /// Starts it again after its end.
    fn start_again(&mut self, follower: &Follower, cluster: &Cluster) {
        let (file, running) = start(follower, cluster, self.files.len());
        self.files.push(file);
        self.running = running;
    }

    /// Kills it with SIGKILL.
    fn end(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }

    fn rows(&self, follower: &Follower) -> Vec<String> {
        let outputs = self
            .files
            .iter()
            .map(|file| fs::read(file).unwrap_or_default());
        outputs
            .flat_map(|output| (follower.rows)(&output))
            .collect()
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.end();
    }
}

fn start(follower: &Follower, cluster: &Cluster, number: usize) -> (PathBuf, Child) {
    let path = cluster.folder().join(format!("followed-{number}"));
    let file = File::create(&path).expect("the folder is ours");
    let mut command = (follower.command)(cluster);
    let child = command.stdin(Stdio::null()).stdout(file).spawn();
    (
        path,
        child.unwrap_or_else(|error| panic!("{command:?}: {error}")),
    )
}

/// Checks that a program follows, is killed twice in the middle, and misses nothing.
fn follows(follower: &Follower) {
    let mut shop = published();
    allow_plugin(&mut shop.admin, follower.plugin);
    shop.admin.run(&format!(
        "SELECT pg_create_logical_replication_slot('{SLOT}', '{}')",
        follower.plugin
    ));
    let mut reader = shop.cluster.session(POSTGRES);
    let begun: String = reader.one("SELECT confirmed_flush_lsn::text FROM pg_replication_slots");
    let confirmed = format!("SELECT confirmed_flush_lsn > '{begun}' FROM pg_replication_slots");
    let free = format!("SELECT NOT active FROM pg_replication_slots WHERE slot_name = '{SLOT}'");
    while_signals_flow(&mut shop, |cluster, killed_twice| {
        let mut runs = Runs::start(follower, cluster);
        for rows in [1, ROWS / 3] {
            // The second time it has confirmed some rows, and the server does not send them
            // again.
            eventually(SOON, "the program receives rows", || {
                runs.rows(follower).len() >= rows && (rows == 1 || reader.one::<bool>(&confirmed))
            });
            runs.end();
            // A slot that is in use refuses another reader.
            eventually(SOON, "the server has noticed", || reader.one::<bool>(&free));
            runs.start_again(follower, cluster);
        }
        killed_twice();
        eventually(LATER, "the program has every row as it is", || {
            let received = runs.rows(follower);
            received.len() >= ROWS && differences(&mut reader, &received) == 0
        });
        runs
    });
    // Nothing more arrived once the program had everything.
    assert_eq!(
        reader.one::<i64>("SELECT count(*) FROM user_signals"),
        ROWS as i64
    );
}

/// Delivers signals and marks some rows while `story` runs. The last third waits until the story
/// has killed what it kills, so that this never happens at the end.
fn while_signals_flow<T>(shop: &mut Shop, story: impl FnOnce(&mut Cluster, &dyn Fn()) -> T) -> T {
    let Shop {
        cluster,
        admin,
        market,
    } = shop;
    let (sender, killed) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            for signal in 0..SIGNALS {
                if signal == SIGNALS * 2 / 3 {
                    // An error means that the story failed.
                    let _ = killed.recv();
                }
                market.turn();
                admin.run("SELECT generate_signals_now()");
                admin.run(&format!(
                    "UPDATE user_signals SET viewed = true, clicked = signal_id % 2 = 0 WHERE user_id IN ('{}', '{}')",
                    user(1),
                    user(signal as u32)
                ));
            }
        });
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            story(cluster, &|| sender.send(()).expect("the signals wait"))
        }));
        drop(sender);
        outcome.unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// A shop that publishes to a crowd of subscribers.
fn published() -> Shop {
    let mut shop = Shop::open();
    subscribe(&mut shop.admin, "MAX", 4, CROWD);
    shop.admin.run("SELECT enable_realtime()");
    shop
}

/// Some minor releases of PostgreSQL refuse output plugins that a setting does not name.
fn allow_plugin(admin: &mut Session, plugin: &str) {
    let setting = admin
        .list::<String>("SELECT setting FROM pg_settings WHERE name = 'output_plugin_libraries'");
    if let Some(allowed) = setting.first().filter(|allowed| !allowed.contains(plugin)) {
        admin.run(&format!(
            "ALTER SYSTEM SET output_plugin_libraries = {allowed}, {plugin}"
        ));
        admin.run("SELECT pg_reload_conf()");
        eventually(SOON, "the plugin is allowed", || {
            admin
                .one::<String>("SHOW output_plugin_libraries")
                .contains(plugin)
        });
    }
}

/// How many rows differ between the table and the last version that was received of each row, or
/// are on one side only. Values are compared by their types.
fn differences(session: &mut Session, received: &[String]) -> i64 {
    session.run(
        "CREATE TEMP TABLE IF NOT EXISTS received (number bigint GENERATED ALWAYS AS IDENTITY, line jsonb);
         TRUNCATE received",
    );
    for lines in received.chunks(1000) {
        let values: Vec<String> = lines
            .iter()
            .map(|line| format!("('{}')", line.replace('\'', "''")))
            .collect();
        session.run(&format!(
            "INSERT INTO received (line) VALUES {}",
            values.join(",")
        ));
    }
    session.one(
        "WITH rows AS (
             SELECT r.number, jsonb_populate_record(NULL::user_signals,
                        r.line || CASE jsonb_typeof(r.line -> 'metadata') WHEN 'string'
                                  THEN jsonb_build_object('metadata', (r.line ->> 'metadata')::jsonb) ELSE '{}' END) AS row
               FROM received r
         ), last AS (
             SELECT DISTINCT ON ((row).user_id, (row).signal_id) row FROM rows
              ORDER BY (row).user_id, (row).signal_id, number DESC
         )
         SELECT count(*) FROM last FULL JOIN user_signals s
             ON (row).user_id = s.user_id AND (row).signal_id = s.signal_id
          WHERE row IS DISTINCT FROM s",
    )
}

fn pg_recvlogical(cluster: &Cluster) -> Command {
    let mut command = cluster.tool("pg_recvlogical");
    command.args([
        "--dbname",
        POSTGRES,
        "--slot",
        SLOT,
        "--start",
        "--file=-",
        "--fsync-interval=1",
        "--status-interval=1",
    ]);
    command
}

#[test]
fn pg_recvlogical_follows_by_pgoutput() {
    follows(&Follower {
        plugin: "pgoutput",
        command: |cluster| {
            let mut command = pg_recvlogical(cluster);
            command.args([
                "--option=proto_version=1",
                "--option=publication_names=signal_hub",
            ]);
            command
        },
        rows: |output| pgoutput::rows(output, b"\n"),
    });
}

#[test]
fn pg_recvlogical_follows_by_wal2json() {
    follows(&Follower {
        plugin: "wal2json",
        command: |cluster| {
            let mut command = pg_recvlogical(cluster);
            command.args([
                "--option=format-version=2",
                "--option=include-transaction=false",
            ]);
            command.arg("--option=add-tables=public.user_signals");
            command
        },
        rows: |output| {
            let changes = whole_lines(output).into_iter().map(|line| {
                let change: serde_json::Value =
                    serde_json::from_str(&line).expect("wal2json writes JSON");
                let columns = change["columns"]
                    .as_array()
                    .expect("inserts and updates have columns");
                let row: serde_json::Map<String, serde_json::Value> = columns
                    .iter()
                    .map(|column| {
                        (
                            column["name"].as_str().unwrap_or_default().to_owned(),
                            column["value"].clone(),
                        )
                    })
                    .collect();
                serde_json::Value::from(row).to_string()
            });
            changes.collect()
        },
    });
}

#[test]
fn python_psycopg2_follows() {
    follows(&Follower {
        plugin: "pgoutput",
        // Debian's package is for this interpreter.
        command: |cluster| script("/usr/bin/python3", "follow.py", cluster),
        rows: whole_lines,
    });
}

#[test]
fn rust_pgwire_replication_follows() {
    follows(&Follower {
        plugin: "pgoutput",
        command: |cluster| {
            let mut command = Command::new(target::example("follow"));
            command.args([&port(cluster), SLOT]);
            command
        },
        rows: |output| pgoutput::rows(output, b"\n"),
    });
}

#[test]
fn node_pg_logical_replication_follows() {
    follows(&Follower {
        plugin: "pgoutput",
        command: |cluster| script("node", "node/follow.mjs", cluster),
        rows: whole_lines,
    });
}

/// A program in tests/realtime/consumers, which gets the port and the slot as arguments.
fn script(interpreter: &str, file: &str, cluster: &Cluster) -> Command {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("realtime/consumers");
    let mut command = Command::new(interpreter);
    command.arg(folder.join(file)).args([&port(cluster), SLOT]);
    command
}

fn port(cluster: &Cluster) -> String {
    cluster.session(POSTGRES).one("SHOW port")
}

/// The complete lines: the program may have been killed while it wrote the last one.
fn whole_lines(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    text[..end].lines().map(str::to_owned).collect()
}

#[test]
fn a_subscription_of_another_server_follows() {
    let mut shop = published();
    let port: String = shop.admin.one("SHOW port");
    let Shop {
        cluster: mut copy, ..
    } = Shop::open();
    let mut reader = copy.session(POSTGRES);
    reader.run(&format!(
        "CREATE SUBSCRIPTION copy CONNECTION 'host=127.0.0.1 port={port} user=postgres dbname={POSTGRES}' PUBLICATION signal_hub"
    ));
    let mut original = shop.cluster.session(POSTGRES);
    let content = "SELECT s::text FROM user_signals s ORDER BY user_id, signal_id";
    while_signals_flow(&mut shop, |_, killed_twice| {
        for rows in [1, ROWS / 3] {
            eventually(SOON, "rows arrive", || {
                reader.one::<i64>("SELECT count(*) FROM user_signals") >= rows as i64
            });
            copy.stop(Stop::Immediate);
            copy.start();
            reader = copy.session(POSTGRES);
        }
        killed_twice();
        eventually(LATER, "the copy is the original", || {
            let copied = reader.list::<String>(content);
            copied.len() == ROWS && copied == original.list::<String>(content)
        });
    });
    reader.run("DROP SUBSCRIPTION copy");
}
