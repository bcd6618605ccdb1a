//! Alerts without Prometheus: a message to a webhook of the operator's when the state of health
//! changes, and when that is over.
//!
//! The service asks `signal_health` itself, so it also tells of a worker that died, and of a
//! database that is gone. A message that cannot be sent is tried again until it is sent, or until
//! there is something newer to say.

mod message;
mod state;
mod webhook;

use crate::app::{App, STREAMING};
use crate::database::Refusal;
use crate::error::{Failure, one_line};
use crate::options::AlertOptions;
use message::{Message, Subject};
use state::{Condition, Watch};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tracing::{info, warn};
pub use webhook::Webhook;

/// Longest time between two looks at the state.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pauses between two attempts to send the same message.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(300);

/// Looks at the state, and tells what changed, until the service ends.
pub async fn watch(app: Arc<App>, webhook: Webhook) {
    let options = &app.options.alerts;
    let mut watch = Watch::new(options.alert_after, options.alert_quiet);
    let mut unsent: Option<Unsent> = None;
    let look_every = (options.alert_after / 4).clamp(Duration::from_millis(100), LOOK_EVERY);
    loop {
        let condition = look(&app).await;
        if let Some(change) = watch.take(Instant::now(), condition) {
            info!("alert: {}", change.words());
            // What could not be sent before is out of date.
            unsent = Some(Unsent::new(Message::of_change(&subject(&app), &change)));
        }
        if let Some(waiting) = &mut unsent
            && waiting.due <= Instant::now()
            && waiting.try_to_send(&app, &webhook).await
        {
            unsent = None;
        }
        let pending = u64::from(unsent.is_some());
        app.metrics.alerts.pending.store(pending, Ordering::Relaxed);
        tokio::select! {
            () = tokio::time::sleep(look_every) => {}
            () = app.ending() => return,
        }
    }
}

/// Sends a message that says that messages arrive.
///
/// # Errors
/// When there is no address to send to, or the message is refused.
pub async fn test(options: &AlertOptions) -> Result<(), Failure> {
    let webhook = Webhook::new(options)?.ok_or_else(|| {
        Failure::refused("there is no webhook to send to", "Name one by --alert-url.")
    })?;
    let sent = webhook.send(&Message::of_test()).await;
    sent.map_err(|why| Failure::Other(format!("the test message was not sent: {why}")))?;
    info!("the test message was sent");
    Ok(())
}

/// What messages are about.
fn subject(app: &App) -> Subject {
    let database = &app.options.source.database.config;
    let name = database.get_dbname().or(database.get_user());
    Subject {
        database: name.unwrap_or_default().to_owned(),
    }
}

/// How things are; `None` where others are in the way of the question.
async fn look(app: &App) -> Option<Condition> {
    let condition = app.database.condition().await;
    let word = *app.replication_is.borrow();
    Some(match condition {
        Ok(condition) if condition.is_healthy && word != STREAMING => Condition::bad(
            "not_streaming",
            format!("signal_hub_live does not get rows by replication ({word}); its log says why"),
        ),
        // The message repeats names and errors that others chose.
        Ok(condition) => Condition {
            state: one_line(&condition.state),
            is_healthy: condition.is_healthy,
            message: one_line(&condition.message),
        },
        Err(Refusal::Busy) => return None,
        Err(Refusal::Away(why)) => Condition::bad("database_away", one_line(&why)),
        Err(why) => Condition::bad("database_failing", one_line(&why.to_string())),
    })
}

/// A message that is still to be sent.
struct Unsent {
    message: Message,
    due: Instant,
    pause: Duration,
}

impl Unsent {
    fn new(message: Message) -> Self {
        Self {
            message,
            due: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// True when it was sent.
    async fn try_to_send(&mut self, app: &App, webhook: &Webhook) -> bool {
        let numbers = &app.metrics.alerts;
        match webhook.send(&self.message).await {
            Ok(()) => {
                numbers.sent.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(why) => {
                numbers.failed.fetch_add(1, Ordering::Relaxed);
                warn!(
                    "an alert could not be sent: {why}; again in {:?}",
                    self.pause
                );
                self.due = Instant::now() + self.pause;
                self.pause = (self.pause * 2).min(LAST_PAUSE);
                false
            }
        }
    }
}
