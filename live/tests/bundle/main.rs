//! The page's modules as one script: whole, or not built.

use signal_hub_bundler::{Modules, bundle};

fn modules(files: &[(&str, &str)]) -> Modules {
    let files = files.iter();
    files
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

fn error(files: &[(&str, &str)]) -> String {
    bundle(&modules(files), &[&["app.js"]])
        .expect_err("it is refused")
        .to_string()
}

fn joined(files: &[(&str, &str)]) -> String {
    let scripts = bundle(&modules(files), &[&["app.js"]]).expect("joined");
    scripts.concat()
}

#[test]
fn modules_are_joined_after_those_that_they_import() {
    let script = joined(&[
        (
            "app.js",
            "import { one, Two } from './a.js';\none(new Two());\n",
        ),
        (
            "a.js",
            "import { three } from './b.js';\nexport function one() { three(); }\nexport class Two {}\n",
        ),
        (
            "b.js",
            "export const three = async () => 3;\nexport let four = 4;\n",
        ),
    ]);
    assert_eq!(
        script,
        "const $b = (() => {\nconst three = async () => 3;\nlet four = 4;\nreturn { three, four };\n})();\n\
         const $a = (() => {\nconst { three } = $b;\nfunction one() { three(); }\nclass Two {}\nreturn { one, Two };\n})();\n\
         const $app = (() => {\nconst { one, Two } = $a;\none(new Two());\nreturn {  };\n})();\n"
    );
}

#[test]
fn every_unknown_form_is_refused_with_its_file_and_line() {
    for form in [
        "export { a };",
        "export { a as b };",
        "export * from './b.js';",
        "export * as b from './b.js';",
        "export default function a() {}",
        "export default 1;",
        "export const { a, b } = c;",
        "export const [a] = c;",
        "export let a, b;",
        "export let a = 1, b = 2;",
        "export var a = 1;",
        "export{ a };",
        "export",
        "  export const a = 1;",
        "import './b.js';",
        "import b from './b.js';",
        "import * as b from './b.js';",
        "import { a as b } from './b.js';",
        "import { a } from './b.js'",
        "import { a } from \"./b.js\";",
        "import { a } from 'b';",
        "import { a } from './../b.js';",
        "import {",
        "import{ a } from './b.js';",
        "const b = await import('./b.js');",
        "const here = import.meta.url;",
        "import('./b.js').then(run);",
        "const a = `",
    ] {
        let text = format!("// A module.\n{form}\n");
        let b = ("b.js", "export const a = 1;\n");
        let error = error(&[("app.js", &text), b]);
        assert!(error.starts_with("app.js:2: "), "{form}: {error}");
    }
}

#[test]
fn words_that_only_look_like_the_forms_are_left_alone() {
    let text = "// import and export\n  exporter();\n  importance: 1,\n  export: 2,\n/** @type {import('./b.js').A} */\n";
    joined(&[("app.js", text)]);
}

#[test]
fn what_a_bundle_would_miss_is_refused() {
    let imports_b = ("app.js", "import { a } from './b.js';\n");
    assert_eq!(error(&[imports_b]), "app.js:1: there is no b.js");
    let other = ("b.js", "export const b = 1;\n");
    assert_eq!(
        error(&[imports_b, other]),
        "app.js:1: b.js does not export a"
    );
    let circle = (
        "b.js",
        "\nimport { c } from './app.js';\nexport const a = 1;\n",
    );
    assert_eq!(
        error(&[imports_b, circle]),
        "b.js:2: app.js imports this module in a circle"
    );
    let unused = ("c.js", "export const c = 1;\n");
    let b = ("b.js", "export const a = 1;\n");
    assert_eq!(
        error(&[imports_b, b, unused]),
        "c.js:1: no module imports this one"
    );
}

#[test]
fn each_page_has_a_script_of_what_it_needs() {
    let files = [
        ("app.js", "import { a } from './a.js';\n"),
        ("a.js", "export const a = 1;\n"),
        ("operator.js", "import { b } from './b.js';\n"),
        ("b.js", "export const b = 2;\n"),
    ];
    let scripts = bundle(&modules(&files), &[&["app.js"], &["operator.js"]]).expect("joined");
    let has = |script: &str| ["$a", "$b"].map(|name| script.contains(name));
    let of_each: Vec<_> = scripts.iter().map(|script| has(script)).collect();
    assert_eq!(of_each, [[true, false], [false, true]]);
}

#[test]
fn a_later_script_of_a_page_uses_what_an_earlier_one_has() {
    let files = [
        (
            "start.js",
            "import { a } from './a.js';\nexport const begun = a();\n",
        ),
        ("a.js", "export const a = () => 1;\n"),
        (
            "b.js",
            "import { a } from './a.js';\nexport const b = a();\n",
        ),
        (
            "app.js",
            "import { a } from './a.js';\nimport { b } from './b.js';\nimport { begun } from './start.js';\na(b, begun);\n",
        ),
    ];
    let scripts = bundle(&modules(&files), &[&["start.js", "app.js"]]).expect("joined");
    assert_eq!(
        scripts,
        [
            "const $a = (() => {\nconst a = () => 1;\nreturn { a };\n})();\n\
             const $start = (() => {\nconst { a } = $a;\nconst begun = a();\nreturn { begun };\n})();\n",
            "const $b = (() => {\nconst { a } = $a;\nconst b = a();\nreturn { b };\n})();\n\
             const $app = (() => {\nconst { a } = $a;\nconst { b } = $b;\nconst { begun } = $start;\na(b, begun);\nreturn {  };\n})();\n",
        ]
    );
}

#[test]
fn a_file_beside_the_modules_may_be_loaded_later() {
    let text = "const load = () => import('./vendor.mjs');\n";
    assert!(joined(&[("app.js", text)]).contains(text));
}

#[test]
fn lines_that_are_only_a_comment_are_left_out() {
    let text = "// One.\n/** Two. */\nlet a = 1; // three\n  /**\n   * import x\n   */\nlet b = /* four */ 2;\n/* five */ let c = 'http://x';\n";
    let script = joined(&[("app.js", text)]);
    assert_eq!(
        script,
        "const $app = (() => {\nlet a = 1; // three\nlet b = /* four */ 2;\n/* five */ let c = 'http://x';\nreturn {  };\n})();\n"
    );
    let open = "/*\n comment */ let a = 1;\n";
    assert_eq!(
        error(&[("app.js", open)]),
        "app.js:2: code behind a comment of several lines"
    );
    assert_eq!(
        error(&[("app.js", "let a = 1;\n/* open\n")]),
        "app.js:2: a comment without an end"
    );
}
