//! The live service on real servers, asked over HTTP: who is let in, what they get, and that
//! nothing is missing whatever is killed.
//!
//! `service` starts and kills the service, `client` is one who reads its stream, `proxy` a network
//! that falls silent. `shop`, a
//! database with signals made by hand, is that of the realtime suite; servers, sessions and
//! waiting are those of the stories.

#[allow(dead_code, reason = "the other parts are for the stories")]
#[path = "../../../tests/stories"]
mod harness {
    pub mod cluster;
    pub mod scene;
    pub mod session;
    pub mod wait;
}
use harness::{cluster, scene, session, wait};

#[allow(dead_code, reason = "the other parts are for the realtime suite")]
#[path = "../../../tests/realtime/shop.rs"]
mod shop;

mod client;
#[allow(dead_code, reason = "the other parts are for the benchmark")]
mod service;

mod catching_up;
mod crowd;
mod killed;
mod operating;
mod proxy;
mod published;
mod signing_in;
mod silence;
mod slots;
mod slow;
