//! What all signals came to.

use super::Shared;
use super::reply::json_headers;
use crate::auth::Subscriber;
use crate::database::Refusal;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

/// The track record of all signals: aggregates, which every subscriber may know.
pub async fn read(State(app): Shared, _: Subscriber) -> Result<Response, Refusal> {
    let record = app.track_record.get(&app).await?;
    Ok((json_headers(), record).into_response())
}
