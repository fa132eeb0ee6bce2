use super::*;

/// Every node as `path = value`, with the value in the brackets it has.
fn shape(text: &str) -> Vec<String> {
    let outline = Outline::of(text);
    let node = |(id, node): (usize, &Node)| {
        let mut line = outline.path(id, text).join("/");
        if node.key.is_none() {
            line.push_str("/-");
        }
        if !node.colon && node.key.is_some() {
            line.push('?');
        }
        if node.tag.is_some() {
            line.push_str(outline.tag(id, text));
        }
        if let Some(value) = &node.value {
            line = format!("{line}={}", value.text(text).replace('\n', "⏎"));
        }
        line
    };
    outline.nodes.iter().enumerate().map(node).collect()
}

#[test]
fn the_shape_of_whole_files() {
    let table: &[(&str, &[&str])] = &[
        ("a: 1\nb: 'it''s' # no\n", &["a=1", "b=it's"]),
        (
            "a:\n  b: x\n  c:\n  - 1\n  - 2\nd:\n",
            &["a", "a/b=x", "a/c", "a/c/-=1", "a/c/-=2", "d"],
        ),
        (
            "a:\n- b: 1\n  c: 2\n- d\n",
            &["a", "a/-", "a/b=1", "a/c=2", "a/-=d"],
        ),
        ("a: [x, 'y', \"z\"]\n", &["a", "a/-=x", "a/-=y", "a/-=z"]),
        (
            "a: {b: 1, c: [2, {d: 3}]}\ne: 4",
            &["a", "a/b=1", "a/c", "a/c/-=2", "a/c/-", "a/c/d=3", "e=4"],
        ),
        (
            "a:\n  - |\n    x: y\n\n    z\n  - w\n",
            &["a", "a/-=    x: y⏎⏎    z⏎", "a/-=w"],
        ),
        (
            "a: !reference [b, script]\n",
            &["a!reference", "a/-=b", "a/-=script"],
        ),
        (
            "a:\n  - !reference [b, c]\n",
            &["a", "a/-!reference", "a/-=b", "a/-=c"],
        ),
        ("a: [\n  b,\n  c\n]\nd: e", &["a", "a/-=b", "a/-=c", "d=e"]),
        ("a: one\n  two\nb: 1\n", &["a=one⏎  two", "b=1"]),
        ("a: \"x\n  y\"\nb: 1\n", &["a=x⏎  y", "b=1"]),
        (
            "a: &x {b: 1}\nc:\n  <<: *x\n",
            &["a", "a/b=1", "c", "c/<<=x"],
        ),
        (
            "spec:\n  inputs:\n    a:\n---\n\"$[[ inputs.a ]]\": {stage: $[[ inputs.a ]], b: ${C}}\n",
            &[
                "spec",
                "spec/inputs",
                "spec/inputs/a",
                "$[[ inputs.a ]]",
                "$[[ inputs.a ]]/stage=$[[ inputs.a ]]",
                "$[[ inputs.a ]]/b=${C}",
            ],
        ),
        ("# only\n\n", &[]),
        (
            "a: http://x:80/y\nb: 'x: y'\n",
            &["a=http://x:80/y", "b=x: y"],
        ),
        ("a:\r\n  b: c\r\n", &["a", "a/b=c"]),
        (
            "a:\n  [b, c]\nd:\n  \"e\"\n",
            &["a", "a/-=b", "a/-=c", "d=e"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(shape(text), *expected, "{text}");
    }
}

#[test]
fn a_half_typed_line_spoils_nothing_else() {
    let table: &[(&str, &[&str])] = &[
        ("a:\n  scr\nb: 1\n", &["a", "a/scr?", "b=1"]),
        (
            "a:\n  needs: [b, \n  stage: c\nd: 1\n",
            &["a", "a/needs", "a/needs/-=b", "a/stage=c", "d=1"],
        ),
        ("a:\n  b: {c: \nd: 1\n", &["a", "a/b", "a/b/c", "d=1"]),
        ("a:\n  b: \"x\n  c: y\n", &["a", "a/b=x", "a/c=y"]),
        ("a:\n  - \n  - b\n", &["a", "a/-", "a/-=b"]),
        ("a: b: c\nd: 1\n", &["a=b: c", "d=1"]),
        ("a:\n\tb: 1\n", &["a", "a/b=1"]),
        ("]\n}\na: 1\n", &["]?", "}?", "a=1"]),
        ("a: [[[[\n", &["a", "a/-", "a/-", "a/-"]),
    ];
    for (text, expected) in table {
        assert_eq!(shape(text), *expected, "{text}");
    }
}

#[test]
fn the_cursor_finds_its_place() {
    use Role::{Item, Key, Value};
    // `|` is the cursor; then role, path and the word.
    let table = [
        ("|", Key, "", ""),
        ("sta|", Key, "", "sta"),
        ("a:\n  |", Key, "a", ""),
        ("a:\n  scr|ipt: x", Key, "a", "script"),
        ("a:\n  stage: |", Value, "a/stage", ""),
        ("a:\n  stage: bu|", Value, "a/stage", "bu"),
        ("a:\n  stage: x\n  |\nb: 1", Key, "a", ""),
        ("a:\n  stage: x\n|\nb: 1", Key, "", ""),
        ("a:\n  needs: [|]", Item, "a/needs", ""),
        ("a:\n  needs: [b, c|]", Item, "a/needs", "c"),
        ("a:\n  needs: [b, |\nc: 1", Item, "a/needs", ""),
        ("a:\n  needs:\n    - |", Item, "a/needs", ""),
        ("a:\n  needs:\n    - b\n    - c|", Item, "a/needs", "c"),
        ("a:\n  needs:\n    - jo|b: x", Item, "a/needs", "job"),
        ("a:\n  needs:\n    - job: x|", Value, "a/needs/job", "x"),
        ("a:\n  needs:\n    - job: x\n      |", Key, "a/needs", ""),
        ("a:\n  needs:\n    |", Key, "a/needs", ""),
        (
            "a:\n  rules:\n    - if: $X\n      wh|",
            Key,
            "a/rules",
            "wh",
        ),
        ("a: {script: x, |}", Key, "a", ""),
        ("a: {stage: |}", Value, "a/stage", ""),
        ("a: {stage: 'x|'}", Value, "a/stage", "x"),
        (
            "a:\n  script:\n    - |\n      echo\n      X|\nb: 1",
            Item,
            "a/script",
            "      echo\n      X\n",
        ),
        (
            "a:\n  extends: [.x, !reference [b, |]]",
            Item,
            "a/extends",
            "",
        ),
        ("a:\n  variables:\n    A: b\n    |", Key, "a/variables", ""),
        ("a: 1\n\n\n|", Key, "", ""),
    ];
    for (marked, role, path, word) in table {
        let at = marked.rfind('|').unwrap();
        let text = format!("{}{}", &marked[..at], &marked[at + 1..]);
        let outline = Outline::of(&text);
        let spot = outline.spot(&text, at);
        let found = (spot.role, spot.path.join("/"), &text[spot.word.clone()]);
        assert_eq!(found, (role, path.to_owned(), word), "{marked}");
    }
}

/// Every cut of a file, and every byte of it left out or replaced: nothing panics, and places
/// lie in the text.
#[test]
fn nothing_panics() {
    let whole = "# ä\nstages: [a, \"b\"]\n.x: &x\n  script:\n    - |\n      é: 'x'\n    - !reference [y, z]\n\
                 t:\n  <<: *x\n  needs:\n  - job: {a: [b, {c: \"d\\\"\"}]}\n  rules:\n    - if: '$A == \"ü\"'\n---\nz: $[[ inputs.q ]]\r\n";
    let mut texts = Vec::new();
    // Every third place is enough: the text has each kind of place several times.
    for (at, c) in whole.char_indices().step_by(3) {
        texts.push(whole[..at].to_owned());
        texts.push(format!("{}{}", &whole[..at], &whole[at + c.len_utf8()..]));
        for other in [
            "[", "}", "\"", "'", ":", "\n", "-", "|", "&", "*", "!", "$[[", "\t", "🦀",
        ] {
            texts.push(format!(
                "{}{other}{}",
                &whole[..at],
                &whole[at + c.len_utf8()..]
            ));
        }
    }
    for text in texts {
        let outline = Outline::of(&text);
        for (id, node) in outline.nodes.iter().enumerate() {
            assert!(text.get(node.extent.clone()).is_some(), "{text:?}");
            assert!(node.parent.is_none_or(|parent| parent < id), "{text:?}");
            for scalar in [&node.key, &node.value].into_iter().flatten() {
                assert!(text.get(scalar.inner(&text)).is_some(), "{text:?}");
            }
        }
        for at in (0..=text.len()).step_by(2) {
            if text.is_char_boundary(at) {
                let spot = outline.spot(&text, at);
                assert!(text.get(spot.word).is_some(), "{text:?} {at}");
            }
        }
    }
}

#[test]
fn deep_and_long_texts_take_linear_time() {
    for text in [
        "[".repeat(200_000),
        "a: {".repeat(100_000),
        "- ".repeat(200_000),
        "a:\n".repeat(200_000),
    ] {
        let outline = Outline::of(&text);
        assert!(outline.nodes.len() <= 200_000);
        outline.spot(&text, text.len());
    }
}
