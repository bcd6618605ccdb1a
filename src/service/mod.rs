//! The processes that run by themselves: one launcher per server, one worker per database.

mod adopted;
mod chores;
pub mod launcher;
mod purge;
mod schedule;
mod this_slot;
mod worker;
