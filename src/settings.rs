//! Every server setting of the extension: private statics behind typed accessors.
//!
//! All of them reload with SIGHUP. None can be set by a session: one database's worker serves
//! everybody in it.

use market::Endpoint;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::prelude::*;
use std::ffi::{CStr, CString, c_char, c_void};
use std::time::Duration;

/// Release of this library; the installed SQL objects must be of the same.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What signal_hub_build() returns where the SQL objects are of the same build; see build.rs.
pub const SQL_BUILD: &str = env!("SIGNAL_HUB_SQL_BUILD");

static ENABLED: GucSetting<bool> = GucSetting::<bool>::new(true);
static INTERVAL_S: GucSetting<i32> = GucSetting::<i32>::new(30);
static EXCHANGE_URL: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"https://data-api.binance.vision"));
static HTTP_TIMEOUT_MS: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static HTTP_MAX_BODY_KB: GucSetting<i32> = GucSetting::<i32>::new(4096);
static CA_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static DELIVERY_BATCH: GucSetting<i32> = GucSetting::<i32>::new(1000);
static DELIVERY_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(1);
static RUN_RETENTION_MIN: GucSetting<i32> = GucSetting::<i32>::new(30 * MINUTES_PER_DAY);
static SIGNAL_RETENTION_MIN: GucSetting<i32> = GucSetting::<i32>::new(90 * MINUTES_PER_DAY);

const MINUTES_PER_DAY: i32 = 24 * 60;

/// Whether the worker runs cycles; `generate_signals_now()` works regardless.
pub fn enabled() -> bool {
    ENABLED.get()
}

/// Time from the start of one run to the start of the next.
pub fn interval() -> Duration {
    Duration::from_secs(INTERVAL_S.get().max(1) as u64)
}

/// Where tickers come from, and the limits of asking.
pub fn endpoint() -> Endpoint {
    Endpoint {
        base_url: text(&EXCHANGE_URL),
        timeout: Duration::from_millis(HTTP_TIMEOUT_MS.get() as u64),
        max_body: HTTP_MAX_BODY_KB.get() as u64 * 1024,
        ca_file: Some(text(&CA_FILE)).filter(|path| !path.is_empty()),
    }
}

/// Subscribers per transaction of the fan-out.
pub fn delivery_batch() -> i64 {
    DELIVERY_BATCH.get().into()
}

/// Processes that share a long fan-out, the worker included.
pub fn delivery_workers() -> i32 {
    DELIVERY_WORKERS.get()
}

/// Age at which rows of `signal_runs` are purged.
pub fn run_retention() -> Duration {
    minutes(&RUN_RETENTION_MIN)
}

/// Age at which signals and their deliveries are purged; `None` keeps them.
pub fn signal_retention() -> Option<Duration> {
    Some(minutes(&SIGNAL_RETENTION_MIN)).filter(|age| !age.is_zero())
}

fn minutes(setting: &GucSetting<i32>) -> Duration {
    Duration::from_secs(setting.get() as u64 * 60)
}

fn text(setting: &'static GucSetting<Option<CString>>) -> String {
    setting
        .get()
        .map(|value| value.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Registers the settings, then reserves the prefix so that a typo is refused.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"signal_hub.enabled",
        c"Generates signals every signal_hub.interval.",
        c"When off, workers stay up but begin no run; a fan-out under way is finished. generate_signals_now() works regardless.",
        &ENABLED,
        GucContext::Sighup,
        GucFlags::default(),
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
            c"Base URL of the exchange's market-data interface.",
            c"It must speak Binance's spot REST interface. https, or http to this machine's loopback.",
            &EXCHANGE_URL,
            GucContext::Sighup,
            GucFlags::SUPERUSER_ONLY,
            Some(check_exchange_url),
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
        c"signal_hub.run_retention",
        c"Age at which rows of signal_runs are purged.",
        c"The purge goes with the worker's runs, in small batches.",
        &RUN_RETENTION_MIN,
        1,
        3650 * MINUTES_PER_DAY,
        GucContext::Sighup,
        GucFlags::UNIT_MIN,
    );
    GucRegistry::define_int_guc(
        c"signal_hub.signal_retention",
        c"Age at which signals and their deliveries are purged.",
        c"0 keeps them for ever. The worker purges in small batches. Age is measured by the last time at which the exchange's clock agreed with this server's.",
        &SIGNAL_RETENTION_MIN,
        0,
        3650 * MINUTES_PER_DAY,
        GucContext::Sighup,
        GucFlags::UNIT_MIN,
    );
    reserve_setting_prefix(c"signal_hub");
}

/// Refuses a URL the fetch would refuse, at the time it is set.
#[pg_guard]
unsafe extern "C-unwind" fn check_exchange_url(
    new_value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a pointer to a string or to NULL.
    let url = unsafe {
        let value = *new_value;
        if value.is_null() {
            return true;
        }
        CStr::from_ptr(value).to_string_lossy()
    };
    match market::check_url(&url) {
        Ok(()) => true,
        Err(error) => {
            set_setting_error_detail(&error.detail());
            false
        }
    }
}

/// Makes settings under `prefix` that nobody defined an error.
fn reserve_setting_prefix(prefix: &CStr) {
    // SAFETY: the string outlives the call, which copies it.
    unsafe { pg_sys::MarkGUCPrefixReserved(prefix.as_ptr()) }
}

/// DETAIL of the error that PostgreSQL raises when a setting's check fails.
fn set_setting_error_detail(detail: &str) {
    let detail = CString::new(detail.replace('\0', "")).unwrap_or_default();
    // SAFETY: the string is copied into PostgreSQL's memory, where the setting machinery expects
    // it.
    unsafe { pg_sys::GUC_check_errdetail_string = pg_sys::pstrdup(detail.as_ptr()) }
}
