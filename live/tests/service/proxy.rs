//! A network between the service and its database: existing connections may fall silent while new
//! ones work, as behind a firewall that forgot them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

pub struct Proxy {
    port: u16,
    made: Arc<AtomicU32>,
    silence: Arc<Silence>,
}

/// Connections below this number are silent until the proxy is dropped.
#[derive(Default)]
struct Silence {
    below: Mutex<u32>,
    changed: Condvar,
}

impl Proxy {
    /// A proxy to this port of this machine.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let proxy = Self {
            port: listener.local_addr().expect("it listens").port(),
            made: Arc::default(),
            silence: Arc::default(),
        };
        let (made, silence) = (Arc::clone(&proxy.made), Arc::clone(&proxy.silence));
        // The threads end with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let number = made.fetch_add(1, Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone(), to.try_clone());
                    let silence = Arc::clone(&silence);
                    thread::spawn(move || {
                        pump(
                            from.expect("a socket"),
                            to.expect("a socket"),
                            number,
                            &silence,
                        );
                    });
                }
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing passes through the existing connections, not even their end.
    pub fn silence(&self) {
        self.set_below(self.made.load(Ordering::Relaxed));
    }

    fn set_below(&self, below: u32) {
        let mut silent = self.silence.below.lock().expect("no panic");
        *silent = below;
        self.silence.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set_below(0);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, number: u32, silence: &Silence) {
    let mut bytes = [0; 65536];
    loop {
        let read = from.read(&mut bytes).unwrap_or(0);
        let silent = silence.below.lock().unwrap_or_else(PoisonError::into_inner);
        drop(silence.changed.wait_while(silent, |below| number < *below));
        if read == 0 || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    for socket in [from, to] {
        let _ = socket.shutdown(Shutdown::Both);
    }
}
