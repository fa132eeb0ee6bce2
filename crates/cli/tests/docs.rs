//! The guides in `docs/`: their files are written, their commands are run, and what they
//! show must be what is printed.
//!
//! A block `yaml file=NAME` is a file. In a `console` block a line `$ command` is run with
//! bash; the lines below it are its output, where `...` stands for any lines and `[..]` for
//! any text, and a first line `? N` for the exit code.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use support::Sandbox;

/// A fenced block of a guide.
struct Block {
    info: String,
    lines: Vec<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block {
                    info: info.to_owned(),
                    lines: Vec::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    blocks
}

/// The commands of a console block with their exit codes and outputs.
fn commands(block: &Block) -> Vec<(String, i32, Vec<String>)> {
    let mut commands: Vec<(String, i32, Vec<String>)> = Vec::new();
    for line in &block.lines {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), 0, Vec::new()));
        } else if let Some((_, code, output)) = commands.last_mut() {
            match line.strip_prefix("? ") {
                Some(number) if output.is_empty() => *code = number.parse().unwrap(),
                _ => output.push(line.clone()),
            }
        }
    }
    commands
}

fn matches(expected: &[String], found: &[String]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        Some((first, rest)) => match found.split_first() {
            Some((line, others)) => line_matches(first, line) && matches(rest, others),
            None => false,
        },
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    let line = line.trim_end();
    let mut parts = expected.trim_end().split("[..]");
    let first = parts.next().unwrap();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    match last {
        None => rest.is_empty(),
        Some(part) => part.is_empty() || rest.is_empty() || line.ends_with(part),
    }
}

fn run_guide(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let sandbox = Sandbox::new(&[]);
    let binary = Path::new(env!("CARGO_BIN_EXE_shipway")).parent().unwrap();
    let path = format!(
        "{}:{}",
        binary.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut ran = 0;
    for block in blocks(&text) {
        if let Some((_, file)) = block.info.split_once("file=") {
            sandbox.write(file, &(block.lines.join("\n") + "\n"));
            sandbox.commit(file);
        }
        if block.info != "console" {
            continue;
        }
        for (command, code, expected) in commands(&block) {
            let output = sandbox
                .command("bash")
                .args(["-c", &format!("{command} 2>&1")])
                .env("PATH", &path)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let found: Vec<String> = text.lines().map(str::to_owned).collect();
            assert_eq!(
                output.status.code(),
                Some(code),
                "{name}: {command}\n{text}"
            );
            assert!(
                matches(&expected, &found),
                "{name}: $ {command}\nexpected:\n{}\nfound:\n{text}",
                expected.join("\n")
            );
            ran += 1;
        }
    }
    // A guide about containers needs an engine; its file is part of the end-to-end tests.
    assert!(ran > 0 || name == "containers.md", "{name} has no commands");
}

#[test]
fn every_guide_tells_the_truth() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut names: Vec<String> = (std::fs::read_dir(docs).unwrap().flatten())
        .map(|entry| entry.file_name().into_string().unwrap())
        // The table of compatibility shows no commands; a test of its own reads it.
        .filter(|name| name.ends_with(".md") && name != "compatibility.md")
        .collect();
    names.sort();
    assert!(names.len() >= 7, "{names:?}");
    // What these guides show is not in every build.
    let of_features = [
        ("api.md", cfg!(feature = "server")),
        ("editor.md", cfg!(feature = "lsp")),
        ("runner.md", cfg!(feature = "remote")),
        ("server.md", cfg!(feature = "server")),
    ];
    for name in names {
        let feature = of_features.iter().find(|(guide, _)| *guide == name);
        if feature.is_none_or(|(_, there)| *there) {
            run_guide(&name);
        }
    }
}

#[test]
fn the_readme_links_every_guide_and_no_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    for entry in std::fs::read_dir(root.join("docs")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        assert!(readme.contains(&format!("(docs/{name})")), "{name}");
    }
    for link in readme.split("](").skip(1) {
        let target = link.split(')').next().unwrap();
        assert!(root.join(target).exists(), "{target}");
    }
}
