//! The shape of the code: how long files are, which rooms know which, how far a reader has to
//! walk from the exchange's reply to the row on record, and whether links between documents hold.

mod bodies;
mod links;
mod rooms;
mod seam;
mod size;
mod source;
mod walk;
