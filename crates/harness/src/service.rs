//! The live service as an operator runs it: started, stopped, killed.
//!
//! For tests and benchmarks of `signal_hub_live` only: cargo builds its program for them.

use crate::cluster::{Cluster, POSTGRES};
use crate::port::Port;
use crate::scene::{SOON, user};
use crate::session::Session;
use crate::shop::Shop;
use crate::target;
use crate::wait::{eventually, within};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// The key that the service checks tokens with.
pub const SECRET: &str = "a secret of these tests, and of nothing else";
/// The replication slot that the service reads by default.
pub const SLOT: &str = "signal_hub_live";

/// How to start a service, and the process while it runs. Dropping it kills the process.
pub struct Service {
    database: String,
    secret: PathBuf,
    /// Host and port that it listens on.
    address: String,
    /// Kept as long as this: the service comes back to it after a restart.
    _port: Port,
    child: Option<Child>,
    /// The most files that it may open; `None`: as many as this process.
    files: Option<u32>,
    /// Whether nobody reads its log any more.
    deaf: Arc<AtomicBool>,
    said: Arc<Mutex<String>>,
    /// Reads its log, until the process has ended.
    reader: Option<JoinHandle<()>>,
}

/// A shop that publishes, and a service that is started and follows it.
pub fn open() -> (Shop, Service) {
    let mut shop = Shop::open();
    shop.admin.run("SELECT enable_realtime()");
    let mut service = Service::of(&shop.cluster, &mut shop.admin);
    service.start(&["--create-slot"]);
    (shop, service)
}

impl Service {
    /// A service for the database `postgres` of a cluster, not started yet.
    pub fn of(cluster: &Cluster, admin: &mut Session) -> Self {
        let port: String = admin.one("SHOW port");
        let own_port = Port::reserve();
        let secret = cluster.folder().join("secret");
        fs::write(&secret, format!("{SECRET}\n")).expect("the folder is ours");
        Self {
            database: format!("postgresql://postgres@127.0.0.1:{port}/{POSTGRES}"),
            secret,
            address: format!("127.0.0.1:{}", own_port.number()),
            _port: own_port,
            child: None,
            files: None,
            deaf: Arc::default(),
            said: Arc::default(),
            reader: None,
        }
    }

    /// From the next start on it connects as this role; also ROLE:PASSWORD.
    pub fn become_role(&mut self, role: &str) {
        let (_, server) = self.database.split_once('@').expect("a URL");
        self.database = format!("postgresql://{role}@{server}");
    }

    /// From the next start on it connects to this port of the same host.
    pub fn go_by(&mut self, port: u16) {
        let (server, name) = self.database.rsplit_once('/').expect("a URL");
        let (host, _) = server.rsplit_once(':').expect("a port");
        self.database = format!("{host}:{port}/{name}");
    }

    /// From the next start on it uses this address of the database.
    pub fn use_address(&mut self, address: &str) {
        address.clone_into(&mut self.database);
    }

    /// From the next start on it may open at most this many files.
    pub fn may_open(&mut self, files: u32) {
        self.files = Some(files);
    }

    /// Stops reading its log and closes the pipe, like a log collector that crashes.
    pub fn stop_hearing(&self) {
        self.deaf.store(true, Ordering::Relaxed);
    }

    /// The program with one of its commands, such as `serve`, and the service's environment.
    pub fn command(&self, command: &str) -> Command {
        let executable = target::program("signal_hub_live");
        let mut program = match self.files {
            None => Command::new(executable),
            Some(files) => {
                let mut shell = Command::new("/bin/sh");
                let limited = format!("ulimit -n {files}; exec \"$0\" \"$@\"");
                shell.args(["-c", &limited]).arg(executable);
                shell
            }
        };
        program
            .arg(command)
            .env_clear()
            .env("DATABASE_URL", &self.database)
            .env("SIGNAL_HUB_LIVE_JWT_SECRET_FILE", &self.secret);
        program
    }

    /// Runs a command of the program to its end.
    pub fn run(&self, command: &str, arguments: &[&str]) -> Output {
        let output = self.command(command).args(arguments).output();
        output.expect("the program runs")
    }

    /// Runs `serve`, which has to fail at once, and returns its log.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let mut all = vec!["--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let output = self.run("serve", &all);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    }

    /// Starts it, each time on the same port, and waits until it is ready.
    pub fn start(&mut self, arguments: &[&str]) {
        assert!(self.child.is_none(), "the service is running");
        let mut child = self
            .command("serve")
            .args(["--listen", &self.address])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let (said, deaf) = (Arc::clone(&self.said), Arc::clone(&self.deaf));
        said.lock().expect("no panic").clear();
        self.reader = Some(thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *said.lock().expect("no panic") += &(line + "\n");
                if deaf.load(Ordering::Relaxed) {
                    break;
                }
            }
        }));
        self.child = Some(child);
        self.address = eventually(SOON, "the service listens", || {
            let ended = self.child.as_mut().and_then(|c| c.try_wait().ok()?);
            assert!(ended.is_none(), "the service ended: {}", self.said());
            let said = self.said();
            let (_, rest) = said.split_once("listening on http://")?;
            Some(rest.lines().next()?.to_owned())
        });
        eventually(SOON, "the service follows", || {
            self.get("/healthz", None).status() == 200
        });
    }

    /// Its log since the last start.
    pub fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process().as_raw_nonzero().get()
    }

    fn process(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("the service runs"))
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the service runs");
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        self.hear_out();
    }

    /// Waits until all that the process said before its end was read.
    fn hear_out(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no panic");
        }
    }

    /// Stops it with SIGTERM, as a service manager does, and returns its exit status.
    pub fn stop(&mut self) -> ExitStatus {
        kill_process(self.process(), Signal::TERM).expect("it is ours");
        let mut child = self.child.take().expect("the service runs");
        let ended = within(SOON, || child.try_wait().ok()?);
        let status = ended.unwrap_or_else(|| {
            let _ = child.kill();
            panic!("the service did not stop: {}", self.said());
        });
        self.hear_out();
        status
    }

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Host and port that it listens on.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A token for subscriber `number`, made by the command `token`.
    pub fn token(&self, number: u32) -> String {
        let output = self.run("token", &["--sub", &user(number)]);
        assert!(output.status.success(), "{output:?}");
        let token = String::from_utf8(output.stdout).expect("text");
        token.trim_end().to_owned()
    }

    /// Requests a path with GET, with a token if there is one.
    pub fn get(&self, path: &str, token: Option<&str>) -> ureq::http::Response<ureq::Body> {
        let mut request = agent().get(self.url(path));
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request.call().expect("the service answers")
    }

    /// What `/healthz` says about the database and about replication; "ok" when all is well.
    pub fn health(&self) -> String {
        let body = self.get("/healthz", None).body_mut().read_to_string();
        let json: serde_json::Value = serde_json::from_str(&body.expect("text")).expect("JSON");
        match json["status"].as_str() {
            Some("ok") => "ok".to_owned(),
            _ => format!("{}, {}", json["database"], json["replication"]).replace('"', ""),
        }
    }

    /// Requests a path with GET and a token, again while the service is busy: the JSON of the
    /// reply.
    pub fn json(&self, path: &str, token: &str) -> serde_json::Value {
        let (status, text) = eventually(SOON, path, || {
            let mut response = self.get(path, Some(token));
            let text = response.body_mut().read_to_string().expect("text");
            (response.status() != 503).then_some((response.status(), text))
        });
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Sends JSON to a path with POST and a token: status and JSON of the reply.
    pub fn post(&self, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
        self.send(agent().post(self.url(path)), token, body)
    }

    /// The same with PUT.
    pub fn put(&self, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
        self.send(agent().put(self.url(path)), token, body)
    }

    /// The same with DELETE.
    pub fn delete(&self, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
        let request = agent().delete(self.url(path)).force_send_body();
        self.send(request, token, body)
    }

    fn send(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        token: &str,
        body: &str,
    ) -> (u16, serde_json::Value) {
        let request = request.header("Authorization", format!("Bearer {token}"));
        let mut response = request.send(body).expect("the service answers");
        let text = response.body_mut().read_to_string().expect("text");
        let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
        (response.status().as_u16(), json)
    }

    /// A number of `/metrics`; `name` without the prefix `signal_hub_live_`.
    pub fn metric(&self, name: &str) -> f64 {
        let mut response = self.get("/metrics", None);
        let text = response.body_mut().read_to_string().expect("text");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("signal_hub_live_{name} ")));
        let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
        line.parse().expect("a number")
    }
}

/// An HTTP client that does not take the statuses 400 to 599 for errors.
pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    config.into()
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if thread::panicking() {
            eprintln!("the service said:\n{}", self.said());
        }
    }
}
