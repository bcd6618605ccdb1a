//! What the tests and benchmarks of signal_hub share: real servers that end with the test that
//! started them, and what most tests begin with.
//!
//! - [`cluster`]: a private PostgreSQL server; [`session`]: a connection to it; [`wait`]: how to
//!   wait for something; [`clocks`]: a server's own time.
//! - [`scene`]: an exchange, a server that asks it, subscribers. [`shop`]: a database whose
//!   signals are made by hand. [`arena`]: a server to measure on.
//! - [`nodes`]: a coordinator of Citus and its worker nodes. [`frozen`]: a server that hangs.
//! - [`service`]: the live service, started and stopped as an operator does it.
//! - [`numbers`]: medians, percentiles and tables for benchmarks. [`target`]: the folders of
//!   cargo's build. [`skip`]: how a test says that it cannot run.
//!
//! Everything here panics when something fails: a panic is how a test fails.

// Not forbidden: one system call in `cluster` has to be made between fork and exec.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod arena;
pub mod clocks;
pub mod cluster;
pub mod frozen;
pub mod nodes;
pub mod numbers;
mod port;
pub mod scene;
pub mod service;
pub mod session;
pub mod shop;
pub mod skip;
pub mod target;
pub mod wait;
