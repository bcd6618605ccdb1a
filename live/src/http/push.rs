//! The browsers in which a subscriber wants notifications, and whether a page is in view.

use super::Shared;
use super::reply::{error, json_headers};
use super::signals::body_of;
use crate::app::App;
use crate::auth::Subscriber;
use crate::database::Refusal;
use crate::push::{Push, check_keys};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Instant;
use uuid::Uuid;

/// The largest body of a request.
const MOST_BYTES: usize = 8 * 1024;

/// A push subscription as browsers write it.
#[derive(Deserialize)]
struct Subscription {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

/// Adds a browser.
pub async fn store(
    State(app): Shared,
    subscriber: Subscriber,
    body: Body,
) -> Result<Response, Refusal> {
    let push = push_of(&app)?;
    if let Some(reply) = app.refuse_haste(&subscriber) {
        return Ok(reply);
    }
    let given: Subscription = match read(body, "a push subscription").await? {
        Ok(given) => given,
        Err(reply) => return Ok(reply),
    };
    check(push, &given)?;
    let Keys { p256dh, auth } = &given.keys;
    let stored = app
        .database
        .store_push(&subscriber, &given.endpoint, p256dh, auth)
        .await?;
    push.known().add(subscriber.user_id);
    Ok((json_headers(), stored).into_response())
}

#[derive(Deserialize)]
struct Endpoint {
    endpoint: String,
}

/// Takes a browser away.
pub async fn delete(
    State(app): Shared,
    subscriber: Subscriber,
    body: Body,
) -> Result<Response, Refusal> {
    push_of(&app)?;
    if let Some(reply) = app.refuse_haste(&subscriber) {
        return Ok(reply);
    }
    let Endpoint { endpoint } = match read(body, "an object with endpoint").await? {
        Ok(given) => given,
        Err(reply) => return Ok(reply),
    };
    let deleted = app.database.drop_push(&subscriber, &endpoint).await?;
    Ok((json_headers(), deleted).into_response())
}

#[derive(Deserialize)]
struct Move {
    user: String,
    endpoint: String,
    auth: String,
    subscription: Subscription,
}

/// A browser got another subscription while nobody was signed in. It proves itself by the secret of
/// the old one.
pub async fn moved(State(app): Shared, body: Body) -> Result<Response, Refusal> {
    let push = push_of(&app)?;
    let given: Move = match read(body, "an old and a new push subscription").await? {
        Ok(given) => given,
        Err(reply) => return Ok(reply),
    };
    let user = Uuid::try_parse(&given.user);
    let user = user.map_err(|_| Refusal::Invalid("user must be a UUID".to_owned()))?;
    if !push.moves().take(&given.endpoint) {
        return Ok(error(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests, try again later",
        ));
    }
    check(push, &given.subscription)?;
    let turn = push.moves().turn().await.ok_or(Refusal::Busy)?;
    // A browser that does not wait for the answer does not end it half way.
    let work = tokio::spawn({
        let app = Arc::clone(&app);
        async move {
            let _turn = turn;
            let old = (given.endpoint.as_str(), given.auth.as_str());
            let Subscription { endpoint, keys } = &given.subscription;
            let new = (endpoint.as_str(), keys.p256dh.as_str(), keys.auth.as_str());
            app.database.move_push(user, old, new).await
        }
    });
    match work.await.map_err(|_| Refusal::Busy)?? {
        true => {
            push.known().add(user);
            Ok((json_headers(), "{\"moved\": true}").into_response())
        }
        false => Ok(error(
            StatusCode::NOT_FOUND,
            "there is no such push subscription",
        )),
    }
}

#[derive(Deserialize)]
struct View {
    stream: u64,
    visible: bool,
}

/// The page that reads a stream is in view, or not any more.
pub async fn view(
    State(app): Shared,
    subscriber: Subscriber,
    body: Body,
) -> Result<Response, Refusal> {
    let words = "an object with stream and visible";
    let View { stream, visible } = match read(body, words).await? {
        Ok(given) => given,
        Err(reply) => return Ok(reply),
    };
    app.fan_out
        .set_in_view(&subscriber.user_id, stream, visible, Instant::now());
    Ok((json_headers(), "{}").into_response())
}

fn push_of(app: &App) -> Result<&Arc<Push>, Refusal> {
    let words = "this service sends no notifications";
    let push = app.push.as_ref();
    push.ok_or_else(|| Refusal::Invalid(words.to_owned()))
}

/// A subscriber chooses the address: it must not be one inside the network.
fn check(push: &Push, given: &Subscription) -> Result<(), Refusal> {
    let words = match push.may_call(&given.endpoint) {
        true => check_keys(&given.keys.p256dh, &given.keys.auth),
        false => Err("the push service of this browser is not known here"),
    };
    words.map_err(|words| Refusal::Invalid(words.to_owned()))
}

/// An object of a request; inside, the reply to one that is too slow or too large.
async fn read<T: DeserializeOwned>(body: Body, what: &str) -> Result<Result<T, Response>, Refusal> {
    let body = match body_of(body, MOST_BYTES).await {
        Ok(body) => body,
        Err(reply) => return Ok(Err(reply)),
    };
    // The parser would also take an array for an object.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let object = is_object
        .then(|| serde_json::from_slice(&body).ok())
        .flatten();
    match object {
        Some(object) => Ok(Ok(object)),
        None => Err(Refusal::Invalid(format!("the body must be {what}"))),
    }
}
