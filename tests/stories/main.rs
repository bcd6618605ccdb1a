//! Stories of people who use signal_hub, on real servers that live as long as their test.
//!
//! `cluster` is a server, `session` a connection to it, `wait` the way to wait, `scene` what
//! most stories begin with. The others tell stories, one subject each.

#[allow(dead_code, reason = "some parts are for the other suites")]
mod cluster;
mod scene;
mod session;
mod wait;

mod by_hand;
mod databases;
mod entitlement;
mod exchange;
mod failed_calls;
mod fan_out;
mod first_look;
mod health;
mod recorded;
mod recovery;
mod schema;
mod trust;
mod updates;
