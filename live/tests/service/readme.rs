//! The commands of README.md, run as they stand there.

use crate::cluster::POSTGRES;
use crate::scene::user;
use crate::shop::Shop;
use signal_hub_harness::target;
use std::process::{Command, Stdio};

/// The first block of this language in README.md.
fn block(language: &str) -> &'static str {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme
        .split_once(&format!("```{language}\n"))
        .expect("a block");
    rest.split_once("```").expect("its end").0
}

#[test]
fn the_commands_of_the_readme_set_up_a_service_that_serves() {
    let mut shop = Shop::open();
    let port: String = shop.admin.one("SHOW port");
    shop.admin.run(block("sql"));
    let programs = target::program("signal_hub_live");
    let programs = programs.parent().expect("a folder").display();
    // The program is built, the server is another, and the service ends with the test.
    let commands: Vec<String> = block("sh")
        .lines()
        .filter(|line| !line.starts_with("cargo build"))
        .map(|line| {
            line.replace("$PWD/target/release", &programs.to_string())
                .replace("@127.0.0.1/mydb", &format!("@127.0.0.1:{port}/{POSTGRES}"))
                .replace("UUID", &user(2))
        })
        .map(|line| match line.contains(" serve ") {
            true => format!("{line} 2>log & service=$!"),
            false => line,
        })
        .collect();
    let script = format!(
        "set -eu\n{}\n\
         for _ in $(seq 1200); do ! grep -q 'listening on' log || break; sleep 0.05; done\n\
         kill $service\nwait $service\ncat log",
        commands.join("\n")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(shop.cluster.folder())
        .env("SIGNAL_HUB_LIVE_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script}\n{said}{errors}");
    let token = said.lines().next().unwrap_or_default();
    assert_eq!(token.split('.').count(), 3, "{said}");
    assert!(said.contains("listening on http://127.0.0.1:"), "{said}");
    // With two logins, each with its rights, there is nothing to warn of.
    assert!(!said.contains("warning"), "{said}");
}
