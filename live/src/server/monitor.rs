//! Asks the database, for all clients at once: what the generator reports, which transactions have
//! ended, and whether nothing is missing in what is followed.

use crate::app::health::{self, Health};
use crate::app::{AWAY, App, UP};
use crate::database::Refusal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Between two questions while there are clients, or something is not well.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Between two questions while all is well and nobody is connected.
const ASK_IDLE: Duration = Duration::from_secs(15);

/// Asks until the service ends.
pub async fn watch(app: Arc<App>) {
    loop {
        app.metrics.count_round();
        let asked = ask(&app).await;
        if asked.is_err() {
            forget(&app);
        }
        let asked = match asked {
            Ok(()) => app.database.check_for_clients().await,
            failed => failed,
        };
        report_change(&app, asked);
        app.mark_limit.forget_idle();
        wait(&app).await;
    }
}

async fn ask(app: &App) -> Result<(), Refusal> {
    let report = app.database.log_report().await?;
    let lag = report.lag.unwrap_or(-1);
    app.metrics.lag.store(lag, Ordering::Relaxed);
    app.log_report.send_replace(Some(report));
    app.note_nodes(app.database.nodes().await?);
    let report = app.database.health().await?;
    let offset = report.clock - health::local_clock();
    app.health.send_if_modified(|known| {
        let changed = known.generator.as_ref() != Some(&report.generator);
        *known = Arc::new(Health {
            generator: Some(report.generator),
            offset,
        });
        changed
    });
    Ok(())
}

/// The last report may not be true any more.
fn forget(app: &App) {
    app.metrics.lag.store(-1, Ordering::Relaxed);
    app.health.send_if_modified(|known| {
        let offset = known.offset;
        let changed = known.generator.is_some();
        *known = Arc::new(Health {
            generator: None,
            offset,
        });
        changed
    });
}

/// Logs when the database goes away or comes back.
fn report_change(app: &App, asked: Result<(), Refusal>) {
    let now = match &asked {
        Ok(()) => UP,
        Err(Refusal::Away(_)) => AWAY,
        Err(_) => "failing",
    };
    if app.database_is.send_replace(now) == now {
        return;
    }
    match asked {
        Ok(()) => info!("the database answers again"),
        Err(why @ Refusal::Away(_)) => warn!("the database cannot be reached: {why}"),
        Err(why) => warn!("the database answers with an error: {why}"),
    }
}

async fn wait(app: &App) {
    let last = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = app.ask_now.notified() => return,
        }
        let is_quiet = app.fan_out.clients() == 0 && !app.database.is_refusing_clients();
        if !is_quiet || !app.is_well() || last.elapsed() >= ASK_IDLE {
            return;
        }
    }
}
