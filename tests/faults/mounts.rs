//! Mounts that only the servers of one story see.

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, mount_remount, unmount,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use signal_hub_harness::cluster::binaries::server_user;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Runs a story in a thread that has its own view of the file system. Only this thread and the
/// servers that it starts see what it mounts, and the mounts end with them.
///
/// # Panics
/// When it is not run by root: nobody else may mount anything.
pub fn with_mounts_of_its_own(story: impl FnOnce() + Send + 'static) {
    assert!(
        rustix::process::getuid().is_root(),
        "this fault cannot be provoked by an ordinary user: run this as root"
    );
    let story = std::thread::spawn(|| {
        // SAFETY: this only changes which mounts this thread sees, and nothing in this process
        // relies on all threads seeing the same ones.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.expect("root may");
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).expect("root may");
        story();
    });
    if let Err(panic) = story.join() {
        std::panic::resume_unwind(panic);
    }
}

/// A small disk with a folder that the server's user may write to.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts an empty one. For stories in [`with_mounts_of_its_own`].
    pub fn of(megabytes: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("signal_hub-disk-{}-{number}", std::process::id());
        let disk = Self {
            folder: std::env::temp_dir().join(name),
        };
        fs::create_dir(&disk.folder).expect("the folder is ours");
        let options = CString::new(format!("size={megabytes}m,mode=0755")).expect("no zero byte");
        mount(
            "tmpfs",
            &disk.folder,
            "tmpfs",
            MountFlags::empty(),
            &*options,
        )
        .expect("root may");
        fs::create_dir(disk.data()).expect("the disk is ours");
        let (user, group) = server_user().expect("run by root");
        std::os::unix::fs::chown(disk.data(), Some(user), Some(group)).expect("root may");
        disk
    }

    /// The folder that the server's user may write to.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Fills the disk with something else, except for this many bytes.
    pub fn fill_up_except(&self, left: usize) {
        let mut file = File::create(self.other()).expect("the disk is ours");
        let block = vec![0; 64 << 10];
        while file.write_all(&block).is_ok() {}
        let size = file.metadata().expect("it is open").len();
        file.set_len(size - left as u64).expect("it gets shorter");
    }

    /// Removes what filled the disk.
    pub fn make_room(&self) {
        fs::remove_file(self.other()).expect("the disk is ours");
    }

    /// Makes it read-only, or writable again. No file of it may be open for writing.
    pub fn set_read_only(&self, read_only: bool) {
        let flags = if read_only {
            MountFlags::RDONLY
        } else {
            MountFlags::empty()
        };
        mount_remount(&self.folder, flags, c"").expect("root may, and nobody writes");
    }

    fn other(&self) -> PathBuf {
        self.folder.join("other")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(&self.folder, UnmountFlags::DETACH);
        let _ = fs::remove_dir(&self.folder);
    }
}
