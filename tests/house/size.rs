//! Small files with one subject.

use crate::source::{files, read};

const MOST_LINES: usize = 400;

#[test]
fn no_file_is_longer_than_400_lines() {
    let endings = [".rs", ".sql", ".sh", ".js", ".mjs", ".css"];
    let folders = ["src", "crates", "sql", "scripts", "live", "tests", "fuzz"];
    let long: Vec<String> = folders
        .iter()
        .flat_map(|folder| files(folder, &endings))
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_line_of_sql_has_120_characters() {
    let long: Vec<String> = files("sql", &[".sql"])
        .iter()
        .flat_map(|path| {
            let text = read(path);
            let long = |(number, line): (usize, &str)| {
                let length = line.chars().count();
                (length >= 120).then(|| format!("{path}:{}: {length} characters", number + 1))
            };
            text.lines()
                .enumerate()
                .filter_map(long)
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
