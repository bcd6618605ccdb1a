//! The configuration file: every option, after the command line and the environment.

use crate::service::{SECRET, Service};
use crate::shop::Shop;
use signal_hub_harness::target;
use std::fs;
use std::process::{Command, Output};

#[test]
fn an_operator_writes_the_options_into_a_file() {
    let mut shop = Shop::open();
    let port: String = shop.admin.one("SHOW port");
    let folder = shop.cluster.folder().to_owned();
    // Writes the file with the secret.
    let _ = Service::of(&shop.cluster, &mut shop.admin);
    let file = folder.join("live.toml");
    fs::write(
        &file,
        format!(
            "database-url = 'postgresql://postgres@127.0.0.1:{port}/postgres'\n\
             slot = 'from_the_file'\nlog-format = 'json'\nmax-clients = 10\n\
             jwt-secret-file = '{}'\n",
            folder.join("secret").display()
        ),
    )
    .expect("the folder is ours");
    let run = |arguments: &[&str], variables: &[(&str, &str)]| -> Output {
        let mut program = Command::new(target::program("signal_hub_live"));
        program.args(arguments).arg("--config").arg(&file);
        program.env_clear().envs(variables.iter().copied());
        program.output().expect("the program runs")
    };
    for (arguments, variables, slot) in [
        (&["create-slot"][..], &[][..], "from_the_file"),
        (
            &["create-slot"],
            &[("SIGNAL_HUB_LIVE_SLOT", "from_the_environment")],
            "from_the_environment",
        ),
        (
            &["create-slot", "--slot=from_the_command_line"],
            &[("SIGNAL_HUB_LIVE_SLOT", "from_the_environment")],
            "from_the_command_line",
        ),
    ] {
        let output = run(arguments, variables);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.starts_with('{') && said.contains(slot), "{said}");
    }
    let slots: Vec<String> = shop
        .admin
        .list("SELECT slot_name::text FROM pg_replication_slots ORDER BY 1");
    assert_eq!(
        slots,
        [
            "from_the_command_line",
            "from_the_environment",
            "from_the_file"
        ]
    );
    let token = run(&["token", "--sub", &crate::scene::user(2)], &[]);
    assert!(token.status.success(), "{token:?}");
    let version = run(&["--version"], &[]);
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert_eq!(
        version,
        format!("signal_hub_live {}\n", env!("CARGO_PKG_VERSION"))
    );

    fs::write(&file, format!("slto = '{SECRET}'\n")).expect("the folder is ours");
    let output = run(&["create-slot"], &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("slto: there is no such option"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}
