//! Asks the database, for all clients at once: what the generator says of itself, which
//! transactions have ended, and whether what is followed is whole.

use crate::app::{App, UP};
use crate::error::say;
use crate::health::{self, Health};
use crate::refusal::Refusal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Between two questions while there are clients, or something is not well.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// And while there is no hurry.
const ASK_IDLE: Duration = Duration::from_secs(15);

/// Asks for ever.
pub async fn watch(app: Arc<App>) {
    loop {
        let asked = ask(&app).await;
        if asked.is_err() {
            forget(&app);
        }
        tell(&app, asked);
        wait(&app).await;
    }
}

async fn ask(app: &App) -> Result<(), Refusal> {
    let look = app.database.look().await?;
    app.metrics
        .lag
        .store(look.lag.unwrap_or(-1), Ordering::Relaxed);
    app.look.send_replace(Some(look));
    let report = app.database.health().await?;
    let offset = report.clock - health::here();
    app.health.send_if_modified(|known| {
        let changed = known.json.as_ref() != Some(&report.json);
        *known = Arc::new(Health {
            json: Some(report.json),
            offset,
        });
        changed
    });
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

/// Tells the operator what has changed.
fn tell(app: &App, asked: Result<(), Refusal>) {
    let (now, words) = match asked {
        Ok(()) => (UP, "the database answers again".to_owned()),
        Err(Refusal::Away(why)) => ("away", format!("the database is away: {why}")),
        Err(why) => ("failing", format!("the database fails: {why}")),
    };
    if app.database_is.send_replace(now) != now {
        say(words);
    }
}

async fn wait(app: &App) {
    let last = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = app.look_now.notified() => return,
        }
        if app.fan_out.clients() > 0 || !app.is_well() || last.elapsed() >= ASK_IDLE {
            return;
        }
    }
}
