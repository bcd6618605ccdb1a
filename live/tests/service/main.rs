//! The live service on real servers, asked over HTTP: who is let in, what they get, and that
//! nothing is missing whatever is killed.
//!
//! `client` reads the stream of the service, `proxy` is a network that falls silent, `push_service`
//! takes notifications. What starts
//! and kills the service, servers, sessions and waiting are those of `signal_hub_harness`.

use signal_hub_harness::{cluster, scene, service, shop, wait};

mod alerts;
mod client;

mod catching_up;
mod crowd;
mod encrypted;
mod failover_slot;
mod files;
mod hosts;
mod killed;
mod leaving;
mod logins;
mod monitoring;
mod nodes;
mod operating;
mod operators;
mod outcomes;
mod passwords;
mod preferences;
mod prices;
mod proxy;
mod published;
mod push;
mod push_once;
mod push_service;
mod readme;
mod signing_in;
mod silence;
mod slots;
mod slow;
mod track_record;
mod trust;
mod watchers;
