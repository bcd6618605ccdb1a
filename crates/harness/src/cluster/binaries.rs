//! The PostgreSQL under test: where its programs are, and which user they run as.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// A program of the PostgreSQL under test, such as `initdb`.
pub fn program(name: &str) -> Command {
    Installation::under_test().program(name)
}

/// The library of the extension under test.
pub fn library() -> &'static Path {
    &Installation::under_test().library
}

/// The versions that were released before the one under test, in order: each left its install
/// script in `sql/releases`.
pub fn releases() -> Vec<String> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sql/releases");
    let entries = std::fs::read_dir(scripts).expect("the scripts are in the repository");
    let mut releases: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.expect("readable").file_name().into_string().ok()?;
            let release = name.strip_prefix("signal_hub--")?.strip_suffix(".sql")?;
            // The name of an update script has two versions.
            (!release.contains("--")).then(|| release.to_owned())
        })
        .collect();
    releases.sort_unstable();
    releases
}

/// Lets a command run as the user that servers run as: PostgreSQL refuses to be started by root.
pub fn as_server_user(command: &mut Command) -> &mut Command {
    match server_user() {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}

/// Ids of the user and the group that servers run as; `None` when the tests do not run as root,
/// and servers run as the same user.
pub fn server_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        let id = |option| output(Command::new("id").args([option, "postgres"]));
        rustix::process::getuid().is_root().then(|| {
            let number = |text: String| text.parse().expect("id prints a number");
            (number(id("-u")), number(id("-g")))
        })
    })
}

/// What a command prints to standard output, without the final line break.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn output(command: &mut Command) -> String {
    let Output { stdout, .. } = succeed(command);
    String::from_utf8_lossy(&stdout).trim_end().to_owned()
}

/// Runs a command to its end.
///
/// # Panics
/// When it fails, with all that it printed.
#[track_caller]
pub fn succeed(command: &mut Command) -> Output {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("could not run {command:?}: {error}"),
    };
    assert!(
        output.status.success(),
        "{command:?} failed with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A PostgreSQL that has the extension.
pub struct Installation {
    /// The folder of its programs.
    pub programs: PathBuf,
    library: PathBuf,
}

impl Installation {
    /// The one that the variable `PG_CONFIG` names, else the one of the `pg_config` in PATH.
    pub fn under_test() -> &'static Self {
        static UNDER_TEST: OnceLock<Installation> = OnceLock::new();
        UNDER_TEST.get_or_init(|| {
            Self::find(std::env::var_os("PG_CONFIG").unwrap_or_else(|| "pg_config".into()))
        })
    }

    /// The one that `OLD_PG_CONFIG` names, to upgrade from.
    ///
    /// # Panics
    /// Unless the variable is set.
    pub fn older() -> &'static Self {
        static OLDER: OnceLock<Installation> = OnceLock::new();
        OLDER.get_or_init(|| {
            let pg_config = std::env::var_os("OLD_PG_CONFIG");
            Self::find(pg_config.expect("OLD_PG_CONFIG names the pg_config of an older PostgreSQL"))
        })
    }

    fn find(pg_config: OsString) -> Self {
        let path = |option| PathBuf::from(output(Command::new(&pg_config).arg(option)));
        let library = path("--pkglibdir").join("signal_hub.so");
        let control = path("--sharedir").join("extension/signal_hub.control");
        for file in [&library, &control] {
            assert!(
                file.is_file(),
                "signal_hub is not installed: {} is missing. Run ./pgrx-install.sh test",
                file.display()
            );
        }
        Self {
            programs: path("--bindir"),
            library,
        }
    }

    /// A program of this PostgreSQL, without the variables that libpq reads.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        // A developer's own PGHOST or PGOPTIONS must not send the tests to another server.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PG") {
                command.env_remove(variable);
            }
        }
        command
    }
}
