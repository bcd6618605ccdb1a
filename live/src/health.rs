//! What the generator says of itself, asked once for all clients; and the tasks that ask.

use crate::app::App;
use crate::database::Refusal;
use crate::error::say;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Between two questions while there are clients.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// And while there are none.
const ASK_IDLE: Duration = Duration::from_secs(15);

/// A report, and how to tell the database's time from it.
pub struct Health {
    /// A JSON object without the time; `None` before the first report.
    json: Option<String>,
    /// The database's clock minus this machine's, in seconds.
    offset: f64,
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
        let now = UNIX_EPOCH + Duration::from_secs_f64((here() + self.offset).max(0.0));
        humantime::format_rfc3339_micros(now).to_string()
    }

    /// The report with the time of now, a JSON object.
    pub fn json(&self) -> String {
        let unknown = r#"{"state":"unknown","healthy":false,"message":"the database does not answer","last_run":null,"next_run":null,"last_signal_at":null}"#;
        let report = self.json.as_deref().unwrap_or(unknown);
        let time = self.server_time();
        format!(
            "{},\"server_time\":\"{time}\"}}",
            report.trim_end_matches('}')
        )
    }
}

fn here() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64())
}

/// Asks for the generator's health and the lag of the slot, for ever.
pub async fn watch(app: Arc<App>) {
    let mut last: Option<Instant> = None;
    loop {
        let is_due = last.is_none_or(|last| last.elapsed() >= ASK_IDLE);
        if is_due || app.fan_out.clients() > 0 {
            last = Some(Instant::now());
            let asked = ask(&app).await;
            let was_up = app.database_is_up.swap(asked.is_ok(), Ordering::Relaxed);
            match asked {
                Ok(()) if !was_up => say("the database answers again"),
                Err(why) => {
                    forget(&app);
                    if was_up {
                        say(format!("the database is away: {why}"));
                    }
                }
                Ok(()) => {}
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn ask(app: &App) -> Result<(), Refusal> {
    let report = app.database.health().await?;
    let offset = report.clock - here();
    app.health.send_if_modified(|known| {
        let changed = known.json.as_ref() != Some(&report.json);
        *known = Arc::new(Health {
            json: Some(report.json),
            offset,
        });
        changed
    });
    let lag = app.database.lag(&app.options.source.slot).await?;
    app.metrics.lag.store(lag.unwrap_or(-1), Ordering::Relaxed);
    Ok(())
}

/// What was known may be true no more.
fn forget(app: &App) {
    app.metrics.lag.store(-1, Ordering::Relaxed);
    app.health.send_if_modified(|known| {
        let offset = known.offset;
        let changed = known.json.is_some();
        *known = Arc::new(Health { json: None, offset });
        changed
    });
}

/// Asks which transactions have ended, while a client waits for a resume point, for ever.
pub async fn watch_transactions(app: Arc<App>) {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        if app.is_replicating() && app.fan_out.waits() {
            // Its failure is told where health is asked for.
            if let Ok(ended) = app.database.ended().await {
                app.ended.send_replace(Some(ended));
            }
        }
    }
}
