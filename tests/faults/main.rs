//! Faults on real servers: each is provoked, and then counting rows proves what must hold.
//!
//! `ground` is what most faults strike: a crowd of subscribers, a market that keeps moving, and
//! the count that proves that nothing was lost or sent twice. `inventory` is what has to survive.
//! `processes` inspects processes from outside; `mounts` gives one server its own disks. Each of the other files provokes one kind of fault. Servers, sessions
//! and waiting are those of `signal_hub_harness`.

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
mod postmaster;
mod refused;
mod refused_to_all;
mod releases;
mod retention;
mod settling;
mod shared;
mod slots;
mod stopped;
mod threads;
mod together;
mod upgrades;
