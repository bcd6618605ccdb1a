//! Reads signals and marks them.

use super::Shared;
use super::reply::{error, json_headers};
use crate::app::App;
use crate::auth::Subscriber;
use crate::database::Refusal;
use axum::body::{self, Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// Most rows of one reply.
const MOST_ROWS: i32 = 500;
/// The largest body of a request.
const MOST_BYTES: usize = 1024;
/// Longest wait for the body of a request.
const BODY_LIMIT: Duration = Duration::from_secs(5);

/// What a row of `signal_price_path` is of.
const SECONDS_OF_PATH: u32 = 300;
/// Most signals of which a request may ask for the outcome.
const MOST_OPEN: usize = 500;

/// What the address of a reading asks for, as texts: a parser of numbers would refuse in words for
/// programmers.
#[derive(Deserialize)]
pub struct Since {
    pub since: Option<String>,
    before: Option<String>,
    limit: Option<String>,
    open: Option<String>,
}

impl Since {
    /// The signals whose outcome the client does not have for good.
    pub fn open(&self) -> Result<Vec<i64>, Refusal> {
        let numbers = self.open.as_deref().unwrap_or_default().split(',');
        let numbers = numbers.filter(|number| !number.is_empty());
        let numbers: Result<Vec<i64>, _> = numbers.map(str::parse).collect();
        let numbers = numbers.ok().filter(|all| all.len() <= MOST_OPEN);
        numbers.ok_or_else(|| {
            Refusal::Invalid(format!(
                "open must be numbers of signals with commas between them, at most {MOST_OPEN}"
            ))
        })
    }
}

/// The newest signals, those after a resume point, or those before a signal.
pub async fn read(
    State(app): Shared,
    subscriber: Subscriber,
    query: Result<Query<Since>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(asked) = query?;
    let open = asked.open()?;
    let limit = asked
        .limit
        .map_or(Some(MOST_ROWS), |text| text.parse().ok());
    let limit = limit.filter(|limit| (1..=MOST_ROWS).contains(limit));
    let limit = limit
        .ok_or_else(|| Refusal::Invalid(format!("limit must be a number from 1 to {MOST_ROWS}")))?;
    let database = &app.database;
    let page = match (asked.since.as_deref(), asked.before) {
        (Some(_), Some(_)) => {
            let words = "of since and before only one can be given";
            return Err(Refusal::Invalid(words.to_owned()));
        }
        (None, Some(before)) => {
            let before = before.parse().map_err(|_| {
                Refusal::Invalid("before must be the number of a signal".to_owned())
            })?;
            database.signals_before(&subscriber, before, limit).await?
        }
        (since, None) => {
            let page = database.signals_since(&subscriber, since, limit, &open);
            page.await?
        }
    };
    let mut body = b"{\"signals\":".to_vec();
    write_list(&mut body, page.rows(), |row, out| row.write_signal(out));
    body.extend_from_slice(b",\"outcomes\":");
    write_list(&mut body, page.outcomes(), |row, out| {
        row.write_outcome(out)
    });
    let time = app.health.borrow().server_time();
    body.extend_from_slice(
        format!(
            ",\"watermark\":{},\"more\":{},\"server_time\":\"{time}\"}}",
            match page.watermark.as_str() {
                "" => "null".to_owned(),
                watermark => format!("\"{watermark}\""),
            },
            page.more
        )
        .as_bytes(),
    );
    Ok((json_headers(), body).into_response())
}

fn write_list<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    write: impl Fn(&T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (number, item) in items.enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write(&item, out);
    }
    out.push(b']');
}

/// The way of the price while a signal was open.
pub async fn path(
    State(app): Shared,
    subscriber: Subscriber,
    path: Result<Path<i64>, PathRejection>,
) -> Result<Response, Refusal> {
    let Path(signal_id) = path?;
    let path = app.database.price_path(&subscriber, signal_id).await?;
    let body = format!("{{\"seconds\":{SECONDS_OF_PATH},\"path\":{path}}}");
    Ok((json_headers(), body).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    viewed: Option<bool>,
    clicked: Option<bool>,
}

/// Marks a signal.
pub async fn mark(
    State(app): Shared,
    subscriber: Subscriber,
    path: Result<Path<i64>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Path(signal_id) = path?;
    if let Some(reply) = app.refuse_haste(&subscriber) {
        return Ok(reply);
    }
    let body = match body_of(body, MOST_BYTES).await {
        Ok(body) => body,
        Err(reply) => return Ok(reply),
    };
    // The parser would also take an array for an object.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let marks = is_object.then(|| serde_json::from_slice(&body));
    let Some(Ok(Marks { viewed, clicked })) = marks else {
        return Err(Refusal::Invalid(
            "the body must be an object with viewed or clicked, each true or false".to_owned(),
        ));
    };
    let marked = app
        .database
        .mark(&subscriber, signal_id, viewed, clicked)
        .await?;
    Ok((json_headers(), marked).into_response())
}

impl App {
    /// Counts a write of a subscriber; the reply to one that comes too fast.
    pub(super) fn refuse_haste(&self, subscriber: &Subscriber) -> Option<Response> {
        self.refuse_haste_of(subscriber.user_id)
    }

    /// The same by an id.
    pub(super) fn refuse_haste_of(&self, user: Uuid) -> Option<Response> {
        let wait = self.mark_limit.take(user).err()?;
        let seconds = wait.as_secs() + 1;
        let headers = [(header::RETRY_AFTER, seconds.to_string())];
        let words = "too many requests, try again later";
        let reply = error(StatusCode::TOO_MANY_REQUESTS, words);
        Some((headers, reply).into_response())
    }
}

/// The body of a request; the error is the reply to one that is too slow or too large.
pub(super) async fn body_of(body: Body, most: usize) -> Result<Bytes, Response> {
    match tokio::time::timeout(BODY_LIMIT, body::to_bytes(body, most)).await {
        Err(_) => Err(error(
            StatusCode::REQUEST_TIMEOUT,
            "the body of the request did not come in time",
        )),
        Ok(Err(_)) => Err(error(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body of the request is too large",
        )),
        Ok(Ok(body)) => Ok(body),
    }
}
