//! Servers whose clocks are not the machine's: PostgreSQL, signal_hub and its helper thread all
//! read the time through a small preloaded library.
//!
//! libfaketime does the same and more, but fakes nothing in a process that is forked inside one
//! of its own calls, and there the postmaster of PostgreSQL 15 forks workers.

use crate::cluster::Options;
use crate::cluster::binaries::succeed;
use signal_hub_simulator::{Simulator, UnixMillis};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// The clocks of one server.
pub struct Clocks {
    folder: PathBuf,
    setting: File,
}

impl Clocks {
    /// The wall clock can be set, and is right until then. The monotonic clock stays the
    /// machine's, as it does when an administrator or NTP sets the time.
    pub fn to_set() -> Self {
        Self::new(1)
    }

    /// All clocks run this many times as fast as the machine's, and waits are shorter by the same
    /// factor.
    pub fn faster(times: u32) -> Self {
        Self::new(times)
    }

    /// The wall clock stands still where [`Clocks::stand_at`] says. The others run this many times
    /// as fast as the machine's, and waits are shorter by the same factor.
    pub fn standing(rate: u32) -> Self {
        Self::new(rate)
    }

    fn new(rate: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("signal_hub-clocks-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the folder is ours");
        let source = include_str!("clocks/preload.c");
        fs::write(folder.join("preload.c"), source).expect("the folder is ours");
        succeed(
            Command::new("cc")
                .args([
                    "-O2",
                    "-shared",
                    "-fPIC",
                    "-o",
                    "preload.so",
                    "preload.c",
                    "-ldl",
                ])
                .current_dir(&folder),
        );
        let setting = File::create(folder.join("setting")).expect("the folder is ours");
        let clocks = Self { folder, setting };
        clocks.write(8, rate.into());
        clocks.set_ahead(0);
        clocks.write(16, 0);
        clocks
    }

    /// Starts the server with these clocks.
    pub fn of(&self, options: Options) -> Options {
        options
            .env("LD_PRELOAD", self.folder.join("preload.so"))
            .env("CLOCK_FILE", self.folder.join("setting"))
    }

    /// Sets the wall clock to this many seconds ahead of the machine's.
    pub fn set_ahead(&self, seconds: i64) {
        self.write(0, seconds * 1_000_000_000);
    }

    /// Stops the wall clock at this time, and the clock of the exchange, whose tickers come first:
    /// until the server has the same time they are of the future, which no run judges.
    pub fn stand_at(&self, market: &Simulator, time: UnixMillis) {
        market.drive_time(time);
        self.write(16, time * 1_000_000);
    }

    fn write(&self, offset: u64, number: i64) {
        let written = self.setting.write_all_at(&number.to_ne_bytes(), offset);
        written.expect("the file is ours");
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
