//! What is read and written in the database: as a subscriber, in transactions where row-level
//! security applies their claims, and as the service itself.

mod connections;
mod hosts;
mod lent;
mod nodes;
mod operators;
mod preferences;
mod prices;
pub mod publication;
mod push;
mod refusal;
mod reports;
mod statements;
pub mod tls;
mod track_record;
mod turns;
mod watchers;

pub use connections::{PATIENCE, SEARCH_PATH, SESSION_OPTIONS, session_config};
pub use hosts::{host_and_port, place, primary};
pub use nodes::{Node, NodeLog};
pub use operators::Order;
pub use prices::Prices;
pub use push::PushTarget;
pub use refusal::Refusal;
pub use reports::{Condition, Ended, Generator, HealthReport, LogReport, Metric, Page};
pub use statements::Statement;
pub use watchers::WatchersChange;

use crate::auth::Subscriber;
use crate::error::Failure;
use crate::options::Serve;
use connections::Connections;
use deadpool_postgres::{Object, Transaction};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use turns::{Turn, Turns};

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Connections, and what is asked over them.
pub struct Database {
    connections: Connections,
    turns: Turns,
    /// The role of subscribers.
    role: String,
    slot: String,
    publication: String,
    /// Whether rows are on other servers, which have to know whose they are.
    has_nodes: AtomicBool,
    texts: Texts,
}

/// The texts of the statements that run again and again.
struct Texts {
    become_subscriber: String,
    signals_since: String,
    signals_before: String,
    outcomes_of: String,
    mark: String,
    read_marks: String,
    subscriber_status: String,
    read_preferences: String,
    write_preferences: String,
    health: String,
    condition: String,
    metrics: String,
    log_report: String,
    nodes: String,
    forward_claims: String,
    prices: String,
    priced_signal: String,
    price_path: String,
    track_record: String,
    keep_watchers: String,
    become_operator: String,
    is_operator: String,
    operator_nothing: String,
    operator_look: String,
    preview: String,
    run: String,
    pause: String,
    resume: String,
    store_push: String,
    drop_push: String,
    move_push: String,
    push_subscribers: String,
    claim_push: String,
    push_targets: String,
    push_results: String,
}

impl Database {
    /// `schema` is the extension's. Connects when there is something to ask.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: &Serve, schema: &str) -> Result<Self, Failure> {
        Ok(Self {
            connections: Connections::new(&options.source)?,
            turns: Turns::default(),
            role: options.claims.role.clone(),
            slot: options.source.slot.clone(),
            publication: options.publication.clone(),
            has_nodes: AtomicBool::new(false),
            texts: Texts {
                become_subscriber: Statement::BecomeSubscriber.text(schema),
                signals_since: Statement::SignalsSince.text(schema),
                signals_before: Statement::SignalsBefore.text(schema),
                outcomes_of: Statement::OutcomesOf.text(schema),
                mark: Statement::Mark.text(schema),
                read_marks: Statement::ReadMarks.text(schema),
                subscriber_status: Statement::SubscriberStatus.text(schema),
                read_preferences: Statement::ReadPreferences.text(schema),
                write_preferences: Statement::WritePreferences.text(schema),
                health: Statement::Health.text(schema),
                condition: Statement::Condition.text(schema),
                metrics: Statement::Metrics.text(schema),
                log_report: Statement::LogReport.text(schema),
                nodes: Statement::Nodes.text(schema),
                forward_claims: Statement::ForwardClaims.text(schema),
                prices: Statement::Prices.text(schema),
                priced_signal: Statement::PricedSignal.text(schema),
                price_path: Statement::PricePath.text(schema),
                track_record: Statement::TrackRecord.text(schema),
                keep_watchers: Statement::KeepWatchers.text(schema),
                become_operator: Statement::BecomeOperator.text(schema),
                is_operator: Statement::IsOperator.text(schema),
                operator_nothing: Statement::OperatorNothing.text(schema),
                operator_look: Statement::OperatorLook.text(schema),
                preview: Statement::Preview.text(schema),
                run: Statement::Run.text(schema),
                pause: Statement::Pause.text(schema),
                resume: Statement::Resume.text(schema),
                store_push: Statement::StorePush.text(schema),
                drop_push: Statement::DropPush.text(schema),
                move_push: Statement::MovePush.text(schema),
                push_subscribers: Statement::PushSubscribers.text(schema),
                claim_push: Statement::ClaimPush.text(schema),
                push_targets: Statement::PushTargets.text(schema),
                push_results: Statement::PushResults.text(schema),
            },
        })
    }

    /// A page of the subscriber's rows, see `signals_since()`, with the outcomes of its signals and
    /// of those named in `open`, as far as the subscriber received them. The outcomes are not older
    /// than the rows.
    pub async fn signals_since(
        &self,
        subscriber: &Subscriber,
        watermark: Option<&str>,
        limit: i32,
        open: &[i64],
    ) -> Result<Page, Refusal> {
        let _turn = self.turn(subscriber).await?;
        let mut connection = self.connections.for_client().await?;
        let work = async {
            let transaction = connection.transaction().await?;
            self.become_subscriber(&transaction, subscriber).await?;
            let statement = transaction
                .prepare_cached(&self.texts.signals_since)
                .await?;
            let rows = transaction.query(&statement, &[&watermark, &limit]).await?;
            let mut page = Page::new(rows);
            if let Ok(page) = &mut page {
                self.add_outcomes(&transaction, page, open).await?;
            }
            transaction.commit().await?;
            Ok(page)
        };
        let page = self.connections.in_time(work).await?;
        connection.done();
        page
    }

    /// The subscriber's rows of signals with lower numbers than `before`, the newest first, with
    /// their outcomes. The page has no resume point.
    pub async fn signals_before(
        &self,
        subscriber: &Subscriber,
        before: i64,
        limit: i32,
    ) -> Result<Page, Refusal> {
        let _turn = self.turn(subscriber).await?;
        let mut connection = self.connections.for_client().await?;
        let work = async {
            let transaction = connection.transaction().await?;
            self.become_subscriber(&transaction, subscriber).await?;
            let statement = transaction
                .prepare_cached(&self.texts.signals_before)
                .await?;
            // One more than asked for says whether there are more.
            let most = i64::from(limit) + 1;
            let rows = transaction.query(&statement, &[&before, &most]).await?;
            let mut page = Page::before(rows, limit);
            self.add_outcomes(&transaction, &mut page, &[]).await?;
            transaction.commit().await?;
            Ok(page)
        };
        let page = self.connections.in_time(work).await?;
        connection.done();
        Ok(page)
    }

    /// Adds the outcomes of the page's signals, and of those named in `open`.
    async fn add_outcomes(
        &self,
        transaction: &Transaction<'_>,
        page: &mut Page,
        open: &[i64],
    ) -> Result<(), tokio_postgres::Error> {
        let signals: Vec<i64> = page.signals().chain(open.iter().copied()).collect();
        if !signals.is_empty() {
            let statement = transaction.prepare_cached(&self.texts.outcomes_of).await?;
            page.add_outcomes(transaction.query(&statement, &[&signals]).await?);
        }
        Ok(())
    }

    /// Marks a signal as viewed or clicked, or not; `None` leaves it as it is. Returns the marks
    /// after that, as a JSON object.
    pub async fn mark(
        &self,
        subscriber: &Subscriber,
        signal_id: i64,
        viewed: Option<bool>,
        clicked: Option<bool>,
    ) -> Result<Vec<u8>, Refusal> {
        let _turn = self.turn(subscriber).await?;
        let mut connection = self.connections.for_client().await?;
        let work = async {
            let transaction = connection.transaction().await?;
            self.become_subscriber(&transaction, subscriber).await?;
            let mark = transaction.prepare_cached(&self.texts.mark).await?;
            let marks: Parameters = &[&signal_id, &viewed, &clicked];
            let mut row = transaction.query_opt(&mark, marks).await?;
            if row.is_none() {
                let read = transaction.prepare_cached(&self.texts.read_marks).await?;
                row = transaction.query_opt(&read, &[&signal_id]).await?;
            }
            transaction.commit().await?;
            Ok(row)
        };
        let row = self.connections.in_time(work).await?;
        connection.done();
        Ok(reports::marks(row.ok_or(Refusal::Missing)?))
    }

    /// What the generator reports.
    pub async fn health(&self) -> Result<HealthReport, Refusal> {
        let own = self.connections.own().await?;
        HealthReport::new(&self.ask(&own, &self.texts.health, &[]).await?)
    }

    /// What the generator reports to operators.
    pub async fn condition(&self) -> Result<Condition, Refusal> {
        let own = self.connections.own().await?;
        Condition::new(&self.ask(&own, &self.texts.condition, &[]).await?)
    }

    /// Numbers for monitoring.
    pub async fn metrics(&self) -> Result<Vec<Metric>, Refusal> {
        let connection = self.connections.record().await?;
        let work = async {
            let statement = connection.prepare_cached(&self.texts.metrics).await?;
            connection.query(&statement, &[]).await
        };
        let rows = self.connections.in_time(work).await?;
        connection.done();
        rows.iter().map(Metric::new).collect()
    }

    /// How far the log is, and whether nothing is missing in what is followed.
    pub async fn log_report(&self) -> Result<LogReport, Refusal> {
        let asked = Instant::now();
        let parameters: Parameters = &[&self.publication, &self.slot];
        let own = self.connections.own().await?;
        let report = self.ask(&own, &self.texts.log_report, parameters);
        LogReport::new(&report.await?, asked, 0)
    }

    /// What all signals of the last days came to, as a JSON object.
    pub async fn track_record(&self) -> Result<String, Refusal> {
        let connection = self.connections.record().await?;
        let record = self.ask(&connection, &self.texts.track_record, &[]);
        let record = record.await?;
        connection.done();
        reports::value(&record, "record")
    }

    /// Whether clients get connections, as far as that is known.
    pub async fn check_for_clients(&self) -> Result<(), Refusal> {
        self.connections.check_for_clients().await
    }

    /// Whether the last client that needed a new connection did not get it.
    pub fn is_refusing_clients(&self) -> bool {
        self.connections.is_refusing_clients()
    }

    /// Uses no connection again that exists now: they may be to a server that is gone.
    pub fn forget_connections(&self) {
        self.connections.forget();
    }

    /// Asks as the service itself.
    async fn ask(
        &self,
        connection: &Object,
        text: &str,
        parameters: Parameters<'_>,
    ) -> Result<Row, Refusal> {
        let work = async {
            let statement = connection.prepare_cached(text).await?;
            connection.query_opt(&statement, parameters).await
        };
        self.connections
            .in_time(work)
            .await?
            .ok_or(Refusal::Missing)
    }

    async fn turn(&self, subscriber: &Subscriber) -> Result<Turn<'_>, Refusal> {
        let turn = self.turns.take(subscriber.user_id);
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        turn.map_err(|_| Refusal::Busy)
    }

    async fn become_subscriber(
        &self,
        transaction: &Transaction<'_>,
        subscriber: &Subscriber,
    ) -> Result<(), tokio_postgres::Error> {
        let statement = transaction
            .prepare_cached(&self.texts.become_subscriber)
            .await?;
        transaction
            .execute(&statement, &[&subscriber.claims, &self.role])
            .await?;
        if self.has_nodes.load(Ordering::Relaxed) {
            let text = &self.texts.forward_claims;
            let statement = transaction.prepare_cached(text).await?;
            transaction.execute(&statement, &[]).await?;
        }
        Ok(())
    }
}
