//! Who a client is: JSON Web Tokens, checked with a secret or with the keys of a key set.

pub mod crypto;
mod key_source;
mod keys;
mod token;

pub use keys::{Claimant, Keys, Subscriber};
pub use token::issue;

#[cfg(test)]
mod tests;
