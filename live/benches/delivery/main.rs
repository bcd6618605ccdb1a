//! From a commit to its subscriber's client, and what that costs, with fsync on:
//! `cargo bench -p signal_hub_live --bench delivery -- [single] [all] [fan_out] [strangers]`, or
//! `-- watchers [--subscribers N] [--watchers N] [--rounds N]` by itself.
//!
//! The extension must be installed in release mode (`./pgrx-install.sh`). The clients share the
//! machine with the server and the service. Nothing else should run beside them.

mod audience;
mod watchers;

use audience::Audience;
use signal_hub_harness::arena::{Arena, own_memory_kb};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::numbers::{line, median, ms, percentile, table};
use signal_hub_harness::service::Service;
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(300);
const CLIENTS: u32 = 1000;
/// Signals to one subscriber each.
const SINGLES: u32 = 2000;
/// Signals to all of them.
const TO_ALL: u32 = 50;
/// Subscribers of the large fan-out.
const CROWD: u32 = 100_000;
/// Rows for subscribers without a client.
const STRANGERS: u32 = 500_000;
/// Numbers of signals that no run makes.
const FIRST: i64 = 1_000_000_000;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    if wanted.iter().any(|one| one == "watchers") {
        let size = |option: &str, default: u32| {
            let mut after = wanted.iter().skip_while(|one| *one != option).skip(1);
            let given = after.next().map(|value| value.parse().expect("a number"));
            given.unwrap_or(default)
        };
        return watchers::measure(&watchers::Sizes {
            subscribers: size("--subscribers", 1_000_000),
            watchers: size("--watchers", 10_000),
            rounds: size("--rounds", 20),
        });
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let mut arena = Arena::new(CROWD);
    arena
        .session
        .run("CREATE ROLE authenticated; SELECT grant_realtime_access(); SELECT enable_realtime()");
    let mut service = Service::of(&arena.cluster, &mut arena.session);
    service.start(&["--create-slot"]);
    let empty = own_memory_kb(service.pid());
    let audience = Audience::gather(&service, CLIENTS);
    eventually(PATIENCE, "all clients are there", || {
        service.metric("clients") == f64::from(CLIENTS)
    });
    // Clients read a second time, some seconds after they connected.
    thread::sleep(Duration::from_secs(6));
    table("Memory of the service", &["clients", "MB", "kB per client"]);
    line(&[
        "0".into(),
        format!("{:.1}", empty as f64 / 1024.0),
        String::new(),
    ]);
    let full = own_memory_kb(service.pid());
    line(&[
        CLIENTS.to_string(),
        format!("{:.1}", full as f64 / 1024.0),
        format!("{:.1}", (full - empty) as f64 / f64::from(CLIENTS)),
    ]);
    let mut bench = Bench {
        writer: arena.cluster.session(POSTGRES),
        arena,
        service,
        audience,
        next: FIRST,
    };
    table(
        "From the commit to the client, ms",
        &[
            "what",
            "rows",
            "p50",
            "p99",
            "max",
            "processor of the service, microseconds per row",
        ],
    );
    if is_wanted("single") {
        bench.single();
    }
    if is_wanted("all") {
        bench.everybody();
    }
    if is_wanted("fan_out") {
        bench.beside_a_fan_out();
    }
    if is_wanted("strangers") {
        bench.strangers();
    }
}

/// Processor time that all threads of a process have used, in seconds.
fn processor_seconds(pid: i32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    let nanoseconds = threads.filter_map(|thread| {
        // The time of a thread that ends meanwhile is lost; threads of the service do not end.
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

struct Bench {
    writer: Session,
    arena: Arena,
    service: Service,
    audience: Audience,
    next: i64,
}

/// Adds a signal for the subscribers that `users`, a query of numbers, names.
fn insert(signal: i64, users: &str) -> String {
    format!(
        "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   entry_price, take_profit, stop_loss, expires_at, full_details, metadata)
         SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, {signal}, 'MAX', 'BTCUSDT', 'LONG', 35.5, 81.2,
                67998.42, '{{69018.40,70038.37,71398.34}}', 66978.44, now() + interval '4 hours', true,
                '{{\"generatedBy\": \"signal_hub\", \"strategy\": \"momentum\", \"reason\": \"entered\", \"why\": \"up 3.55 % in 24 hours, above 2 %\"}}'
           FROM {users} AS i"
    )
}

/// Commits a signal, and returns the moment at which the commit was asked for.
fn commit(session: &mut Session, signal: i64, users: &str) -> Instant {
    session.run(&format!("BEGIN; {}", insert(signal, users)));
    let asked = Instant::now();
    session.run("COMMIT");
    asked
}

impl Bench {
    fn numbers(&mut self, count: u32) -> std::ops::Range<i64> {
        let first = self.next;
        self.next += i64::from(count);
        first..self.next
    }

    fn report(&mut self, what: &str, delays: &[f64], processor: f64) {
        let number = |value: f64| format!("{value:.2}");
        line(&[
            what.to_owned(),
            delays.len().to_string(),
            number(median(delays)),
            number(percentile(delays, 99.0)),
            number(percentile(delays, 100.0)),
            format!("{:.1}", processor * 1e6 / delays.len() as f64),
        ]);
    }

    fn single(&mut self) {
        let mut random = fastrand::Rng::with_seed(1);
        let before = processor_seconds(self.service.pid());
        let mut committed = Vec::new();
        for signal in self.numbers(SINGLES) {
            let due = Instant::now() + Duration::from_millis(5);
            let one = random.u32(1..=CLIENTS);
            let at = commit(
                &mut self.writer,
                signal,
                &format!("generate_series({one}, {one})"),
            );
            committed.push((signal, at));
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let delays = self.audience.delays(&committed, 1);
        let processor = processor_seconds(self.service.pid()) - before;
        self.report("one row per commit, every 5 ms", &delays, processor);
    }

    fn everybody(&mut self) {
        let before = processor_seconds(self.service.pid());
        let mut committed = Vec::new();
        for signal in self.numbers(TO_ALL) {
            let at = commit(
                &mut self.writer,
                signal,
                &format!("generate_series(1, {CLIENTS})"),
            );
            committed.push((signal, at));
            thread::sleep(Duration::from_millis(100));
        }
        let delays = self.audience.delays(&committed, CLIENTS as usize);
        let processor = processor_seconds(self.service.pid()) - before;
        self.report(
            "1,000 rows per commit, one for each client",
            &delays,
            processor,
        );
    }

    fn beside_a_fan_out(&mut self) {
        for round in 0..3 {
            let stop = Arc::new(AtomicBool::new(false));
            let numbers = self.numbers(100_000);
            let mut session = self.arena.cluster.session(POSTGRES);
            let stopped = Arc::clone(&stop);
            let committing = thread::spawn(move || {
                let mut committed = Vec::new();
                for signal in numbers {
                    if stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    let due = Instant::now() + Duration::from_millis(5);
                    let at = commit(&mut session, signal, "generate_series(7, 7)");
                    committed.push((signal, at));
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                committed
            });
            let rows = self.service.metric("rows_total");
            let before = processor_seconds(self.service.pid());
            let turn = self.arena.turn(1);
            let began = Instant::now();
            eventually(PATIENCE, "the service has seen all rows", || {
                self.service.metric("rows_total") >= rows + f64::from(CROWD)
            });
            let late = began.elapsed();
            stop.store(true, Ordering::Relaxed);
            let all = committing.join().expect("no panic");
            let delays = self.audience.delays(&all, 1);
            let processor = processor_seconds(self.service.pid()) - before;
            let what = format!(
                "a row of somebody else every 5 ms beside a fan-out to 100,000 ({:.0} ms, the service {:.0} ms later), round {}",
                ms(turn.delivery),
                ms(late),
                round + 1
            );
            self.report(
                &what,
                &delays,
                processor * delays.len() as f64 / f64::from(CROWD),
            );
        }
    }

    fn strangers(&mut self) {
        let rows = self.service.metric("rows_total");
        let before = processor_seconds(self.service.pid());
        let signal = self.numbers(1).start;
        self.writer.run(&format!(
            "BEGIN; {}",
            insert(
                signal,
                &format!("generate_series(1000001, {})", 1_000_000 + STRANGERS)
            )
        ));
        let began = Instant::now();
        self.writer.run("COMMIT");
        eventually(PATIENCE, "the service has seen all rows", || {
            self.service.metric("rows_total") >= rows + f64::from(STRANGERS)
        });
        let took = began.elapsed().as_secs_f64();
        let processor = processor_seconds(self.service.pid()) - before;
        table(
            "Rows for nobody who is here, one transaction",
            &[
                "rows",
                "rows/s as the server sends them",
                "rows/s of one processor of the service",
            ],
        );
        line(&[
            STRANGERS.to_string(),
            format!("{:.0}", f64::from(STRANGERS) / took),
            format!("{:.0}", f64::from(STRANGERS) / processor),
        ]);
    }
}
