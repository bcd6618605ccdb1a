//! Every server setting of the extension: private statics behind typed accessors.
//!
//! All of them reload with SIGHUP. None can be set by a session: one database's worker serves
//! everybody in it.
//!
//! A text that cannot be used is refused where somebody sets it, by ALTER SYSTEM. In a file it is
//! taken as it is: were it refused there, PostgreSQL would go on with the default, which purges
//! what somebody meant to keep, or asks an exchange that nobody chose. [`troubles`] says what
//! cannot be used and what follows from it.

mod checks;
mod exchanges;
mod retention;

pub use exchanges::Configured;

use crate::postgres::process;
use checks::{
    check_exchange_url, check_exchanges, check_http_proxy, check_run_retention,
    check_signal_retention,
};
use market::{Endpoint, Exchange};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::prelude::*;
use retention::{DAY, MINUTE, parse_retention};
use rust_decimal::Decimal;
use std::ffi::{CStr, CString, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static INTERVAL_S: GucSetting<i32> = GucSetting::<i32>::new(30);
static EXCHANGE_URL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"https://data-api.binance.vision"));
static EXCHANGES: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"binance"));
static HTTP_TIMEOUT_MS: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static HTTP_MAX_BODY_KB: GucSetting<i32> = GucSetting::<i32>::new(4096);
static CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static HTTP_PROXY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static DELIVERY_BATCH: GucSetting<i32> = GucSetting::<i32>::new(1000);
static DELIVERY_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(1);
static SETTLE_REQUESTS_PER_RUN: GucSetting<i32> = GucSetting::<i32>::new(10);
static FEE_PERCENT: GucSetting<f64> = GucSetting::<f64>::new(0.1);
static RUN_RETENTION: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"30d"));
static SIGNAL_RETENTION: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"90d"));

/// Whether the settings are being registered: their values in files are read then.
static DEFINING: AtomicBool = AtomicBool::new(false);
/// Whether a file has a value of `signal_hub.enabled` that is no boolean.
static ENABLED_IS_UNREADABLE: AtomicBool = AtomicBool::new(false);

/// Whether the worker runs cycles; `generate_signals_now()` works regardless.
pub fn enabled() -> bool {
    ENABLED.get() && !ENABLED_IS_UNREADABLE.load(Ordering::Relaxed)
}

/// Time from the start of one run to the start of the next.
pub fn interval() -> Duration {
    Duration::from_secs(INTERVAL_S.get().max(1) as u64)
}

/// The exchanges that tickers come from, in the order of preference, at least one.
///
/// # Errors
/// Why `signal_hub.exchanges` cannot be used; then none is asked.
pub fn exchanges() -> Result<Vec<Configured>, String> {
    let list = text(&EXCHANGES);
    let entries = exchanges::parse(&list)?;
    let mut of_the_first = Some(text(&EXCHANGE_URL));
    let configured = entries.into_iter().map(|(exchange, url)| {
        let own = exchange.base_url();
        // The default is a host of the one exchange that speaks to it.
        let of_the_first = of_the_first
            .take()
            .filter(|url| *url != market::BINANCE.base_url() || own == url);
        let base_url = url.map(str::to_owned).or(of_the_first);
        Configured {
            exchange,
            endpoint: endpoint(base_url.unwrap_or_else(|| own.to_owned())),
        }
    });
    Ok(configured.collect())
}

fn endpoint(base_url: String) -> Endpoint {
    Endpoint {
        base_url,
        timeout: http_timeout(),
        max_body: HTTP_MAX_BODY_KB.get() as u64 * 1024,
        ca_file: Some(text(&CA_FILE)).filter(|path| !path.is_empty()),
        http_proxy: Some(text(&HTTP_PROXY)).filter(|url| !url.is_empty()),
    }
}

/// Longest time that one fetch may take in all, whoever is asked.
pub fn http_timeout() -> Duration {
    Duration::from_millis(HTTP_TIMEOUT_MS.get() as u64)
}

/// Subscribers per transaction of the fan-out.
pub fn delivery_batch() -> i64 {
    DELIVERY_BATCH.get().into()
}

/// Processes that share a long fan-out, the worker included.
pub fn delivery_workers() -> i32 {
    DELIVERY_WORKERS.get()
}

/// Most requests for candles in one run, which settle outcomes.
pub fn settle_requests_per_run() -> usize {
    SETTLE_REQUESTS_PER_RUN.get().max(1) as usize
}

/// What a trade costs, in percent of the price, once for the entry and once for the exit.
pub fn fee_percent() -> Decimal {
    // The shortest decimal that is this binary fraction: what was written in the file.
    Decimal::from_str_exact(&FEE_PERCENT.get().to_string()).unwrap_or_default()
}

/// Age at which rows of `signal_runs` are purged; `None` keeps them.
pub fn run_retention() -> Option<Duration> {
    parse_retention(&text(&RUN_RETENTION), MINUTE).unwrap_or(None)
}

/// Age at which signals and their deliveries are purged; `None` keeps them.
pub fn signal_retention() -> Option<Duration> {
    parse_retention(&text(&SIGNAL_RETENTION), DAY).unwrap_or(None)
}

/// What is wrong with settings in files, what follows from it, and what to do; `None` when nothing
/// is.
pub fn troubles() -> Option<String> {
    let retentions = [
        ("run_retention", &RUN_RETENTION, MINUTE, "no history"),
        ("signal_retention", &SIGNAL_RETENTION, DAY, "no signal"),
    ];
    let retentions = retentions.into_iter().filter_map(|(name, setting, least, what)| {
        let value = text(setting);
        let reason = parse_retention(&value, least).err()?;
        Some(format!(
            "{what} is purged, since signal_hub.{name} = '{value}' cannot be used: {reason}; write \
             a number with its unit, such as '90d', or 0 to keep everything, and reload"
        ))
    });
    let enabled = ENABLED_IS_UNREADABLE.load(Ordering::Relaxed).then(|| {
        "no run begins, since signal_hub.enabled is neither on nor off: set one of them and reload"
            .to_owned()
    });
    let exchanges = exchanges::parse(&text(&EXCHANGES)).err().map(|reason| {
        format!("no exchange is asked, since signal_hub.exchanges cannot be used: {reason}; correct it and reload")
    });
    let troubles: Vec<String> = enabled
        .into_iter()
        .chain(exchanges)
        .chain(retentions)
        .collect();
    (!troubles.is_empty()).then(|| troubles.join("; "))
}

fn text(setting: &'static GucSetting<Option<CString>>) -> String {
    setting
        .get()
        .map(|value| value.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Registers the settings, then reserves the prefix so that a typo is refused.
pub fn define() {
    DEFINING.store(true, Ordering::Relaxed);
    // Read before it is replaced: PostgreSQL would go on with the default, which is on.
    let enabled = process::setting(c"signal_hub.enabled");
    // SAFETY: the hook only writes to an atomic.
    unsafe {
        GucRegistry::define_bool_guc_with_hooks(
            c"signal_hub.enabled",
            c"Generates signals every signal_hub.interval.",
            c"When off, workers stay up but begin no run; a fan-out under way is finished. generate_signals_now() works regardless.",
            &ENABLED,
            GucContext::Sighup,
            GucFlags::default(),
            None,
            Some(enabled_was_read),
            None,
        );
    }
    ENABLED_IS_UNREADABLE.store(
        enabled.is_some_and(|value| !process::is_boolean(&value)),
        Ordering::Relaxed,
    );
    GucRegistry::define_int_guc(
        c"signal_hub.interval",
        c"Time from the start of one run to the start of the next.",
        c"Runs keep this rate whatever they take; one that overruns skips beats.",
        &INTERVAL_S,
        1,
        24 * 60 * 60,
        GucContext::Sighup,
        GucFlags::UNIT_S,
    );
    // SAFETY: the hook is guarded against panics and keeps no reference.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"signal_hub.exchange_url",
            c"Base URL of the first exchange of signal_hub.exchanges, unless that has one.",
            c"It must speak that exchange's REST interface. https, or http to this machine's loopback. The default is ignored where the first is not binance.",
            &EXCHANGE_URL,
            GucContext::Sighup,
            GucFlags::SUPERUSER_ONLY,
            Some(check_exchange_url),
            None,
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"signal_hub.exchanges",
            c"Exchanges that tickers come from, in the order of preference.",
            c"When the first one fails or says stop, the next is asked in the same run. A name may be followed by =URL, another base URL of the exchange.",
            &EXCHANGES,
            GucContext::Sighup,
            GucFlags::SUPERUSER_ONLY,
            Some(check_exchanges),
            None,
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"signal_hub.http_proxy",
            c"Proxy through which exchanges are asked, as http://host:port.",
            c"It may hold a user name and a password. Empty asks directly, as http to this machine's loopback always does; variables of the environment count for nothing.",
            &HTTP_PROXY,
            GucContext::Sighup,
            GucFlags::SUPERUSER_ONLY,
            Some(check_http_proxy),
            None,
            None,
        );
    }
    GucRegistry::define_int_guc(
        c"signal_hub.http_timeout",
        c"Longest time one fetch from the exchange may take in all.",
        c"Includes name resolution, connecting, and reading the whole reply.",
        &HTTP_TIMEOUT_MS,
        100,
        5 * 60 * 1000,
        GucContext::Sighup,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"signal_hub.http_max_body",
        c"Largest reply accepted from the exchange.",
        c"A longer one is refused while it is read. All symbols of a large exchange take 1.3 MB.",
        &HTTP_MAX_BODY_KB,
        16,
        64 * 1024,
        GucContext::Sighup,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_string_guc(
        c"signal_hub.ca_file",
        c"File of certificate authorities (PEM) to trust for the exchange.",
        c"Empty trusts the authorities of the operating system.",
        &CA_FILE,
        GucContext::Sighup,
        GucFlags::SUPERUSER_ONLY,
    );
    GucRegistry::define_int_guc(
        c"signal_hub.delivery_batch",
        c"Subscribers served in one transaction of the fan-out.",
        c"Small batches show the first rows sooner and hold other realtime clients up less; large ones cost less in all. A fan-out under way takes up a change with its next batch.",
        &DELIVERY_BATCH,
        1,
        100_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"signal_hub.delivery_workers",
        c"Processes that share a long fan-out, the worker included.",
        c"Each beyond the first takes one of max_worker_processes while the fan-out lasts. A change counts for fan-outs that begin after it.",
        &DELIVERY_WORKERS,
        1,
        16,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"signal_hub.settle_requests_per_run",
        c"Requests for candles in one run, which settle outcomes.",
        c"A signal of four hours takes one to four, each with a weight of 2. What is left over is settled after the next run.",
        &SETTLE_REQUESTS_PER_RUN,
        1,
        1000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"signal_hub.fee_percent",
        c"What a trade costs, in percent of the price.",
        c"It is taken off the returns of outcomes once for the entry and once for the exit. A change counts for what is settled after it.",
        &FEE_PERCENT,
        0.0,
        10.0,
        GucContext::Sighup,
        GucFlags::default(),
    );
    // SAFETY: the hooks are guarded against panics and keep no reference.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"signal_hub.run_retention",
            c"Age at which rows of signal_runs are purged: a number with a unit (ms, s, min, h, d).",
            c"0 keeps them for ever. The purge goes with the worker's runs, in small batches.",
            &RUN_RETENTION,
            GucContext::Sighup,
            GucFlags::default(),
            Some(check_run_retention),
            None,
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"signal_hub.signal_retention",
            c"Age at which signals and their deliveries are purged: a number with a unit (ms, s, min, h, d).",
            c"At least a day; 0 keeps them for ever. Give it longer than your signals live (lifetime in signal_rules), or those that are still valid go, too. The worker purges in small batches. Age is measured by the last time at which the exchange's clock agreed with this server's.",
            &SIGNAL_RETENTION,
            GucContext::Sighup,
            GucFlags::default(),
            Some(check_signal_retention),
            None,
            None,
        );
    }
    reserve_setting_prefix(c"signal_hub");
    DEFINING.store(false, Ordering::Relaxed);
}

/// Called when a file has a value that PostgreSQL could read.
unsafe extern "C-unwind" fn enabled_was_read(_value: bool, _extra: *mut c_void) {
    ENABLED_IS_UNREADABLE.store(false, Ordering::Relaxed);
}

/// Makes settings under `prefix` that nobody defined an error.
fn reserve_setting_prefix(prefix: &CStr) {
    // SAFETY: the string outlives the call, which copies it.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) }
}
