//! The board in shared memory, which all processes of the server see: one slot per database that
//! has a worker, the notes of failed calls, and exchanges that said stop. It exists when the library is preloaded.

pub mod failed_calls;
mod short_text;
pub mod slots;
pub mod stops;
pub mod trouble;
