//! What operators ask for.

use super::Shared;
use super::reply::json_headers;
use crate::app::{App, metrics as numbers};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// The monitor asks the database at least this often, unless it is stuck: each of its questions has
/// a limit, and so has each pause.
const LONGEST_ROUND: Duration = Duration::from_secs(120);

/// Whether the service works, in its status and in words.
pub async fn healthz(State(app): Shared) -> Response {
    let is_well = app.is_well();
    reply(is_well, &words(&app, is_well))
}

/// Whether the process does its work, whatever the database does: for who would restart it.
pub async fn livez(State(app): Shared) -> Response {
    let is_alive = app.metrics.since_last_round() < LONGEST_ROUND;
    reply(
        is_alive,
        &json!({ "status": if is_alive { "ok" } else { "stuck" } }),
    )
}

/// Whether clients get what is committed now: for who would send them here.
pub async fn readyz(State(app): Shared) -> Response {
    let is_ready = app.is_well() && !*app.shutdown.borrow();
    reply(is_ready, &words(&app, is_ready))
}

fn words(app: &App, is_well: bool) -> Value {
    json!({
        "status": if is_well { "ok" } else { "failing" },
        "replication": *app.replication_is.borrow(),
        "database": *app.database_is.borrow(),
    })
}

fn reply(is_good: bool, body: &Value) -> Response {
    let status = match is_good {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, json_headers(), body.to_string()).into_response()
}

/// How the page gets fresh tokens, and the public key of notifications, null where there are none.
/// Nothing in it is a secret, and the form to sign in needs it.
pub async fn page(State(app): Shared) -> Response {
    let mut page = app.options.session.json();
    page["push_key"] = app.push.as_ref().map(|push| push.public_key()).into();
    (json_headers(), page.to_string()).into_response()
}

/// Numbers in the format of Prometheus.
pub async fn metrics(State(app): Shared) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    let own = numbers::text(&app);
    let of_database = app.database_metrics.text(&app).await;
    (headers, own + &of_database).into_response()
}
