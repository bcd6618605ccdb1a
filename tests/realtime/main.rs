//! Realtime on real servers: who may read what, what a client that was away gets, and programs
//! that follow by logical replication.
//!
//! Most tests begin with `signal_hub_harness::shop`: a database with the extension whose signals
//! are made by hand. `publications`, `intruders`, `triggered`, `marks`, `catching_up`, `histories`,
//! `disks_put_back` and `slots` are about the database's side; `consumers` is about the programs
//! that follow by logical replication.

mod catching_up;
mod consumers;
mod disks_put_back;
mod histories;
mod intruders;
mod marks;
mod publications;
mod slots;
mod triggered;
