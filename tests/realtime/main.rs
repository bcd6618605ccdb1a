//! Realtime on real servers: who is let in, what a client that was away gets, who follows.
//!
//! `shop` is what most tests begin with: a database with the extension, its signals made by hand.
//! `publications`, `intruders`, `marks`, `catching_up`, `histories` and `slots` are about the
//! database's side; `consumers` about the programs that follow by logical replication. Servers,
//! sessions and waiting are those of the stories.

// This suite does not need all of it.
#[allow(dead_code, reason = "the other parts are for the stories")]
#[path = "../stories"]
mod harness {
    pub mod cluster;
    pub mod scene;
    pub mod session;
    pub mod wait;
}
use harness::{cluster, scene, session, wait};

mod shop;

mod catching_up;
mod consumers;
mod histories;
mod intruders;
mod marks;
mod publications;
mod slots;
