//! Numbers for operators, in the text format of Prometheus.

use super::histogram::Histogram;
use super::{App, UP};
use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is counted here; the fan-out counts the rest itself.
#[derive(Default)]
pub struct Metrics {
    /// Rows of user_signals in the replication stream.
    pub rows: AtomicU64,
    /// Rows of signal_outcomes in it.
    pub outcomes: AtomicU64,
    /// When the last row of user_signals came, in milliseconds since 1970; 0 before the first.
    pub last_row: AtomicU64,
    /// Bytes of the log that are not confirmed yet; -1 means unknown.
    pub lag: AtomicI64,
    /// How many times the replication stream was started.
    pub connections: AtomicU64,
    /// From the commit of a signal to its handing over to a client's connection.
    pub commit_to_sent: Histogram,
    /// Messages to the webhook.
    pub alerts: AlertCounts,
    /// When the monitor last came round.
    round: Mutex<Option<Instant>>,
}

/// What became of messages to the webhook.
#[derive(Default)]
pub struct AlertCounts {
    pub sent: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
    /// 1 while one is still to be sent.
    pub pending: AtomicU64,
}

impl Metrics {
    /// The monitor came round.
    pub fn count_round(&self) {
        *self.round.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// For how long it has not; nothing before its first round.
    pub fn since_last_round(&self) -> Duration {
        let round = *self.round.lock().unwrap_or_else(PoisonError::into_inner);
        round.map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// Counts rows that were received just now.
    pub fn count_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_millis() as u64);
        self.last_row.store(now, Ordering::Relaxed);
    }
}

/// All numbers, as text.
pub fn text(app: &App) -> String {
    let (metrics, fan_out, push) = (&app.metrics, &app.fan_out, app.push.as_deref());
    let count = |value: &AtomicU64| value.load(Ordering::Relaxed) as f64;
    let lag = metrics.lag.load(Ordering::Relaxed);
    let mut out = String::new();
    let mut add = |name: &str, kind: &str, help: &str, value: f64| {
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "# HELP signal_hub_live_{name} {help}\n# TYPE signal_hub_live_{name} {kind}\nsignal_hub_live_{name} {value}"
        );
    };
    add(
        "clients",
        "gauge",
        "Streams that are open.",
        fan_out.clients() as f64,
    );
    add(
        "events_total",
        "counter",
        "Signals, marks and outcomes queued for clients.",
        fan_out.queued() as f64,
    );
    add(
        "clients_dropped_total",
        "counter",
        "Clients dropped because they were too slow.",
        fan_out.dropped() as f64,
    );
    add(
        "rows_total",
        "counter",
        "Rows of user_signals received by replication.",
        count(&metrics.rows),
    );
    add(
        "outcomes_total",
        "counter",
        "Rows of signal_outcomes received by replication.",
        count(&metrics.outcomes),
    );
    add(
        "last_row_timestamp_seconds",
        "gauge",
        "When the last row was received; 0 before the first.",
        count(&metrics.last_row) / 1000.0,
    );
    add(
        "replication_connected",
        "gauge",
        "Whether rows come by replication, and all of them.",
        flag(app.is_replicating()),
    );
    add(
        "replication_starts_total",
        "counter",
        "How many times the replication stream was started.",
        count(&metrics.connections),
    );
    add(
        "replication_lag_bytes",
        "gauge",
        "Write-ahead log not confirmed yet; -1 while the database cannot be asked.",
        lag as f64,
    );
    if let Some(push) = push {
        let numbers = push.numbers();
        add(
            "push_subscribers",
            "gauge",
            "Subscribers with push subscriptions.",
            push.known().count() as f64,
        );
        add(
            "push_sent_total",
            "counter",
            "Notifications that push services accepted.",
            count(&numbers.sent),
        );
        add(
            "push_failed_total",
            "counter",
            "Notifications that push services did not accept, or that found no room or came too late.",
            count(&numbers.failed),
        );
        add(
            "push_forgotten_total",
            "counter",
            "Push subscriptions that push services no longer know.",
            count(&numbers.forgotten),
        );
    }
    add(
        "database_up",
        "gauge",
        "Whether the database answers, to the service and to clients.",
        flag(*app.database_is.borrow() == UP),
    );
    add(
        "slot_held",
        "gauge",
        "Whether a process reads the slot, as far as the database was asked.",
        flag(app.log_report.borrow().is_some_and(|report| report.is_held)),
    );
    add(
        "alerts_sent_total",
        "counter",
        "Messages that the webhook took.",
        count(&metrics.alerts.sent),
    );
    add(
        "alert_failures_total",
        "counter",
        "Attempts to send a message to the webhook that failed.",
        count(&metrics.alerts.failed),
    );
    add(
        "alerts_pending",
        "gauge",
        "Whether a message is still to be sent.",
        count(&metrics.alerts.pending),
    );
    add(
        "resident_memory_bytes",
        "gauge",
        "Memory of this process.",
        resident().unwrap_or(0) as f64,
    );
    metrics.commit_to_sent.write(
        &mut out,
        "signal_hub_live_commit_to_sent_seconds",
        "From the commit of a signal to its handing over to the connection of a client.",
    );
    out
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}

/// Bytes of memory of this process, where proc(5) is mounted.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}
