//! Faults on real servers: each is provoked, and what must hold is then proved by counting rows.
//!
//! `ground` is what most faults strike: a crowd of subscribers, a market that keeps turning, and
//! the count that proves that nothing was lost or sent twice. `inventory` is what has to survive.
//! `processes` looks at processes from outside; `clocks` and `mounts` are what one server alone
//! sees of time and of disks. The others provoke, one kind of fault each.
//! Servers, sessions and waiting are those of `signal_hub_harness`.

mod clocks;
mod ground;
mod inventory;
mod mounts;
mod processes;

mod certificates;
mod clock;
mod disk;
mod endurance;
mod failover;
mod killed;
mod maintenance;
mod names;
mod refused;
mod releases;
mod retention;
mod shared;
mod slots;
mod stopped;
mod threads;
mod together;
mod upgrades;
