use super::*;
use clap::error::ErrorKind;
use std::collections::BTreeMap;

/// Name and default of every option that a person can give.
fn options() -> BTreeMap<String, Option<String>> {
    let mut command = Options::command();
    command.build();
    let commands = command.get_subcommands().filter(|c| c.get_name() != "help");
    let all = commands.flat_map(clap::Command::get_arguments);
    let all = all.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()));
    all.map(|arg| {
        let name = arg.get_long().expect("every option has a name");
        let takes_value = arg
            .get_num_args()
            .is_some_and(|values| values.takes_values());
        let default = arg.get_default_values().first().filter(|_| takes_value);
        let default = default.map(|text| text.to_string_lossy().into_owned());
        if takes_value {
            let variable = match name {
                "database-url" => "DATABASE_URL".to_owned(),
                _ => format!("SIGNAL_HUB_LIVE_{}", name.replace('-', "_").to_uppercase()),
            };
            assert_eq!(arg.get_env(), Some(variable.as_ref()), "--{name}");
        }
        (name.to_owned(), default)
    })
    .collect()
}

/// Name and default of every row of the table in README.md.
fn documented() -> BTreeMap<String, Option<String>> {
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let readme = include_str!("../../README.md");
    let rows = readme.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|');
        let name = match plain(cells.next()?) {
            name if name == "DATABASE_URL" => "database-url".to_owned(),
            name => name
                .strip_prefix("--")
                .filter(|name| !name.starts_with('-'))?
                .to_owned(),
        };
        let default = plain(cells.next()?);
        Some((name, Some(default).filter(|text| !text.is_empty())))
    });
    rows.collect()
}

#[test]
fn the_table_in_the_readme_has_every_option_with_its_default() {
    assert_eq!(documented(), options());
}

fn parsed(arguments: &[&str]) -> Result<Options, clap::Error> {
    let source = ["--database-url", "postgresql://hub@127.0.0.1/mydb"];
    let arguments = ["signal_hub_live"].iter().chain(arguments).chain(&source);
    Options::try_parse_from(arguments)
}

#[test]
fn wrong_options_are_refused_and_a_password_is_not_repeated() {
    assert!(parsed(&["serve", "--jwt-secret-file", "s"]).is_ok());
    assert!(parsed(&["create-slot", "--slot", "mine_2"]).is_ok());
    for (wrong, kind) in [
        (&["serve"][..], ErrorKind::MissingRequiredArgument),
        (
            &["serve", "--jwt-secret-file", "s", "--jwks-file", "k"],
            ErrorKind::ArgumentConflict,
        ),
        (
            &["serve", "--jwks-file", "k", "--max-clients", "0"],
            ErrorKind::ValueValidation,
        ),
        (
            &["create-slot", "--slot", "2mine"],
            ErrorKind::ValueValidation,
        ),
        (
            &["create-slot", "--slot", "Mine"],
            ErrorKind::ValueValidation,
        ),
        (&["create-slot", "--slot", ""], ErrorKind::ValueValidation),
        (
            &["serve", "--listen", "localhost:80"],
            ErrorKind::ValueValidation,
        ),
        (
            &["create-slot", "--listen", "x"],
            ErrorKind::UnknownArgument,
        ),
        (&["juggle"], ErrorKind::InvalidSubcommand),
    ] {
        let error = parsed(wrong).err().expect("it is wrong");
        assert_eq!(error.kind(), kind, "{wrong:?}: {error}");
    }
    let url = "postgresql://hub:hushhush@one,two/mydb?target_session_attrs=read-only";
    let arguments = ["signal_hub_live", "drop-slot", "--database-url", url];
    let error = Options::try_parse_from(arguments)
        .err()
        .expect("it is wrong");
    assert!(error.to_string().contains("accepts writes"), "{error}");
    assert!(!error.to_string().contains("hushhush"), "{error}");
}

#[test]
fn the_program_states_its_version() {
    let error = Options::try_parse_from(["signal_hub_live", "--version"]).err();
    let error = error.expect("printed instead of run");
    assert_eq!(error.kind(), ErrorKind::DisplayVersion);
    assert!(error.to_string().contains(env!("CARGO_PKG_VERSION")));
}
