//! Writes the install script and the update scripts of signal_hub from the parts in sql/. What
//! the parts are, and in which scripts each of them appears, is in sql/README.md.
//!
//! [`token`] and [`statement`] take SQL apart, [`subject`] says what a statement is about,
//! [`part`] reads a file and holds it against the rules of its kind, [`sources`] reads the folder,
//! [`names`] collects what a script creates, [`scripts`] puts the parts together, and [`build`]
//! computes the number that tells one state of the parts from another.

#![forbid(unsafe_code)]

pub mod build;
pub mod fault;
pub mod names;
pub mod part;
pub mod scripts;
pub mod sources;
pub mod statement;
pub mod subject;
pub mod token;

#[cfg(test)]
mod tests;
