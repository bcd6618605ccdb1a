//! What a subscriber wants of the signals, and whether signals reach them.

use super::Shared;
use super::reply::json_headers;
use super::signals::body_of;
use crate::auth::Subscriber;
use crate::database::Refusal;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// The largest body of a request: lists of 200 symbols.
const MOST_BYTES: usize = 32 * 1024;

/// Whether signals reach the subscriber, and why not.
pub async fn status(State(app): Shared, subscriber: Subscriber) -> Result<Response, Refusal> {
    let status = app.database.subscriber_status(&subscriber).await?;
    Ok((json_headers(), status).into_response())
}

/// What the subscriber wants of the signals.
pub async fn read(State(app): Shared, subscriber: Subscriber) -> Result<Response, Refusal> {
    let preferences = app.database.preferences(&subscriber).await?;
    Ok((json_headers(), preferences).into_response())
}

/// Replaces what the subscriber wants.
pub async fn write(
    State(app): Shared,
    subscriber: Subscriber,
    body: Body,
) -> Result<Response, Refusal> {
    if let Some(reply) = app.refuse_haste(&subscriber) {
        return Ok(reply);
    }
    let body = match body_of(body, MOST_BYTES).await {
        Ok(body) => body,
        Err(reply) => return Ok(reply),
    };
    let object = serde_json::from_slice::<Map<String, Value>>(&body);
    let object = object.map_err(|_| Refusal::Invalid("the body must be an object".to_owned()))?;
    let object = Value::Object(object).to_string();
    let preferences = app.database.set_preferences(&subscriber, &object).await?;
    Ok((json_headers(), preferences).into_response())
}
