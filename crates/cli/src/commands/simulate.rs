//! `shipway simulate`: a pipeline played through without running anything.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shipway_config::{Limits, LoadContext, Source, SourceError};
use shipway_coordinator::{Occasion, context};
use shipway_git::{Facts, ProjectPath};
use shipway_pipeline::{Outcomes, Picture, SimulateError, State, Status, Transition, Wave};

use crate::args::Format;
use crate::config_files::{self, ProjectFiles};
use crate::error::Fault;
use crate::explain_args::SimulateArgs;
use crate::output;
use crate::pipeline;
use crate::style::{self, paint};

/// The branch of a script that names none.
const BRANCH: &str = "master";
/// What a commit that does not exist is called.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Runs the command.
pub(crate) fn simulate(args: &SimulateArgs) -> Result<u8, Fault> {
    match &args.script {
        Some(path) => play(args, path),
        None => rehearse(args),
    }
}

/// The present plan until it comes to rest.
fn rehearse(args: &SimulateArgs) -> Result<u8, Fault> {
    let planned = pipeline::plan_from(&args.project, &args.context)?;
    let outcomes = Outcomes {
        fail: args.fail.clone(),
        play: args.play.clone(),
    };
    let state = planned.plan.state();
    let waves = shipway_pipeline::rehearse(state.clone(), &outcomes).map_err(refuse)?;
    match args.format {
        Format::Json => output::print_json(&waves)?,
        Format::Text => output::print(|out| print_waves(out, &state, &waves))?,
    }
    Ok(0)
}

/// What a script holds besides its configuration.
#[derive(Debug, Deserialize)]
struct Script {
    #[serde(default)]
    context: Surroundings,
    #[serde(default)]
    init: Option<Init>,
    #[serde(default)]
    transitions: Vec<Transition>,
}

#[derive(Debug, Deserialize)]
struct Init {
    expect: Picture,
}

/// What the pipeline of a script is created for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Surroundings {
    branch: Option<String>,
    tag: Option<String>,
    source: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, serde_json::Value>,
    changes: Option<Vec<String>>,
}

fn play(args: &SimulateArgs, path: &Path) -> Result<u8, Fault> {
    let (name, text, folder) = read(path)?;
    let limits = Limits::default();
    let plain = ProjectFiles::new(&folder, &limits);
    let described = |around: &serde_json::Value| LoadContext {
        variables: surroundings(around)
            .and_then(|around| made_up(&around))
            .map(|context| context.known_to_includes())
            .unwrap_or_default(),
        ..LoadContext::default()
    };
    let (loaded, around) =
        shipway_config::load_within(&name, &text, "config", &plain, &limits, &described);
    let checked = config_files::report(loaded, output::color_on_stderr())?;
    let fault = |cause: serde_json::Error| {
        Fault::usage_text(format!("{name} is not a script: {cause}"))
            .hint("`shipway simulate --help` says what a script has")
    };
    let script: Script = serde_json::from_value(around).map_err(fault)?;
    let context = made_up(&script.context)?;
    let files = ScriptFiles {
        files: plain,
        changes: script.context.changes.clone(),
    };
    let plan = shipway_pipeline::create(&checked.config, &context, &files)
        .map_err(|faults| pipeline::refuse(&faults, &checked))?;
    let state = plan.state();
    let pictures =
        shipway_pipeline::simulate(state.clone(), &script.transitions).map_err(refuse)?;
    let wrong = differences(&script, &pictures);
    match args.format {
        Format::Json => output::print_json(&pictures)?,
        Format::Text => {
            output::print(|out| print_script(out, &state, &script.transitions, &pictures))?;
        }
    }
    if wrong.is_empty() {
        return Ok(0);
    }
    Err(Fault {
        code: 1,
        message: format!("{name} expects other states\n{}", wrong.join("\n")),
        hint: None,
    })
}

/// Name, text and folder of a script.
fn read(path: &Path) -> Result<(String, String, PathBuf), Fault> {
    let fault = |cause: std::io::Error| {
        Fault::usage_text(format!("cannot read {}: {cause}", path.display()))
    };
    let limit = Limits::default().yaml_bytes as u64;
    let is_input = path == Path::new("-");
    let mut text = String::new();
    if is_input {
        std::io::stdin().take(limit + 1).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(fault)?;
        file.take(limit + 1).read_to_string(&mut text)
    }
    .map_err(fault)?;
    if text.len() as u64 > limit {
        return Err(Fault::usage_text(format!(
            "{} is larger than {limit} bytes",
            path.display()
        )));
    }
    let folder = if is_input {
        PathBuf::from(".")
    } else {
        let whole = pipeline::absolute(path)?;
        whole.parent().unwrap_or(Path::new("/")).to_owned()
    };
    let name = if is_input {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    Ok((name, text, folder))
}

fn surroundings(around: &serde_json::Value) -> Result<Surroundings, Fault> {
    match around.get("context") {
        None | Some(serde_json::Value::Null) => Ok(Surroundings::default()),
        Some(context) => serde_json::from_value(context.clone()).map_err(Fault::usage),
    }
}

/// The context of a project that does not exist.
fn made_up(around: &Surroundings) -> Result<shipway_pipeline::Context, Fault> {
    let source = match &around.source {
        Some(word) => word.parse().map_err(Fault::usage)?,
        // GitLab makes pipelines of scripts like this; it is what they are compared with.
        None => shipway_pipeline::Source::Pipeline,
    };
    let branch = around.branch.clone().unwrap_or_else(|| BRANCH.to_owned());
    let facts = Facts {
        sha: None,
        before_sha: NO_COMMIT.to_owned(),
        branch: around.tag.is_none().then(|| branch.clone()),
        tag: around.tag.clone(),
        tag_message: None,
        detached: false,
        ref_name: around.tag.clone().unwrap_or(branch),
        title: String::new(),
        message: String::new(),
        description: String::new(),
        author: String::new(),
        timestamp: String::new(),
        default_branch: BRANCH.to_owned(),
        remote_url: None,
        project: ProjectPath {
            host: None,
            port: None,
            insecure: false,
            path: "group/project".to_owned(),
        },
        user_name: None,
        user_email: None,
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let variables = around.variables.iter();
    let occasion = Occasion {
        source,
        config_path: crate::project::DEFAULT_FILE.to_owned(),
        user: "user".to_owned(),
        variables: variables
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
    };
    Ok(context(&facts, &occasion))
}

/// The files beside a script, with the changes it speaks of.
struct ScriptFiles {
    files: ProjectFiles,
    changes: Option<Vec<String>>,
}

impl Source for ScriptFiles {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        self.files.local(path)
    }

    fn list(&self) -> Vec<String> {
        self.files.list()
    }

    fn changes(&self, _compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        Ok(self.changes.clone())
    }
}

fn refuse(fault: SimulateError) -> Fault {
    Fault::usage(fault)
}

/// Where the states are not as the script expects, a line each.
fn differences(script: &Script, pictures: &[Picture]) -> Vec<String> {
    let first = script.init.as_ref().map(|init| &init.expect);
    let others = script.transitions.iter().map(|one| one.expect.as_ref());
    let expected = std::iter::once(first).chain(others);
    let mut lines = Vec::new();
    for (step, (picture, expected)) in pictures.iter().zip(expected).enumerate() {
        let Some(expected) = expected else { continue };
        let place = match step {
            0 => "after the creation".to_owned(),
            step => format!("after step {step}"),
        };
        let found = picture.differences(expected);
        lines.extend(found.into_iter().map(|line| format!("  {place} {line}")));
    }
    lines
}

fn print_script(
    out: &mut dyn Write,
    state: &State,
    transitions: &[Transition],
    pictures: &[Picture],
) -> std::io::Result<()> {
    for (step, picture) in pictures.iter().enumerate() {
        let title = match step.checked_sub(1).map(|index| &transitions[index]) {
            None => "Created".to_owned(),
            Some(Transition { event, jobs, .. }) => {
                let jobs = jobs.as_ref().map(|jobs| jobs.join(", "));
                let target = jobs.unwrap_or_else(|| "the pipeline".to_owned());
                format!("{step}. {event} {target}")
            }
        };
        let before = step.checked_sub(1).map(|index| &pictures[index]);
        print_step(out, &title, state, before, picture)?;
    }
    Ok(())
}

fn print_waves(out: &mut dyn Write, state: &State, waves: &[Wave]) -> std::io::Result<()> {
    for (step, wave) in waves.iter().enumerate() {
        let words = [("succeeds", &wave.succeeded), ("fails", &wave.failed)];
        let words: Vec<String> = (words.into_iter())
            .filter(|(_, jobs)| !jobs.is_empty())
            .map(|(word, jobs)| format!("{} {word}", jobs.join(", ")))
            .collect();
        let title = match step {
            0 => "Created".to_owned(),
            step if words.is_empty() => format!("{step}. play or delay over"),
            step => format!("{step}. {}", words.join("; ")),
        };
        let before = step.checked_sub(1).map(|index| &waves[index].state);
        print_step(out, &title, state, before, &wave.state)?;
    }
    if let Some(last) = waves.last() {
        let status = last.state.pipeline;
        let text = format!("The pipeline ends {status}.");
        writeln!(out, "{}", paint(style::of(status), text))?;
    }
    Ok(())
}

/// A step: the pipeline's status and the jobs whose status is new.
fn print_step(
    out: &mut dyn Write,
    title: &str,
    state: &State,
    before: Option<&Picture>,
    picture: &Picture,
) -> std::io::Result<()> {
    let pipeline = picture.pipeline;
    writeln!(
        out,
        "{}  {}",
        paint(style::BOLD, title),
        paint(style::DIM, format!("pipeline {pipeline}"))
    )?;
    for (index, stage) in state.stages.iter().enumerate() {
        let jobs = state.jobs.iter().filter(|job| job.stage == index);
        for job in jobs {
            let now = picture.jobs.get(&job.name).copied().unwrap_or_default();
            let was = before.and_then(|before| before.jobs.get(&job.name));
            if was != Some(&now) {
                let arrow = was.map(|was: &Status| format!("{was} → "));
                let status = format!("{} {}{now}", style::symbol(now), arrow.unwrap_or_default());
                let name = format!("{}:{}", stage.name, job.name);
                writeln!(out, "  {name}  {}", paint(style::of(now), status))?;
            }
        }
    }
    Ok(())
}
