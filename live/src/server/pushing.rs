//! Notifies who has push subscriptions and no page in view.

use crate::app::App;
use crate::database::Refusal;
use crate::push::{News, Push, Report, message_of};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::Receiver;
use tracing::warn;
use uuid::Uuid;

/// What comes within this time is one message. A page that is loaded again is in view after it.
const COLLECT: Duration = Duration::from_secs(1);
/// Between two questions who has push subscriptions; those that come by this service are known at
/// once.
const LEARN_EVERY: Duration = Duration::from_secs(30);
/// Where so many have that the answer takes long, at least this many times as long.
const IDLE_PART: u32 = 100;
/// Subscribers that are asked for at once.
const AT_ONCE: usize = 500;
/// Results that are recorded at once, and how long they are collected.
const RECORD_AT_ONCE: usize = 1000;
const RECORD_EVERY: Duration = Duration::from_secs(1);
/// If the database is busy or away, it is asked again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Notifies until the service ends, and then of what has come.
pub async fn keep(app: Arc<App>, reports: Receiver<Report>) {
    let Some(push) = &app.push else {
        return;
    };
    tokio::select! {
        () = notify(&app, push) => {}
        () = record(&app, reports) => {}
        () = async {
            let mut took = Duration::ZERO;
            loop {
                tokio::time::sleep(LEARN_EVERY.max(took * IDLE_PART)).await;
                took = learn(&app).await;
            }
        } => {}
    }
}

/// Asks who has push subscriptions; returns how long that took.
pub async fn learn(app: &App) -> Duration {
    let began = Instant::now();
    let Some(push) = &app.push else {
        return Duration::ZERO;
    };
    match app.database.push_subscribers().await {
        Ok(all) => push.known().replace(all),
        // Those who are known stay. When the database is away, the monitor says so.
        Err(Refusal::Away(_) | Refusal::Busy) => {}
        Err(why) => warn!("it is not known who has push subscriptions: {why}"),
    }
    began.elapsed()
}

async fn notify(app: &App, push: &Push) {
    loop {
        let collected = async {
            push.changed().await;
            tokio::time::sleep(COLLECT).await;
        };
        let ends = tokio::select! {
            () = collected => false,
            () = app.ending() => true,
        };
        let mut all = push.take();
        all.retain(|user, _| !app.fan_out.is_in_view(user, Instant::now()));
        let users: Vec<Uuid> = all.keys().copied().collect();
        for users in users.chunks(AT_ONCE) {
            let Some(claim) = push.new_claim() else {
                push.numbers()
                    .failed
                    .fetch_add(users.len() as u64, Ordering::Relaxed);
                continue;
            };
            let Err(why) = send(app, push, claim, users, &mut all).await else {
                continue;
            };
            let mut lost = 0;
            for user in users {
                // Something of one subscriber may be in the way of all. If the database does not
                // answer, that is not so, and the time of all has run out.
                let is_lost =
                    passes(&why) || send(app, push, claim, &[*user], &mut all).await.is_err();
                lost += u64::from(is_lost);
            }
            if lost > 0 {
                push.numbers().failed.fetch_add(lost, Ordering::Relaxed);
                warn!("{lost} subscribers are not notified: {why}");
            }
        }
        if ends {
            return push.idle().await;
        }
    }
}

/// Whether the database would answer later.
fn passes(why: &Refusal) -> bool {
    matches!(why, Refusal::Away(_) | Refusal::Busy)
}

/// Asks the database; while it does not answer, again until the latest time at which that is of use.
async fn ask<T, A: Future<Output = Result<T, Refusal>>>(
    latest: Option<SystemTime>,
    question: impl Fn() -> A,
) -> Result<T, Refusal> {
    let is_time = || latest.is_some_and(|latest| latest > SystemTime::now());
    loop {
        match question().await {
            Err(why) if passes(&why) && is_time() => tokio::time::sleep(AGAIN_AFTER).await,
            answer => return answer,
        }
    }
}

/// Queues the messages for these subscribers, as far as no other service has claimed them; while the
/// database does not answer, waits as long as one of them would still be sent.
async fn send(
    app: &App,
    push: &Push,
    claim: Uuid,
    users: &[Uuid],
    all: &mut HashMap<Uuid, News>,
) -> Result<(), Refusal> {
    let of_them = users
        .iter()
        .filter_map(|user| Some((*user, all.get(user)?)));
    let latest = of_them.clone().map(|(_, news)| news.expires).max();
    let notices: Vec<(Uuid, i64)> = of_them
        .flat_map(|(user, news)| news.ids().iter().map(move |id| (user, *id)))
        .collect();
    let own = ask(latest, || app.database.claim_push(claim, &notices)).await?;
    for user in users {
        if let Some(news) = all.get_mut(user)
            && !news.retain(|id| own.contains(&(*user, id)))
        {
            all.remove(user);
        }
    }
    let users: Vec<Uuid> = (users.iter().copied())
        .filter(|user| all.contains_key(user))
        .collect();
    if users.is_empty() {
        return Ok(());
    }
    let targets = ask(latest, || app.database.push_targets(&users)).await?;
    let mut last = None;
    for target in targets {
        let Some(news) = all.get(&target.user) else {
            continue;
        };
        // The browsers of a subscriber get the same message.
        let message = match &last {
            Some((user, message)) if *user == target.user => Arc::clone(message),
            _ => message_of(news),
        };
        last = Some((target.user, Arc::clone(&message)));
        push.send(news, &message, target).await;
    }
    Ok(())
}

async fn record(app: &App, mut reports: Receiver<Report>) {
    let mut some = Vec::with_capacity(RECORD_AT_ONCE);
    while reports.recv_many(&mut some, RECORD_AT_ONCE).await > 0 {
        tokio::time::sleep(RECORD_EVERY).await;
        let (mut users, mut endpoints, mut results) = (Vec::new(), Vec::new(), Vec::new());
        while let Ok(report) = reports.try_recv() {
            some.push(report);
        }
        for report in some.drain(..) {
            users.push(report.user.to_string());
            endpoints.push(report.endpoint);
            results.push(report.result);
        }
        if let Err(why) = app.database.record_push(&users, &endpoints, &results).await {
            warn!("what became of notifications is not recorded: {why}");
        }
    }
}
