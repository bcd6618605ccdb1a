//! The operator's view. The database decides who is one: a role that its token names and that is a
//! member of pg_monitor, and that may call what it asks for.

use super::Shared;
use super::reply::json_headers;
use super::signals::body_of;
use crate::app::App;
use crate::auth::Claimant;
use crate::database::{Order, Refusal};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;

/// The largest body of a request: a reason of 1000 letters.
const MOST_BYTES: usize = 8 * 1024;

/// Why runs are paused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: Option<String>,
}

/// What there is to know, with the number of clients.
pub async fn look(State(app): Shared, operator: Claimant) -> Result<Response, Refusal> {
    let seen = operate(&app, operator, Order::Look).await?;
    let clients = app.fan_out.clients();
    // The object is not empty, so another member can go in front.
    let seen = seen.strip_prefix('{').unwrap_or(&seen);
    Ok((json_headers(), format!("{{\"clients\":{clients},{seen}")).into_response())
}

/// What all signals came to.
pub async fn record(State(app): Shared, operator: Claimant) -> Result<Response, Refusal> {
    operate(&app, operator, Order::Allowed).await?;
    let record = app.track_record.get(&app).await?;
    Ok((json_headers(), record).into_response())
}

/// Why each symbol does not signal now.
pub async fn preview(app: Shared, operator: Claimant) -> Result<Response, Refusal> {
    order(app, operator, Order::Preview).await
}

/// A run now.
pub async fn run(app: Shared, operator: Claimant) -> Result<Response, Refusal> {
    order(app, operator, Order::Run).await
}

/// No more runs until they are resumed.
pub async fn pause(app: Shared, operator: Claimant, body: Body) -> Result<Response, Refusal> {
    let body = match body_of(body, MOST_BYTES).await {
        Ok(body) => body,
        Err(reply) => return Ok(reply),
    };
    let why = serde_json::from_slice::<Why>(&body);
    let Why { reason } = why.map_err(|_| {
        Refusal::Invalid("the body must be an object with a reason, which may be null".to_owned())
    })?;
    order(app, operator, Order::Pause(reason)).await
}

/// Runs again.
pub async fn resume(app: Shared, operator: Claimant) -> Result<Response, Refusal> {
    order(app, operator, Order::Resume).await
}

async fn order(State(app): Shared, operator: Claimant, order: Order) -> Result<Response, Refusal> {
    let answer = operate(&app, operator, order).await?;
    Ok((json_headers(), answer).into_response())
}

/// What was begun is done, also when the operator's browser is closed or loses its network: a pause
/// must not be undone by that.
async fn operate(app: &Arc<App>, operator: Claimant, order: Order) -> Result<String, Refusal> {
    let app = Arc::clone(app);
    let doing = tokio::spawn(async move { app.database.operate(&operator, order).await });
    doing.await.unwrap_or(Err(Refusal::Busy))
}
