//! Faults on real servers: each is provoked, and what must hold is then proved by counting rows.
//!
//! `ground` is what most faults strike: a crowd of subscribers, a market that keeps turning, and
//! the count that proves that nothing was lost or sent twice. `processes` looks at processes from
//! outside. The others provoke, one kind of fault each. Servers, sessions and waiting are those of
//! the stories.

// Neither suite needs all of it.
#[allow(dead_code, reason = "the other parts are for the stories")]
#[path = "../stories"]
mod harness {
    pub mod cluster;
    pub mod scene;
    pub mod session;
    pub mod wait;
}
use harness::{cluster, scene, session, wait};

mod ground;
mod processes;

mod certificates;
mod failover;
mod killed;
mod maintenance;
mod memory;
mod names;
mod refused;
mod releases;
mod slots;
mod stopped;
mod together;
