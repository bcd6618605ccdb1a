//! The stream of events, and the report on the generator.

use super::Shared;
use super::reply::json_headers;
use super::signals::Since;
use crate::auth::Subscriber;
use crate::database::Refusal;
use crate::stream::{self, Refused};
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Events from a resume point, or from now.
pub async fn stream(
    State(app): Shared,
    subscriber: Subscriber,
    query: Result<Query<Since>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let Query(asked) = query.map_err(Refusal::from)?;
    let open = asked.open()?;
    let since = asked.since.filter(|since| !since.is_empty());
    let since = last_event_id(&headers)?.or(since);
    let events = stream::open(app, subscriber, since, open).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        // nginx would otherwise collect events.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// Where a client that comes back by itself was. It is newer than what the address says, which such
/// a client repeats as it was at first. One that cannot be read must not count as none: rows would
/// be missing.
fn last_event_id(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    let id = id
        .to_str()
        .map_err(|_| Refusal::Invalid("Last-Event-ID cannot be read".to_owned()))?;
    Ok(Some(id.to_owned()).filter(|id| !id.is_empty()))
}

/// What the generator reports.
pub async fn health(State(app): Shared, _: Subscriber) -> Response {
    let health = Arc::clone(&app.health.borrow());
    (json_headers(), health.json()).into_response()
}
