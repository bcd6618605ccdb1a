//! Links between documents lead somewhere: to a file that is there, and to a heading of it.

use crate::source::{files, read, root};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// All documents.
fn documents() -> Vec<String> {
    let folders = ["docs", "live", "sql"];
    let mut documents: Vec<String> = folders
        .iter()
        .flat_map(|folder| files(folder, &[".md"]))
        .collect();
    for name in [
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        documents.push(name.to_owned());
    }
    documents
}

/// What a document links to.
fn links(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split(')').next()).collect()
}

/// The anchors that a document has: those of its headings, as forges and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut in_code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        if in_code || !line.starts_with('#') {
            continue;
        }
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    found
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn no_link_between_documents_is_dead() {
    let mut checked = 0;
    let mut dead = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") || link.contains(' ') {
                continue;
            }
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(&document).parent().unwrap_or(Path::new(""));
            let target = match path {
                "" => PathBuf::from(&document),
                path => plain(&folder.join(path)),
            };
            let is_there = root().join(&target).exists();
            let has_anchor =
                || anchor.is_empty() || anchors(&read(&target.to_string_lossy())).contains(anchor);
            if !is_there || !has_anchor() {
                dead.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(checked > 100, "{checked} links were found");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// Every page is in the table of contents of the site, and every entry is a page.
#[test]
fn the_table_of_contents_has_every_page() {
    let contents = read("docs/SUMMARY.md");
    let listed: BTreeSet<&str> = links(&contents).into_iter().collect();
    let pages = files("docs", &[".md"]);
    let left_out: Vec<&str> = pages
        .iter()
        .filter_map(|page| page.strip_prefix("docs/"))
        .filter(|page| *page != "SUMMARY.md" && !listed.contains(page))
        .collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}

/// Every alert that the rules can raise is in the table of what to do.
#[test]
fn every_alert_is_in_the_page_on_operating() {
    if !root().join("packaging/prometheus").is_dir() {
        return;
    }
    let page = read("docs/operating.md");
    for rules in files("packaging/prometheus", &[".yml"]) {
        for line in read(&rules).lines() {
            if let Some((_, alert)) = line.split_once("- alert: ") {
                assert!(page.contains(&format!("| `{alert}` |")), "{alert}");
            }
        }
    }
}

/// Every state that the service's webhook adds to those of `signal_health` is there, too.
#[test]
fn every_state_of_the_webhook_is_in_the_page_on_operating() {
    let page = read("docs/operating.md");
    let source = read("live/src/alerts/mod.rs");
    let places = source.split("Condition::bad(").skip(1);
    let states: Vec<&str> = places.filter_map(|rest| rest.split('"').nth(1)).collect();
    assert!(states.len() >= 3, "{states:?}");
    for state in states {
        assert!(page.contains(&format!("| `{state}`, ")), "{state}");
    }
}

/// A newcomer who copies the call of one test runs at least one.
#[test]
fn the_calls_of_one_test_name_tests() {
    let help = read("pgrx-install.sh");
    let calls = help.split("./pgrx-install.sh test ").skip(1);
    let calls = calls.filter_map(|call| call.lines().next()?.split_once(" -- "));
    let named: Vec<(&str, &str)> = calls
        .filter_map(|(check, name)| Some((check, name.strip_suffix("::")?)))
        .collect();
    assert!(named.len() >= 5, "{named:?}");
    for (check, name) in named {
        let folder = match check {
            "unit" => "crates",
            "live" => "live/tests/service",
            _ => &format!("tests/{check}"),
        };
        let of_it = [format!("/{name}.rs"), format!("/{name}/mod.rs")];
        let mut tests = files(folder, &[".rs"]).into_iter();
        let has_it = tests.any(|path| of_it.iter().any(|end| path.ends_with(end)));
        assert!(has_it, "{folder} has no {name}");
    }
}
