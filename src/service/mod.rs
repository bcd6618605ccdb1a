//! The processes that run by themselves: one launcher per server, one worker per database.

mod chores;
pub mod launcher;
mod schedule;
mod worker;
