//! What both ends of a queue know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

/// Of one client.
pub struct State {
    /// Bytes in the queue.
    pub bytes: AtomicUsize,
    /// The client waits for a resume point.
    pub waits: AtomicBool,
    /// A newer client took its place.
    pub replaced: AtomicBool,
    /// Which server's transactions its resume point counts: the number of a node, or 0.
    server: AtomicI32,
}

impl State {
    /// Of a client that waits for its first resume point.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            bytes: AtomicUsize::new(0),
            waits: AtomicBool::new(true),
            replaced: AtomicBool::new(false),
            server: AtomicI32::new(0),
        })
    }

    /// Whether its resume point is of this server.
    pub fn is_of(&self, server: i32) -> bool {
        self.server.load(Ordering::Relaxed) == server
    }

    /// Its resume point is of this server from now on. Returns whether it was of another.
    pub fn move_to(&self, server: i32) -> bool {
        self.server.swap(server, Ordering::Relaxed) != server
    }
}
