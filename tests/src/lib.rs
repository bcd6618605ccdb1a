//! What the tests of signal_hub share: the market simulator.

pub mod simulator;
