//! Events as they go over the wire: Server-Sent Events whose data is one line of JSON.
//!
//! Written by hand because the bytes of an event are made once and shared by the queues of all
//! clients; the types of axum build an event for each client.

use crate::signal::{OutcomeColumn, Row};
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Appends an event. `id` is a resume point.
pub fn write(out: &mut Vec<u8>, name: &str, id: Option<&str>, data: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(id) = id {
        out.extend_from_slice(b"\nid: ");
        out.extend_from_slice(id.as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
    data(out);
    out.extend_from_slice(b"\n\n");
}

/// A new signal.
pub fn signal(row: &Row) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    write(&mut out, "signal", None, |out| row.write_signal(out));
    out.into()
}

/// New marks of a signal, or prices that its subscriber did not have.
pub fn mark(row: &Row) -> Bytes {
    let mut out = Vec::with_capacity(512);
    write(&mut out, "mark", None, |out| row.write_mark(out));
    out.into()
}

/// What became of a signal, so far or for good.
pub fn outcome(row: &Row<OutcomeColumn>) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    write(&mut out, "outcome", None, |out| row.write_outcome(out));
    out.into()
}

/// A number by which an event is known again.
pub fn fingerprint(event: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.hash(&mut hasher);
    hasher.finish()
}

/// Prices: objects by symbol, a JSON object.
pub fn write_prices(out: &mut Vec<u8>, prices: &serde_json::Map<String, serde_json::Value>) {
    write(out, "price", None, |out| {
        out.extend_from_slice(serde_json::json!(prices).to_string().as_bytes());
    });
}

/// A resume point without anything else.
pub fn write_watermark(out: &mut Vec<u8>, watermark: &str) {
    write(out, "watermark", Some(watermark), |out| {
        out.extend_from_slice(b"{}");
    });
}

/// The last event of a stream, with the reason for its end.
pub fn write_bye(out: &mut Vec<u8>, watermark: Option<&str>, reason: &str) {
    write(out, "bye", watermark, |out| {
        out.extend_from_slice(format!("{{\"reason\":\"{reason}\"}}").as_bytes());
    });
}
