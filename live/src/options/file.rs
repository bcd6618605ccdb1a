//! The configuration file: TOML, with the names of the options. What it says counts where neither
//! the command line nor the environment say anything.

use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// The arguments of this process, and after them what the configuration file adds, if there is one.
///
/// # Errors
/// When the file cannot be read, or has anything that is not an option of this program. The message
/// repeats no value, as some are secret.
pub fn with_file(command: &Command, given: Vec<OsString>) -> Result<Vec<OsString>, Error> {
    let wrong = |message| Error::raw(ErrorKind::ValueValidation, message).with_cmd(command);
    let words = Words::of(command, &given);
    let Some(file) = words.file else {
        return Ok(given);
    };
    let file = Path::new(&file);
    let failed = |why: String| wrong(format!("--config: {}: {why}\n", file.display()));
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let added = read(command, words.command, &words.options, &text).map_err(failed)?;
    Ok(given.into_iter().chain(added).collect())
}

/// What the command line says, as far as it matters here.
struct Words<'a> {
    command: Option<&'a Command>,
    /// Names of options, without dashes.
    options: BTreeSet<String>,
    file: Option<OsString>,
}

impl<'a> Words<'a> {
    fn of(command: &'a Command, given: &[OsString]) -> Self {
        let mut words = Self {
            command: None,
            options: BTreeSet::new(),
            file: None,
        };
        let mut rest = given.iter().skip(1);
        while let Some(word) = rest.next() {
            let text = word.to_string_lossy();
            let Some(option) = text.strip_prefix("--") else {
                words.command = words.command.or(command.find_subcommand(word));
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(OsString::from(value))),
                // The options in front of a command all have a value.
                None if words.command.is_none() => (option, rest.next().cloned()),
                None => (option, None),
            };
            let value = value.or_else(|| (name == "config").then(|| rest.next().cloned())?);
            if name == "config" {
                words.file = value;
            }
            words.options.insert(name.to_owned());
        }
        let variable = command.get_arguments().find(|arg| arg.get_id() == "config");
        let variable = variable.and_then(Arg::get_env).and_then(std::env::var_os);
        words.file = words.file.or(variable);
        words
    }
}

/// The text of a file as arguments of the command.
fn read(
    command: &Command,
    chosen: Option<&Command>,
    given: &BTreeSet<String>,
    text: &str,
) -> Result<Vec<OsString>, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text[..start.min(text.len())].lines().count().max(1);
        format!("line {line}: {}", error.message())
    })?;
    let mut added = Vec::new();
    for (name, value) in &table {
        if name == "config" || !all_options(command).any(|arg| arg.get_long() == Some(name)) {
            return Err(format!("{name}: there is no such option"));
        }
        let value = argument(name, value)?;
        let Some(chosen) = chosen else { continue };
        let known = command.get_arguments().chain(chosen.get_arguments());
        let Some(arg) = known.into_iter().find(|arg| arg.get_long() == Some(name)) else {
            // Of another command.
            continue;
        };
        if rivals(chosen, arg)
            .iter()
            .any(|arg| is_set_elsewhere(arg, given))
        {
            continue;
        }
        added.extend(value);
    }
    Ok(added)
}

fn all_options(command: &Command) -> impl Iterator<Item = &Arg> {
    let of_commands = command.get_subcommands().flat_map(Command::get_arguments);
    command.get_arguments().chain(of_commands)
}

/// An entry as the command line would have it; nothing for a switch that is off.
fn argument(name: &str, value: &Value) -> Result<Option<OsString>, String> {
    let text = match value {
        Value::Boolean(false) => return Ok(None),
        Value::Boolean(true) => return Ok(Some(format!("--{name}").into())),
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Array(list) => {
            let texts = list.iter().map(Value::as_str).collect::<Option<Vec<_>>>();
            let texts = texts.ok_or_else(|| format!("{name}: a list must be of texts"))?;
            texts.join(",")
        }
        _ => return Err(format!("{name}: must be a text, a number, true or false")),
    };
    Ok(Some(format!("--{name}={text}").into()))
}

/// The option itself, and those that cannot be given together with it.
fn rivals<'a>(command: &'a Command, arg: &'a Arg) -> Vec<&'a Arg> {
    let mut rivals = vec![arg];
    for group in command.get_groups() {
        let is_choice = !group.clone().is_multiple();
        if is_choice && group.get_args().any(|id| id == arg.get_id()) {
            let others = command.get_arguments();
            rivals.extend(others.filter(|other| group.get_args().any(|id| id == other.get_id())));
        }
    }
    rivals
}

fn is_set_elsewhere(arg: &Arg, given: &BTreeSet<String>) -> bool {
    let is_given = arg.get_long().is_some_and(|name| given.contains(name));
    let variable: Option<&OsStr> = arg.get_env();
    is_given || variable.and_then(std::env::var_os).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use clap::CommandFactory;

    fn added(command: &str, given: &[&str], text: &str) -> Result<Vec<String>, String> {
        let mut all = Options::command();
        // As parsing does: names of groups and options of all commands.
        all.build();
        let given = given.iter().map(|name| (*name).to_owned()).collect();
        let chosen = all.find_subcommand(command);
        let added = read(&all, chosen, &given, text)?;
        Ok(added
            .into_iter()
            .map(|word| word.into_string().expect("text"))
            .collect())
    }

    #[test]
    fn the_file_says_what_the_command_line_leaves_open() {
        let text = "# comment\nlisten = \"0.0.0.0:80\"\nmax-clients = 5\ncreate-slot = true\n\
                    embed-origin = [\"https://a\", \"https://b\"]\njwks-file = '/k'\nhours = 3\n\
                    log-format = 'json'\n";
        assert_eq!(
            added("serve", &["listen"], text).expect("good"),
            [
                "--create-slot",
                "--embed-origin=https://a,https://b",
                "--jwks-file=/k",
                "--log-format=json",
                "--max-clients=5",
            ]
        );
        // One of two that exclude each other, and the command line has the other.
        assert_eq!(
            added("serve", &["jwt-secret-file"], "jwks-file = '/k'").expect("good"),
            [""; 0]
        );
        assert_eq!(
            added("token", &[], text).expect("good"),
            ["--hours=3", "--log-format=json"]
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_without_its_values() {
        for (text, why) in [
            ("listen = ''\ndatabase-url = hushhush", "line 2"),
            ("lsten = 'hushhush'", "lsten: there is no such option"),
            ("config = 'hushhush'", "config: there is no such option"),
            ("listen = {hushhush = 1}", "listen: must be a text"),
        ] {
            let message = added("serve", &[], text).expect_err(text);
            assert!(message.contains(why), "{text}: {message}");
            assert!(!message.contains("hushhush"), "{message}");
        }
    }

    #[test]
    fn the_file_is_found_wherever_the_command_line_names_it() {
        let command = Options::command();
        for words in [
            &["p", "serve", "--config", "f"][..],
            &["p", "serve", "--create-slot", "--config=f"],
            &["p", "--config", "f", "serve"],
            &["p", "--log-level", "debug", "--config=f", "serve"],
        ] {
            let given: Vec<OsString> = words.iter().map(OsString::from).collect();
            let words = Words::of(&command, &given);
            assert_eq!(words.file.as_deref(), Some(OsStr::new("f")), "{given:?}");
            assert_eq!(words.command.map(Command::get_name), Some("serve"));
        }
    }
}
