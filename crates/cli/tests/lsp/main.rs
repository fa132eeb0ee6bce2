//! The language server: the real binary, asked by a scripted editor.

#![cfg(feature = "lsp")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client;
#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::time::Instant;

use client::Editor;
use serde_json::{Value, json};
use support::Sandbox;

const MAIN: &str = ".gitlab-ci.yml";

/// The first lines of faults; the others explain them.
fn messages(faults: &[Value]) -> Vec<&str> {
    let lines = faults
        .iter()
        .filter_map(|fault| fault["message"].as_str()?.lines().next());
    lines.collect()
}

/// The same of those that are no mere warnings.
fn errors(faults: &[Value]) -> Vec<&str> {
    let errors = faults.iter().filter(|fault| fault["severity"] == 1);
    let lines = errors.filter_map(|fault| fault["message"].as_str()?.lines().next());
    lines.collect()
}

#[test]
fn faults_follow_the_text_in_the_editor_not_the_disk() {
    let sandbox = Sandbox::new(&[(MAIN, "test: {script: make}\n")]);
    let mut editor = Editor::start(&sandbox.path(), &["--stdio"]);
    editor.open(MAIN, "test: {script: make, retyr: 1}\n");
    let faults = editor.faults(MAIN, Some(1));
    let unknown = faults.iter().find(|fault| {
        fault["message"]
            .as_str()
            .unwrap()
            .contains("unknown keys: retyr")
    });
    let unknown = unknown.unwrap_or_else(|| panic!("{faults:?}"));
    assert_eq!(
        unknown["range"]["start"],
        json!({ "line": 0, "character": 21 })
    );
    assert_eq!(
        unknown["range"]["end"],
        json!({ "line": 0, "character": 26 })
    );
    assert_eq!(unknown["severity"], 1);
    assert_eq!(unknown["source"], "shipway");

    // The fault names its repair.
    let params = json!({
        "textDocument": { "uri": editor.uri(MAIN) },
        "range": unknown["range"],
        "context": { "diagnostics": [unknown] },
    });
    let fixes = editor.ask("textDocument/codeAction", params);
    assert_eq!(fixes[0]["title"], "Change to `retry`");
    let edit = &fixes[0]["edit"]["changes"][editor.uri(MAIN)][0];
    assert_eq!(edit["newText"], "retry");

    let range = json!({
        "start": { "line": 0, "character": 21 }, "end": { "line": 0, "character": 26 }
    });
    editor.edit(MAIN, 2, json!([{ "range": range, "text": "retry" }]));
    assert!(editor.faults(MAIN, Some(2)).is_empty());
    assert_eq!(editor.end(), 0);
}

#[test]
fn unsaved_files_count_across_includes() {
    let main = "include: [ci/base.yml]\ntest: {extends: .base}\n";
    let sandbox = Sandbox::new(&[(MAIN, main), ("ci/base.yml", ".base: {script: make}\n")]);
    let mut editor = Editor::start(&sandbox.path(), &[]);
    editor.open(MAIN, main);
    assert!(editor.faults(MAIN, Some(1)).is_empty());

    // The fault of an included file that is not open is told at that file.
    editor.open("ci/base.yml", ".base: {script: make}\n");
    assert!(editor.faults("ci/base.yml", Some(1)).is_empty());
    editor.change("ci/base.yml", 2, ".basis: {script: make}\n");
    assert!(editor.faults("ci/base.yml", Some(2)).is_empty());
    let faults = editor.faults(MAIN, Some(1));
    let told = messages(&faults);
    let wanted = "unknown keys in `extends` (.base)";
    assert!(told.iter().any(|text| text.contains(wanted)), "{told:?}");

    // A fault inside of it says by which include it came.
    editor.change(
        "ci/base.yml",
        3,
        ".base: {script: make}\nother: {script: 1, tag: x}\n",
    );
    let faults = editor.faults("ci/base.yml", Some(3));
    let told = messages(&faults);
    assert!(
        told.iter().any(|text| text.contains("unknown keys: tag")),
        "{told:?}"
    );
    let from = &faults[0]["relatedInformation"][0];
    assert_eq!(from["location"]["uri"], editor.uri(MAIN));
    assert_eq!(
        from["location"]["range"]["start"],
        json!({ "line": 0, "character": 10 })
    );

    editor.forget();
    // Closed without saving: the file on the disk counts again, and is as it should be.
    let document = json!({ "textDocument": { "uri": editor.uri("ci/base.yml") } });
    editor.tell("textDocument/didClose", document);
    assert!(editor.faults("ci/base.yml", None).is_empty());
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_file_that_changes_on_the_disk_is_read_again() {
    let main = "include: [a.yml]\ntest: {script: x}\n";
    let sandbox = Sandbox::new(&[(MAIN, main)]);
    let capabilities = json!({
        "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } }
    });
    let mut editor = Editor::start_with(&sandbox.path(), &[], capabilities);
    let asked = editor.wait(|message| message["method"] == "client/registerCapability");
    let wanted = &asked["params"]["registrations"][0];
    assert_eq!(wanted["method"], "workspace/didChangeWatchedFiles");
    editor.open(MAIN, main);
    let faults = editor.faults(MAIN, Some(1));
    assert_eq!(messages(&faults), ["Local file `a.yml` does not exist!"]);
    sandbox.write("a.yml", "a: {script: x}\n");
    let change = json!({ "changes": [{ "uri": editor.uri("a.yml"), "type": 1 }] });
    editor.tell("workspace/didChangeWatchedFiles", change);
    assert!(editor.faults(MAIN, Some(1)).is_empty());
}

const PIPELINE: &str = "\
include:
  - local: /ci/base.yml
stages: [compile, check]
variables:
  TARGET: release
build:
  stage: compile
  extends: .base
  script:
    - echo \"$TARGET $LEVEL\"
test:
  stage: check
  needs: [build]
  script:
    - !reference [.base, before_script]
    - echo $CI_COMMIT_SHA
  rules:
    - if: $TARGET == \"release\"
      when: manual
";
const BASE: &str = "\
.base:
  before_script:
    - ./prepare
  variables: {LEVEL: '3'}
";

fn pipeline() -> (Sandbox, Editor) {
    let sandbox = Sandbox::new(&[(MAIN, PIPELINE), ("ci/base.yml", BASE)]);
    let mut editor = Editor::start(&sandbox.path(), &[]);
    editor.open(MAIN, PIPELINE);
    assert_eq!(errors(&editor.faults(MAIN, Some(1))), [""; 0]);
    (sandbox, editor)
}

/// Types a text in place of the whole and asks for proposals at `|`.
fn propose(editor: &mut Editor, version: i32, marked: &str) -> Vec<String> {
    let at = marked.find('|').unwrap();
    let before = &marked[..at];
    let line = before.matches('\n').count() as u32;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() as u32;
    editor.change(MAIN, version, &marked.replacen('|', "", 1));
    // Then what it includes is known.
    editor.faults(MAIN, Some(version));
    editor.proposals(MAIN, line, column)
}

#[test]
fn proposals_fit_the_place() {
    let (_sandbox, mut editor) = pipeline();
    // Text with the cursor, what is proposed, what is not.
    let table: &[(&str, &[&str], &[&str])] = &[
        ("|", &["stages", "include", "default"], &["script"]),
        ("test:\n  |", &["script", "rules", "needs"], &["stages"]),
        (
            "test:\n  script: x\n  s|",
            &["stage", "services"],
            &["script", "needs"],
        ),
        ("test:\n  rules:\n    - i|", &["if"], &["script"]),
        (
            "test:\n  rules:\n    - if: $A\n      |",
            &["when", "changes"],
            &["if", "script"],
        ),
        ("test:\n  rules:\n    |", &["if"], &["script"]),
        (
            "test:\n  rules:\n    - when: |",
            &["manual", "never"],
            &["if"],
        ),
        (
            "test:\n  artifacts:\n    reports:\n      |",
            &["junit", "dotenv"],
            &["paths"],
        ),
        ("test:\n  interruptible: |", &["true", "false"], &["script"]),
        (
            "stages: [one, two]\ntest:\n  stage: |",
            &["one", "two", ".pre"],
            &["build"],
        ),
        (
            "a: {script: x}\n.b: {}\ntest:\n  needs: [|]",
            &["a"],
            &[".b", "test"],
        ),
        (
            "a: {script: x}\n.b: {}\ntest:\n  needs:\n    - |",
            &["a", "job"],
            &[".b", "test"],
        ),
        (
            "a: {script: x}\ntest:\n  needs:\n    - job: |",
            &["a"],
            &["test"],
        ),
        (
            "a: {script: x}\ntest:\n  dependencies: [|",
            &["a"],
            &["test"],
        ),
        (
            "a: {script: x}\n.b: {}\ntest:\n  extends: |",
            &["a", ".b"],
            &["test"],
        ),
        // Included files count.
        (
            "include: [ci/base.yml]\ntest:\n  extends: .|",
            &[".base"],
            &["test"],
        ),
        (
            "include: [ci/base.yml]\ntest:\n  script: !reference [|]",
            &[".base"],
            &[],
        ),
        (
            "include: [ci/base.yml]\ntest:\n  script: !reference [.base, |]",
            &["before_script"],
            &["script"],
        ),
        (
            "test:\n  script: echo $CI_JOB|",
            &["CI_JOB_NAME"],
            &["CI_COMMIT_SHA"],
        ),
        (
            "test:\n  rules:\n    - if: $CI_|",
            &["CI_COMMIT_BRANCH"],
            &["CI_JOB_NAME"],
        ),
        (
            "variables: {OWN: 1}\nother:\n  variables: {THEIRS: 1}\ntest:\n  variables: {MINE: 1}\n  script:\n    - |-\n      echo ${|",
            &["OWN", "MINE", "CI_JOB_ID"],
            &["THEIRS"],
        ),
        (
            "spec:\n  inputs:\n    kind:\n---\nt:\n  script: $[[ inputs.|",
            &["kind"],
            &["CI"],
        ),
        (
            "include:\n  - |",
            &["local", "project", "ci/base.yml"],
            &["script"],
        ),
        ("include:\n  - local: |", &["ci/base.yml"], &["local"]),
        ("test:\n  script: echo hello |", &[], &["script", "true"]),
        ("# a comment |", &[], &[]),
    ];
    for (number, (marked, wanted, unwanted)) in table.iter().enumerate() {
        // In a block scalar the mark is not the cursor.
        let marked = match marked.matches('|').count() {
            1 => (*marked).to_owned(),
            _ => marked.replacen("|-", ">-", 1),
        };
        let found = propose(&mut editor, number as i32 + 2, &marked);
        for word in *wanted {
            assert!(
                found.iter().any(|label| label == word),
                "{marked}\n{word} in {found:?}"
            );
        }
        for word in *unwanted {
            assert!(
                !found.iter().any(|label| label == word),
                "{marked}\nno {word} in {found:?}"
            );
        }
    }
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_proposal_replaces_the_word_and_explains_itself() {
    let (_sandbox, mut editor) = pipeline();
    editor.change(MAIN, 2, "'ü🦀':\n  sta\n");
    let params = json!({
        "textDocument": { "uri": editor.uri(MAIN) },
        "position": { "line": 1, "character": 5 },
    });
    let found = editor.ask("textDocument/completion", params);
    let items = found["items"].as_array().unwrap();
    let stage = items.iter().find(|item| item["label"] == "stage").unwrap();
    assert_eq!(stage["textEdit"]["newText"], "stage: ");
    assert_eq!(stage["textEdit"]["range"]["start"]["character"], 2);
    assert_eq!(stage["textEdit"]["range"]["end"]["character"], 5);
    let meaning = stage["documentation"]["value"].as_str().unwrap();
    assert!(
        meaning.contains("Jobs of one stage run side by side"),
        "{meaning}"
    );
}

#[test]
fn hover_explains_keywords_jobs_variables_and_stages() {
    let (_sandbox, mut editor) = pipeline();
    // Line, character, what is in it.
    let table: &[(u32, u32, &[&str])] = &[
        (2, 1, &["**`stages`**", "in order"]),
        (17, 7, &["**`rules:if`**"]),
        (18, 14, &["**`rules:when`**", "`never`"]),
        // A merged job: with what it extends.
        (
            12,
            11,
            &[
                "**`build`**",
                "- ./prepare",
                "LEVEL: \"3\"",
                "`.gitlab-ci.yml:6`",
            ],
        ),
        (7, 13, &["**`.base`**", "`ci/base.yml:1`"]),
        (14, 20, &["**`.base`**"]),
        (9, 14, &["**`$TARGET`**", "`release`", "`.gitlab-ci.yml:5`"]),
        (9, 22, &["**`$LEVEL`**", "`3` in `.base`"]),
        (15, 16, &["The commit.", "Predefined"]),
        (6, 10, &["stage `compile`", "`build`"]),
    ];
    for (line, character, wanted) in table {
        let text = editor.hover(MAIN, *line, *character);
        for part in *wanted {
            assert!(text.contains(part), "{line}:{character} {part}\n{text}");
        }
    }
    // The last configuration without faults, and the files it includes, stand while a line is half typed.
    let broken = PIPELINE.replace("  needs: [build]\n", "  needs: [build]\n  'scr\n");
    editor.change(MAIN, 2, &broken);
    assert!(!editor.faults(MAIN, Some(2)).is_empty());
    assert!(editor.hover(MAIN, 12, 11).contains("- ./prepare"));
    assert!(editor.proposals(MAIN, 7, 11).contains(&".base".to_owned()));
    assert_eq!(editor.hover(MAIN, 9, 8), "");
}

#[test]
fn definitions_and_references_go_across_files() {
    let (_sandbox, mut editor) = pipeline();
    let table: &[(u32, u32, &[&str])] = &[
        (7, 13, &["ci/base.yml:0:0"]),
        (12, 11, &[".gitlab-ci.yml:5:0"]),
        (14, 20, &["ci/base.yml:0:0"]),
        (14, 28, &["ci/base.yml:1:2"]),
        (6, 11, &[".gitlab-ci.yml:2:9"]),
        (9, 14, &[".gitlab-ci.yml:4:2"]),
        (9, 22, &["ci/base.yml:3:14"]),
        (1, 14, &["ci/base.yml:0:0"]),
        (9, 7, &[]),
    ];
    for (line, character, wanted) in table {
        let found = editor.places("definition", MAIN, *line, *character);
        assert_eq!(found, *wanted, "{line}:{character}");
    }
    let found = editor.places("references", MAIN, 7, 13);
    assert_eq!(
        found,
        [
            ".gitlab-ci.yml:7:11",
            ".gitlab-ci.yml:14:18",
            "ci/base.yml:0:0"
        ]
    );
    let found = editor.places("references", MAIN, 4, 4);
    assert_eq!(
        found,
        [
            ".gitlab-ci.yml:4:2",
            ".gitlab-ci.yml:9:13",
            ".gitlab-ci.yml:17:11"
        ]
    );
    let found = editor.places("references", MAIN, 6, 11);
    assert_eq!(found, [".gitlab-ci.yml:2:9", ".gitlab-ci.yml:6:9"]);
}

#[test]
fn the_outline_lists_jobs_with_their_keys() {
    let (_sandbox, mut editor) = pipeline();
    let params = json!({ "textDocument": { "uri": editor.uri(MAIN) } });
    let found = editor.ask("textDocument/documentSymbol", params);
    let names: Vec<&str> = (found.as_array().unwrap().iter())
        .map(|symbol| symbol["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["include", "stages", "variables", "build", "test"]);
    assert_eq!(found[3]["detail"], "compile");
    assert_eq!(found[3]["children"][1]["name"], "extends");
    assert_eq!(
        found[4]["range"]["end"],
        json!({ "line": 18, "character": 18 })
    );
}

#[test]
fn positions_are_utf16_unless_utf8_is_agreed_on() {
    let text = "'🦀ä': {script: x, tag: y}\n";
    for (offered, chosen, character) in [
        (json!({}), "utf-16", 19),
        (
            json!({ "general": { "positionEncodings": ["utf-16"] } }),
            "utf-16",
            19,
        ),
        (
            json!({ "general": { "positionEncodings": ["utf-16", "utf-8"] } }),
            "utf-8",
            22,
        ),
    ] {
        let sandbox = Sandbox::new(&[(MAIN, text)]);
        let mut editor = Editor::start_with(&sandbox.path(), &[], offered);
        assert_eq!(editor.capabilities["positionEncoding"], chosen);
        editor.open(MAIN, text);
        let faults = editor.faults(MAIN, Some(1));
        assert_eq!(
            faults[0]["range"]["start"]["character"], character,
            "{faults:?}"
        );
    }
}

#[test]
fn files_that_belong_to_nothing_are_left_alone() {
    let sandbox = Sandbox::new(&[
        (MAIN, "test: {script: x}\n"),
        ("compose.yml", "services: {a: 1}\n"),
        ("deep/own.gitlab-ci.yml", "x: {scrpit: a}\n"),
    ]);
    let mut editor = Editor::start(&sandbox.path(), &[]);
    editor.open("compose.yml", "services: {a: 1}\nx|\n");
    // The project's own configuration is read, to see what it includes.
    assert!(editor.faults(MAIN, None).is_empty());
    assert_eq!(editor.proposals("compose.yml", 0, 1), [""; 0]);
    assert_eq!(editor.hover("compose.yml", 0, 1), "");
    // One by its name is a configuration of its own.
    editor.open("deep/own.gitlab-ci.yml", "x: {scrpit: a}\n");
    assert!(!editor.faults("deep/own.gitlab-ci.yml", Some(1)).is_empty());
}

#[test]
fn another_name_of_the_configuration() {
    let sandbox = Sandbox::new(&[("ci/main.yml", "test: {script: x}\n")]);
    let mut editor = Editor::start(&sandbox.path(), &["--file", "ci/main.yml"]);
    editor.open("ci/main.yml", "test: {needs: [no], script: x}\n");
    let faults = editor.faults("ci/main.yml", Some(1));
    assert!(messages(&faults)[0].contains("need"), "{faults:?}");
}

#[test]
fn half_typed_and_strange_texts_end_nothing() {
    let (_sandbox, mut editor) = pipeline();
    let mut version = 2;
    let mut ask = |editor: &mut Editor, text: &str, line: u32, character: u32| {
        editor.change(MAIN, version, text);
        version += 1;
        editor.proposals(MAIN, line, character);
        editor.hover(MAIN, line, character);
        editor.places("definition", MAIN, line, character);
        editor.places("references", MAIN, line, character);
        let params = json!({ "textDocument": { "uri": editor.uri(MAIN) } });
        editor.ask("textDocument/documentSymbol", params);
    };
    let boundaries = (0..PIPELINE.len()).step_by(11);
    for at in boundaries {
        let text = &PIPELINE[..at];
        let line = text.matches('\n').count() as u32;
        let column = text.chars().rev().take_while(|c| *c != '\n').count() as u32;
        ask(&mut editor, text, line, column);
    }
    for text in [
        "",
        "\u{feff}",
        "[[[[{{",
        "&a [*a]",
        "!tag,",
        "a: |",
        "\0",
        "- - - -",
        "x: !reference [x, y]\n",
    ] {
        ask(&mut editor, text, 0, 3);
        ask(&mut editor, text, 9, 9);
    }
    // What is not understood is said, and nothing ends.
    let wrong = editor.answer("textDocument/rename", json!({}));
    assert_eq!(wrong["error"]["code"], -32601);
    let wrong = editor.answer("textDocument/hover", json!({ "x": 1 }));
    assert_eq!(wrong["error"]["code"], -32602);
    editor.tell("$/unknown", json!(null));
    editor.change(MAIN, 9999, PIPELINE);
    assert_eq!(errors(&editor.faults(MAIN, Some(9999))), [""; 0]);
    assert_eq!(editor.end(), 0);
}

#[test]
fn an_editor_that_goes_away_ends_the_server() {
    let (_sandbox, editor) = pipeline();
    assert_eq!(editor.vanish(), 1);
}

/// An optimised build answers within milliseconds. The bound is for one without, on a busy
/// machine, and catches what grows with the square of the jobs.
#[test]
fn a_thousand_jobs_are_answered_at_once() {
    let mut text = String::from("stages: [a, b]\n.base: {script: make}\n");
    for number in 0..1000 {
        let need = match number {
            0 => String::new(),
            _ => format!("{{job: 'job {}', optional: true}}", number - 1),
        };
        write!(
            text,
            "job {number}:\n  extends: .base\n  stage: a\n  needs: [{need}]\n  variables: {{NUMBER: '{number}'}}\n  rules:\n    - if: $CI_COMMIT_BRANCH\n"
        )
        .unwrap();
    }
    let sandbox = Sandbox::new(&[(MAIN, &text)]);
    let mut editor = Editor::start(&sandbox.path(), &[]);
    editor.open(MAIN, &text);
    assert_eq!(errors(&editor.faults(MAIN, Some(1))), [""; 0]);
    let line = text.matches('\n').count() as u32;
    let mut slowest = (0, String::new());
    for (version, typed) in ["n", "ne", "nee", "need"].iter().enumerate() {
        let edit = json!([{
            "range": {
                "start": { "line": line, "character": 0 },
                "end": { "line": line + 9, "character": 0 }
            },
            "text": format!("last:\n  {typed}")
        }]);
        let begun = Instant::now();
        editor.edit(MAIN, version as i32 + 2, edit);
        let found = editor.proposals(MAIN, line + 1, 2 + typed.len() as u32);
        let mut taken = vec![("completion", begun.elapsed())];
        assert!(found.iter().any(|label| label == "needs"), "{found:?}");
        let begun = Instant::now();
        let shown = editor.hover(MAIN, line - 4, 20);
        taken.push(("hover", begun.elapsed()));
        assert!(shown.contains("**`job 998`**"), "{shown}");
        let begun = Instant::now();
        editor.places("definition", MAIN, line - 4, 20);
        taken.push(("definition", begun.elapsed()));
        for (what, time) in taken {
            if time.as_millis() > slowest.0 {
                slowest = (time.as_millis(), what.to_owned());
            }
        }
    }
    assert!(slowest.0 < 10_000, "{slowest:?}");
}
