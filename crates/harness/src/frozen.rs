//! Servers that hang: all their processes are stopped, while the kernel still answers for them.

use crate::cluster::Cluster;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;

/// The processes of a server, stopped until this is dropped.
pub struct Frozen(Vec<Pid>);

impl Frozen {
    /// Stops a server's postmaster, and then its other processes.
    pub fn freeze(server: &Cluster) -> Self {
        let postmaster = postmaster(server);
        let stop = |pid: Pid| {
            // One that has ended meanwhile is none of them.
            let _ = kill_process(pid, Signal::STOP);
        };
        stop(postmaster);
        let mut all = vec![postmaster];
        for child in children(postmaster) {
            stop(child);
            all.push(child);
        }
        Self(all)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

/// The process that a server was started as.
pub fn postmaster(server: &Cluster) -> Pid {
    let file = fs::read_to_string(server.data().join("postmaster.pid")).expect("it runs");
    let pid = file.lines().next().and_then(|pid| pid.parse().ok());
    pid.and_then(Pid::from_raw).expect("a process id")
}

fn children(of: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("proc(5)").flatten();
    let parent = of.as_raw_nonzero().get().to_string();
    entries
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // Behind the name: state and parent.
            let (_, fields) = stat.rsplit_once(") ")?;
            let is_child = fields.split(' ').nth(1)? == parent;
            let pid = entry.file_name().to_str()?.parse().ok()?;
            is_child.then(|| Pid::from_raw(pid)).flatten()
        })
        .collect()
}
