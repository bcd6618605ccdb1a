//! Past one machine: a coordinator and two worker nodes of Citus, made by the tests themselves.
//!
//! They run where the PostgreSQL under test has Citus among its libraries, and say 'skipped'
//! elsewhere. `moving` is about the way there and back, `versions` about updates, `dump` about
//! pg_dump, `nodes` about who generates, `delivery` and `plans` about the fan-out, `everyday` about
//! every function and view, `reading` about what clients get, `killed` about processes that die,
//! `away` about nodes that are away and shards that move, `hanging` about nodes that do not answer.

mod away;
mod delivery;
mod dump;
mod everyday;
mod hanging;
mod killed;
mod moving;
mod nodes;
mod plans;
mod rate;
mod reading;
mod versions;
