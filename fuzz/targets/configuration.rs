//! YAML to configuration to plan: nothing panics, hangs or eats the memory, a load says either
//! what the configuration is or what is wrong with it, and every fault can be drawn.
//!
//! The text may hold several files: a line `@@ PATH` begins the next one. The first is the
//! configuration, the others are what it may include.

#![no_main]

#[path = "parser.rs"]
mod parser;

use libfuzzer_sys::fuzz_target;
use parser::tolerate_the_parser;
use shipway_config::variables::{Collection, Variable};
use shipway_config::{Limits, Source, SourceError, load, render};
use shipway_pipeline::{Context, RefKind, create};

struct Files<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Files<'t> {
    fn split(text: &'t str) -> (&'t str, Self) {
        let mut parts = text.split("\n@@ ");
        let main = parts.next().unwrap_or_default();
        let files = parts.map(|part| part.split_once('\n').unwrap_or((part, "")));
        (main, Self(files.collect()))
    }
}

impl Source for Files<'_> {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        let file = self.0.iter().find(|(name, _)| *name == path);
        file.map(|(_, text)| (*text).to_owned())
            .ok_or(SourceError::NotFound)
    }

    fn list(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        match compare_to {
            Some("missing") => Err(SourceError::NotFound),
            _ => Ok(Some(self.list())),
        }
    }
}

fuzz_target!(init: tolerate_the_parser(), |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (main, files) = Files::split(text);
    let loaded = load(".gitlab-ci.yml", main, &files, &Limits::default());
    assert_eq!(loaded.config.is_none(), loaded.errors().next().is_some());
    for diagnostic in &loaded.diagnostics {
        render(diagnostic, &loaded.files, true);
    }
    let Some(config) = loaded.config else {
        return;
    };
    let mut predefined = Collection::new();
    predefined.push(Variable::new("CI", "true"));
    predefined.push(Variable::new("CI_COMMIT_BRANCH", "main"));
    let context = Context {
        ref_name: "main".to_owned(),
        ref_kind: RefKind::Branch,
        source: shipway_pipeline::Source::Push,
        project_path: "group/project".to_owned(),
        predefined,
        outer: Collection::new(),
    };
    // A plan may fail; what counts is that it ends.
    let _ = create(&config, &context, &files);
});
