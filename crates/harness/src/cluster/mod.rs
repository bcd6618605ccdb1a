//! Private clusters: real servers on loopback that end with the test that started them.

pub mod binaries;
mod template;

use crate::port::Port;
use crate::session::Session;
use crate::wait::{eventually, within};
use binaries::{Installation, as_server_user, succeed};
use postgres::{Client, Config, NoTls};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use template::{Template, make_cluster};

/// The database every cluster has.
pub const POSTGRES: &str = "postgres";

/// Longest time for a server to start, recovery included, or to stop.
const START_OR_STOP: Duration = Duration::from_secs(60);

/// What a cluster starts with; each method adds something.
pub struct Options {
    preloaded: bool,
    settings: Vec<(String, String)>,
    environment: Vec<(String, OsString)>,
    /// More options of initdb; with any, the cluster is no copy of the template.
    initdb: Vec<String>,
}

impl Options {
    /// The extension's library is preloaded, as an administrator should have it.
    pub fn preloaded() -> Self {
        Self {
            preloaded: true,
            settings: Vec::new(),
            environment: Vec::new(),
            initdb: Vec::new(),
        }
    }

    /// The extension's files are installed, and its library is not preloaded.
    pub fn not_preloaded() -> Self {
        Self {
            preloaded: false,
            ..Self::preloaded()
        }
    }

    /// Adds a setting to postgresql.conf; `value` is not quoted yet.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a variable to the environment of the server, at each of its starts.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Makes the cluster with this encoding and locale, such as `LATIN1` and `C`, instead of UTF8
    /// and C. The start then takes a second longer.
    pub fn encoding(mut self, encoding: &str, locale: &str) -> Self {
        self.initdb = vec![
            format!("--encoding={encoding}"),
            format!("--locale={locale}"),
        ];
        self
    }

    /// Makes the cluster, starts it, and waits until it takes connections.
    pub fn start(self) -> Cluster {
        let cluster = Cluster::without_data(Template::shared());
        if self.initdb.is_empty() {
            cluster.template.copy_to(&cluster.data());
        } else {
            make_cluster(cluster.installation, &self.initdb, &cluster.data());
        }
        self.start_in(cluster)
    }

    /// Like `start`, with the older PostgreSQL that `OLD_PG_CONFIG` names, to upgrade from.
    /// `checksums`: whether its data pages have checksums.
    pub fn start_older(mut self, checksums: bool) -> Cluster {
        let mut cluster = Cluster::without_data(Template::shared());
        cluster.installation = Installation::older();
        self.initdb
            .extend(checksums.then(|| "--data-checksums".to_owned()));
        make_cluster(cluster.installation, &self.initdb, &cluster.data());
        self.start_in(cluster)
    }

    fn start_in(self, mut cluster: Cluster) -> Cluster {
        cluster.environment = self.environment;
        if self.preloaded {
            cluster.append_setting("shared_preload_libraries", "signal_hub");
        }
        for (name, value) in [
            ("fsync", "off"),
            ("shared_buffers", "16MB"),
            ("max_connections", "40"),
            ("log_line_prefix", "%m [%p] %b %d "),
            ("unix_socket_directories", ""),
        ] {
            cluster.append_setting(name, value);
        }
        for (name, value) in &self.settings {
            cluster.append_setting(name, value);
        }
        cluster.start();
        cluster
    }
}

/// How a server is asked to stop, as by `pg_ctl stop -m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stop {
    /// Ends all sessions, writes a checkpoint.
    Fast,
    /// Ends all processes at once; the next start recovers as after a crash.
    Immediate,
}

/// A server and its folder. Dropping it stops the server and removes the folder.
pub struct Cluster {
    installation: &'static Installation,
    folder: PathBuf,
    port: Port,
    environment: Vec<(String, OsString)>,
    server: Option<Child>,
    // Dropped last, so that the template's folder is removed after the cluster's.
    template: Arc<Template>,
}

impl Cluster {
    fn without_data(template: Arc<Template>) -> Self {
        Self {
            installation: Installation::under_test(),
            folder: template.new_folder(),
            port: Port::reserve(),
            environment: Vec::new(),
            server: None,
            template,
        }
    }

    /// Makes a streaming standby of this cluster, and starts it.
    pub fn standby(&self) -> Self {
        let mut standby = Self::without_data(Arc::clone(&self.template));
        let data = standby.data();
        let mut backup = self.tool("pg_basebackup");
        backup
            .args(["--write-recovery-conf", "--wal-method=stream"])
            .args(["--checkpoint=fast", "--no-sync", "--pgdata"])
            .arg(&data);
        succeed(as_server_user(&mut backup));
        standby.start();
        standby
    }

    /// Starts the server and waits until it takes connections.
    pub fn start(&mut self) {
        assert!(self.server.is_none(), "the server is running");
        let log = || {
            let file = File::options()
                .create(true)
                .append(true)
                .open(self.log_file());
            Stdio::from(file.expect("the log file is ours"))
        };
        let mut command = self.installation.program("postgres");
        as_server_user(&mut command)
            .arg("-D")
            .arg(self.data())
            // Not in postgresql.conf, which a standby copies.
            .args(["-c", "listen_addresses=127.0.0.1"])
            .arg("-p")
            .arg(self.port.number().to_string())
            // With this, a panic has a backtrace: tests check that users never see one.
            .env("RUST_BACKTRACE", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log());
        end_with_this_process(&mut command);
        self.server = Some(command.spawn().expect("the server starts"));
        eventually(START_OR_STOP, "the server takes connections", || {
            let ended = self.server.as_mut().and_then(|s| s.try_wait().ok()?);
            assert!(ended.is_none(), "the server ended at once: {ended:?}");
            self.try_connect(POSTGRES)
        });
    }

    /// Stops the server, waits until it has ended, and returns its exit status.
    pub fn stop(&mut self, how: Stop) -> ExitStatus {
        let signal = match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        };
        self.signal(signal);
        self.wait_for_end()
    }

    /// Stops the server as by `pg_ctl stop -m fast`, and starts it again.
    pub fn restart(&mut self) {
        self.stop(Stop::Fast);
        self.start();
    }

    /// Kills the postmaster with SIGKILL, and waits until its other processes have ended, too.
    pub fn kill9(&mut self) {
        self.kill9_at();
    }

    /// Like `kill9`, and returns when the signal was sent.
    pub fn kill9_at(&mut self) -> Instant {
        let mut session = self.session(POSTGRES);
        let children: Vec<i32> = session.list("SELECT pid FROM pg_stat_activity");
        let killed_at = Instant::now();
        self.signal(Signal::KILL);
        self.wait_for_end();
        eventually(START_OR_STOP, "the postmaster's processes end", || {
            !children.iter().any(|pid| is_alive(*pid))
        });
        killed_at
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the server is ours");
    }

    fn pid(&self) -> Pid {
        let server = self.server.as_ref().expect("the server is running");
        Pid::from_child(server)
    }

    fn wait_for_end(&mut self) -> ExitStatus {
        let mut server = self.server.take().expect("the server is running");
        match within(START_OR_STOP, || server.try_wait().ok()?) {
            Some(status) => status,
            None => {
                let _ = server.kill();
                let _ = server.wait();
                panic!("the server did not stop within {START_OR_STOP:?}");
            }
        }
    }

    /// Changes a setting with ALTER SYSTEM and reloads; does not wait until processes have it.
    pub fn configure(&self, name: &str, value: &str) {
        let mut session = self.session(POSTGRES);
        session.run(&format!("ALTER SYSTEM SET {name} = '{value}'"));
        session.run("SELECT pg_reload_conf()");
    }

    /// Adds a line to postgresql.conf, for the next start.
    pub fn append_setting(&self, name: &str, value: &str) {
        let file = File::options()
            .append(true)
            .open(self.data().join("postgresql.conf"));
        let line = format!("{name} = '{}'\n", value.replace('\'', "''"));
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        written.expect("the configuration file is ours");
    }

    /// Creates a database and connects to it.
    pub fn create_database(&self, name: &str) -> Session {
        self.session(POSTGRES)
            .run(&format!("CREATE DATABASE \"{name}\""));
        self.session(name)
    }

    /// Connects to a database as the superuser.
    #[track_caller]
    pub fn session(&self, database: &str) -> Session {
        match self.config(database).connect(NoTls) {
            Ok(client) => Session::new(client),
            Err(error) => panic!("could not connect to {database}: {error}"),
        }
    }

    /// Connects to a database as another role, which may log in.
    #[track_caller]
    pub fn session_as(&self, role: &str, database: &str) -> Session {
        match self.config(database).user(role).connect(NoTls) {
            Ok(client) => Session::new(client),
            Err(error) => panic!("could not connect to {database} as {role}: {error}"),
        }
    }

    fn try_connect(&self, database: &str) -> Option<Client> {
        self.config(database).connect(NoTls).ok()
    }

    /// How to connect to a database as its superuser.
    pub fn config(&self, database: &str) -> Config {
        let mut config = Client::configure();
        config
            .host("127.0.0.1")
            .port(self.port.number())
            .user("postgres")
            .dbname(database)
            .connect_timeout(Duration::from_secs(10));
        config
    }

    /// A client program such as pg_dump that talks to this server.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = self.installation.program(name);
        command
            .args(["--host=127.0.0.1", "--username=postgres", "--port"])
            .arg(self.port.number().to_string())
            .current_dir(&self.folder);
        command
    }

    /// What the server has written to its log so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A folder for files of the test, removed with the cluster. The server can write there.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the server keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = kill_process(Pid::from_child(&server), Signal::QUIT);
            if within(START_OR_STOP, || server.try_wait().ok()?).is_none() {
                let _ = server.kill();
                let _ = server.wait();
            }
        }
        if std::thread::panicking() {
            const LINES: usize = 60;
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(LINES)..];
            eprintln!("end of the server's log:\n{}", end.join("\n"));
        }
        // What cannot be removed now is removed with the template, or by a later process.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Lets the command's process end with this one, even if this one is killed.
#[allow(
    unsafe_code,
    reason = "the standard library has no other way to prepare a process"
)]
fn end_with_this_process(command: &mut Command) {
    // SAFETY: the closure makes one system call and allocates nothing, which is allowed between
    // fork and exec.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::QUIT))?));
    }
}

/// Whether a process runs. A zombie, whose parent has yet to read its exit status, does not.
fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
