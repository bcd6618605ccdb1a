//! The board in shared memory, which all processes of the server see: one slot per database that
//! has a worker, and the notes of failed calls. It exists when the library is preloaded.

pub mod failed_calls;
mod short_text;
pub mod slots;
pub mod trouble;
