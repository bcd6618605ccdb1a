//! An empty cluster, made once and copied for each test.

use super::binaries::{Installation, as_server_user, server_user, succeed};
use crate::target;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The name of the folder of a test process begins with this, and goes on with its process id.
const PREFIX: &str = "signal_hub-stories-";

/// A cluster that is never started. It is removed when nobody refers to it any more.
pub struct Template {
    root: PathBuf,
}

impl Template {
    /// The template of this process.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Template>> = Mutex::new(Weak::new());
        // When making one panics, there is none, and the next caller tries again.
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let made = Arc::new(Self::make());
            *shared = Arc::downgrade(&made);
            made
        })
    }

    fn make() -> Self {
        let base = base();
        remove_leftovers(&base);
        // An earlier one may still be in removal when the next is made.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let template = Self {
            root: base.join(format!("{PREFIX}{}-{number}", std::process::id())),
        };
        make_folder(&template.root);
        make_cluster(Installation::under_test(), &[], &template.data());
        template
    }

    fn data(&self) -> PathBuf {
        self.root.join("template")
    }

    /// Makes a new folder, which the server's user can write to.
    pub fn new_folder(&self) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = self.root.join(format!("cluster-{number}"));
        make_folder(&folder);
        folder
    }

    /// Copies the empty cluster to `data`, which must not exist yet.
    pub fn copy_to(&self, data: &Path) {
        succeed(Command::new("cp").arg("-a").arg(self.data()).arg(data));
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next process.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The build's folder for temporary files, or the system's when the server's user cannot reach
/// that.
fn base() -> PathBuf {
    let build = target::temporary();
    let mut test = Command::new("test");
    as_server_user(test.arg("-x").arg(&build)).current_dir("/");
    let reachable = fs::create_dir_all(&build).is_ok() && test.status().is_ok_and(|s| s.success());
    if reachable {
        build
    } else {
        std::env::temp_dir()
    }
}

/// Makes an empty cluster in the folder `data`, whose parent must exist; UTF8 and C unless
/// `options` of initdb say otherwise.
pub fn make_cluster(installation: &Installation, options: &[String], data: &Path) {
    let mut initdb = installation.program("initdb");
    // Small WAL segments: there are many clusters, and each writes little.
    succeed(
        as_server_user(&mut initdb)
            .args(["--username=postgres", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "--wal-segsize=1"])
            .args(options)
            .arg("--pgdata")
            .arg(data)
            .current_dir("/"),
    );
}

fn make_folder(folder: &Path) {
    fs::create_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(folder, Some(user), Some(group)).expect("root may chown");
    }
}

/// Removes the folders of test processes that were killed. Their servers ended with them.
fn remove_leftovers(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let pid = ours.and_then(|ours| ours.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
