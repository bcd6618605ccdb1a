//! The shape of the code: how long files are, which rooms know which, and how far a reader has to
//! walk from the exchange's reply to the row on record.

mod bodies;
mod rooms;
mod size;
mod source;
mod walk;
