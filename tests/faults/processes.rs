//! Processes of a server, as SQL and as the system shows them.

use signal_hub_harness::cluster::Cluster;
use signal_hub_harness::session::Session;
use std::fs;

/// `backend_type` of the one process per server.
pub const LAUNCHER: &str = "signal_hub launcher";
/// `backend_type` of the one process per database.
pub const WORKER: &str = "signal_hub worker";

/// Process ids of this `backend_type`, in all databases.
pub fn pids(session: &mut Session, backend_type: &str) -> Vec<i32> {
    session.list(&format!(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = '{backend_type}' ORDER BY pid"
    ))
}

/// Processes of a cluster, also while it is stopped: all of them have its data folder as their
/// working directory.
pub fn processes_of(cluster: &Cluster) -> Vec<String> {
    let data = cluster.folder().join("data");
    let processes = fs::read_dir("/proc").expect("proc(5)").flatten();
    processes
        .filter(|entry| fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == data))
        .map(|entry| {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            format!("{} {command}", entry.file_name().to_string_lossy())
        })
        .collect()
}

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// Resident memory of its own, in kB. What it shares with the rest of the server does not
    /// count, since that grows with each shared buffer that the process reads.
    pub resident_kb: u64,
    /// Open descriptors except those of the server's own files, of which it keeps up to
    /// max_files_per_process open on purpose.
    pub descriptors: usize,
    pub threads: u64,
}

impl Footprint {
    #[track_caller]
    pub fn of(pid: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|n| n.parse().ok()).expect("proc(5)")
        };
        let data = fs::read_link(format!("/proc/{pid}/cwd")).expect("the process lives");
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("the process lives")
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .filter(|file| !file.starts_with(&data));
        Self {
            resident_kb: number("RssAnon:") + number("RssFile:"),
            descriptors: descriptors.count(),
            threads: number("Threads:"),
        }
    }
}
