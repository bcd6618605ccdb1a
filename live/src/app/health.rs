//! The last report of the generator, and the time by the clock of the database.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A report, and the difference of the clocks.
pub struct Health {
    /// A JSON object without the time; `None` before the first report.
    pub json: Option<String>,
    /// The database's clock minus this machine's, in seconds.
    pub offset: f64,
}

impl Health {
    /// Before the first report.
    pub fn unknown() -> Arc<Self> {
        Arc::new(Self {
            json: None,
            offset: 0.0,
        })
    }

    /// The database's time now, as in ISO 8601.
    pub fn server_time(&self) -> String {
        let now = UNIX_EPOCH + Duration::from_secs_f64((local_clock() + self.offset).max(0.0));
        humantime::format_rfc3339_micros(now).to_string()
    }

    /// The report with the present time, a JSON object.
    pub fn json(&self) -> String {
        let unknown = r#"{"state":"unknown","healthy":false,"message":"the database does not answer","last_run":null,"next_run":null,"last_signal_at":null}"#;
        let report = self.json.as_deref().unwrap_or(unknown);
        // The object is not empty, so another member can go in front.
        let members = report.strip_prefix('{').unwrap_or(report);
        format!("{{\"server_time\":\"{}\",{members}", self.server_time())
    }
}

/// This machine's time, in seconds since 1970.
pub fn local_clock() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64())
}
