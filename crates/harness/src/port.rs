//! Ports of servers under test.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// A port that no other test takes, of this process or of another, also while its server is
/// stopped.
pub(crate) struct Port {
    number: u16,
    // The number is reserved by whoever has it for UDP, which no server under test uses.
    _reserved: UdpSocket,
}

impl Port {
    /// One that nobody listens on, below the range from which the system itself chooses.
    pub(crate) fn reserve() -> Self {
        const FIRST: u16 = 20_000;
        const PORTS: u16 = 10_000;
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Test processes that run at the same time begin at different ports.
        let begin = (std::process::id() * 61 % u32::from(PORTS)) as u16;
        for _ in 0..PORTS {
            let number = FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
            let address = (Ipv4Addr::LOCALHOST, number);
            let Ok(reserved) = UdpSocket::bind(address) else {
                continue;
            };
            if TcpListener::bind(address).is_ok() {
                return Self {
                    number,
                    _reserved: reserved,
                };
            }
        }
        panic!("no port is free");
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}
