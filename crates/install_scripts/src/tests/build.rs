use super::sources;
use crate::build;
use crate::scripts;

fn of(text: &str) -> String {
    build::of(&sources(
        &[("10_part.sql", text)],
        &[("10_part.sql", "SELECT 1;\n")],
        "",
    ))
}

#[test]
fn a_build_differs_where_the_effect_may_and_not_with_layout_and_comments() {
    let one = of("-- Part: once\nCREATE TABLE @extschema@.t (n int);\n");
    assert_eq!(one.len(), 16);
    assert_eq!(
        one,
        of("-- Part: once\n-- Why.\nCREATE TABLE @extschema@.t\n    (n int);\n")
    );
    assert_ne!(
        one,
        of("-- Part: once\nCREATE TABLE @extschema@.t (n bigint);\n")
    );
    assert_ne!(
        one,
        of("-- Part: once, since 2.0\nCREATE TABLE @extschema@.t (n int);\n")
    );
}

#[test]
fn the_parts_of_updates_count() {
    let part = [("10_part.sql", "-- Part: once\nSELECT 1;\n")];
    assert_ne!(
        build::of(&sources(&part, &[("10_part.sql", "SELECT 1;\n")], "")),
        build::of(&sources(&part, &[("10_part.sql", "SELECT 2;\n")], ""))
    );
}

/// A number that changed with the program that computes it would make a release disagree with
/// itself.
#[test]
fn a_build_is_the_same_forever() {
    let sources = sources(
        &[(
            "10_part.sql",
            "-- Part: once\nSELECT '@signal_hub_build@';\n",
        )],
        &[("10_part.sql", "SELECT 1;\n")],
        "",
    );
    assert_eq!(scripts::install(&sources), "SELECT 'db6a49811356d8eb';\n");
}
