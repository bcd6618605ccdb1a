//! No function names the schema of the extension in a body that is kept as text: whoever renames
//! the schema can put other objects under its old name, and a function that is called as a
//! superuser, or by one, would use them. BEGIN ATOMIC keeps what it names by its number; others
//! find it by membership, or by the schema of the table that a trigger is on.

use crate::source::{files, read};

#[test]
fn no_body_that_is_kept_as_text_names_the_schema_of_the_extension() {
    let mut bodies = 0;
    for file in files("sql", &[".sql"]) {
        let text = read(&file);
        for function in text
            .split("CREATE OR REPLACE FUNCTION @extschema@.")
            .skip(1)
        {
            let name = function.split('(').next().unwrap_or_default();
            // Up to the next object, which a comment on this one comes before.
            let definition = function
                .split("COMMENT ON FUNCTION")
                .next()
                .unwrap_or_default();
            let Some((_, body)) = definition.split_once("AS $$") else {
                continue;
            };
            bodies += 1;
            assert!(
                !body.contains("@extschema@"),
                "{file}: the body of {name}() names the schema of the extension"
            );
        }
    }
    assert!(bodies > 5, "there are {bodies} such bodies");
}
