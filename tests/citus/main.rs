//! Past one machine: a coordinator and two worker nodes of Citus, made by the tests themselves.
//!
//! They run where the PostgreSQL under test has Citus among its libraries, and say 'skipped'
//! elsewhere. `moving` is about the way there and back, `nodes` about who generates, `delivery`
//! about the fan-out, `everyday` about every function and view, `reading` about what clients get, `killed` about processes that die, `away`
//! about nodes that are away and shards that move.

mod away;
mod delivery;
mod everyday;
mod killed;
mod moving;
mod nodes;
mod rate;
mod reading;
