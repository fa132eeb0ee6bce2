//! The scripted pipelines that the project is held against, where they are at hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "a test that does not run says so")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use shipway_config::{Limits, NoFiles};
use shipway_pipeline::{Context, Event, Source, State, create};

/// The one case that states an older behaviour, as its README says.
const OUTDATED: &str = "dag_test_manual_allow_failure_true.yml";

/// Where the cases are, beside the project.
fn cases() -> Option<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/conformance/pipeline_processing");
    let mut found: Vec<PathBuf> = (std::fs::read_dir(directory).ok()?.flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .collect();
    found.sort();
    Some(found)
}

/// A state as `pipeline success`, `stage build success`, `job a success`.
type Picture = BTreeMap<String, String>;

/// One step of a case: event, jobs, expected state.
struct Step {
    event: Option<String>,
    jobs: Vec<String>,
    expected: Picture,
}

/// Reads a case by its indentation, which all of them share.
fn read(text: &str) -> (String, Vec<Step>) {
    let (config, rest) = text.split_once("\ninit:").unwrap();
    let config = config.strip_prefix("config:\n").unwrap();
    let config: Vec<&str> = config
        .lines()
        .map(|line| line.strip_prefix("  ").unwrap_or(line))
        .collect();
    let mut steps = vec![Step {
        event: None,
        jobs: Vec::new(),
        expected: Picture::new(),
    }];
    let mut group = "";
    for line in rest.lines() {
        let line = line.split('#').next().unwrap().trim();
        let item = line.trim_start_matches("- ");
        let Some((key, value)) = item.split_once(':') else {
            continue;
        };
        let value = value.trim();
        let names = || -> Vec<String> {
            let list = value.trim_matches(['[', ']']).split(',');
            list.map(|name| name.trim().to_owned()).collect()
        };
        match (key, value) {
            ("event", _) => steps.push(Step {
                event: Some(value.to_owned()),
                jobs: Vec::new(),
                expected: Picture::new(),
            }),
            ("jobs", list) if !list.is_empty() => steps.last_mut().unwrap().jobs = names(),
            ("stages", "") => group = "stage",
            ("jobs", "") => group = "job",
            ("pipeline", _) => {
                let step = steps.last_mut().unwrap();
                step.expected
                    .insert("pipeline".to_owned(), value.to_owned());
            }
            (_, "") | ("transitions", _) => {}
            (name, status) => {
                let key = format!("{group} {name}");
                let step = steps.last_mut().unwrap();
                step.expected.insert(key, status.to_owned());
            }
        }
    }
    (config.join("\n"), steps)
}

fn picture(state: &State) -> Picture {
    let mut picture = Picture::new();
    picture.insert("pipeline".to_owned(), state.pipeline.to_string());
    for stage in &state.stages {
        picture.insert(format!("stage {}", stage.name), stage.status.to_string());
    }
    for job in &state.jobs {
        picture.insert(format!("job {}", job.name), job.status.to_string());
    }
    picture
}

fn events(step: &Step, state: &State) -> Vec<Event> {
    let event = step.event.as_deref().unwrap();
    if step.jobs.is_empty() {
        assert_eq!(event, "retry");
        return vec![Event::RetryPipeline];
    }
    let jobs = step.jobs.iter().map(|name| state.job(name).unwrap());
    jobs.map(|job| match event {
        "success" => Event::Succeeded(job),
        "drop" => Event::Failed {
            job,
            reason: "unknown_failure".to_owned(),
            exit_code: None,
        },
        "run" => Event::Started(job),
        "cancel" => Event::Cancel(job),
        "play" => Event::Play(job),
        "retry" => Event::Retry(job),
        other => panic!("unknown event {other}"),
    })
    .collect()
}

#[test]
fn scripted_pipelines_go_as_they_must() {
    let Some(cases) = cases() else {
        skip(
            "scripted_pipelines_go_as_they_must",
            "the conformance cases are not at hand",
        );
        return;
    };
    let context = Context {
        ref_name: "master".to_owned(),
        source: Source::Pipeline,
        ..Context::default()
    };
    let mut steps_done = 0;
    for path in &cases {
        if path.ends_with(OUTDATED) {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy();
        let (config, steps) = read(&std::fs::read_to_string(path).unwrap());
        let loaded = shipway_config::load("case.yml", &config, &NoFiles, &Limits::default());
        let messages: Vec<_> = loaded.diagnostics.iter().map(|one| &one.message).collect();
        let config = loaded
            .config
            .unwrap_or_else(|| panic!("{name}: {messages:?}"));
        let mut state = create(&config, &context, &NoFiles).unwrap().state();
        for (number, step) in steps.iter().enumerate() {
            let events = match step.event {
                None => vec![Event::Process],
                Some(_) => events(step, &state),
            };
            state.apply(&events).unwrap();
            assert_eq!(picture(&state), step.expected, "{name}, step {number}");
            steps_done += 1;
        }
    }
    assert!(cases.len() > 20 && steps_done > 80, "{steps_done} steps");
}

/// Says that a test did not run: to the file the suite collects, or to the tester.
fn skip(test: &str, reason: &str) {
    use std::io::Write;
    let line = format!("{test}: {reason}\n");
    match std::env::var_os("SHIPWAY_TEST_SKIPS") {
        Some(path) => {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path);
            file.and_then(|mut file| file.write_all(line.as_bytes()))
                .unwrap();
        }
        None => eprint!("skipped: {line}"),
    }
}
