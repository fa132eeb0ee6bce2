//! `shipway runner`: the runner protocol towards any coordinator.

mod daemon;
mod gc;
mod register;

use std::path::{Path, PathBuf};

use shipway_runner::remote::{
    ConfigFile, RunnerSettings, Settings, Surroundings, is_created_token, short_token, system_id,
};

use super::block_on;
use crate::error::Fault;
use crate::output;
use crate::runner_args::{FilterArgs, RunnerArgs, RunnerCommand, UnregisterArgs, VerifyArgs};

/// Runs the command.
pub(crate) fn runner(args: &RunnerArgs) -> Result<u8, Fault> {
    let path = match &args.config {
        Some(path) => path.clone(),
        None => default_path()?,
    };
    match &args.command {
        RunnerCommand::Register(args) => register::register(args, &path),
        RunnerCommand::Run(args) => daemon::run(args, &path),
        RunnerCommand::List => list(&path),
        RunnerCommand::Verify(args) => verify(args, &path),
        RunnerCommand::Unregister(args) => unregister(args, &path),
        RunnerCommand::Gc(args) => gc::gc(args, &path),
    }
}

fn default_path() -> Result<PathBuf, Fault> {
    use etcetera::BaseStrategy;
    if nix::unistd::Uid::effective().is_root() {
        return Ok("/etc/shipway-runner/config.toml".into());
    }
    let directories = etcetera::choose_base_strategy().map_err(|_| {
        Fault::usage_text("there is no home directory").hint("name the file with --config FILE")
    })?;
    Ok(directories.config_dir().join("shipway-runner/config.toml"))
}

fn load(path: &Path) -> Result<(ConfigFile, Settings), Fault> {
    let file = ConfigFile::load(path).map_err(Fault::usage)?;
    let settings = file.settings().map_err(Fault::usage)?;
    Ok((file, settings))
}

fn surroundings(config: &Path, working_directory: &Path) -> Result<Surroundings, Fault> {
    Ok(Surroundings {
        working_directory: std::path::absolute(working_directory).map_err(Fault::usage)?,
        environment: std::env::vars_os().collect(),
        system_id: system_id(config),
    })
}

fn list(path: &Path) -> Result<u8, Fault> {
    let (_, settings) = load(path)?;
    output::print(|out| {
        writeln!(out, "Runners of {}:", path.display())?;
        for runner in &settings.runners {
            writeln!(
                out,
                "{}  Executor={} Token={} URL={}",
                runner.name,
                runner.executor,
                short_token(&runner.token),
                runner.url
            )?;
        }
        Ok(())
    })?;
    Ok(0)
}

fn verify(args: &VerifyArgs, path: &Path) -> Result<u8, Fault> {
    let (mut file, settings) = load(path)?;
    let surroundings = surroundings(path, Path::new("."))?;
    let mut unknown = Vec::new();
    for (place, runner) in chosen(&settings, &args.filter) {
        let name = &runner.name;
        let token = runner.token(&surroundings);
        let client = runner.client(&surroundings).map_err(Fault::usage)?;
        let answer = block_on(async { Ok(client.verify(&token).await) })?;
        match answer {
            Ok(_) => say(&format!("{name} is valid"))?,
            Err(error) if error.status().is_some_and(|status| status.as_u16() == 403) => {
                unknown.push(place);
                let words = if is_created_token(&token) {
                    "is not valid"
                } else {
                    "is removed"
                };
                say(&format!("{name} {words}"))?;
            }
            // Perhaps the server is only away: the runner is not known to be bad.
            Err(error) => say(&format!("{name} is kept: {}", Fault::other(error).message))?,
        }
    }
    match (unknown.is_empty(), args.delete) {
        (true, _) => Ok(0),
        (false, true) => {
            file.remove(&unknown);
            file.save().map_err(Fault::other)?;
            Ok(0)
        }
        (false, false) => Err(Fault {
            code: 1,
            message: "Failed to verify runners".to_owned(),
            hint: Some("`--delete` takes them out of the configuration".to_owned()),
        }),
    }
}

fn unregister(args: &UnregisterArgs, path: &Path) -> Result<u8, Fault> {
    if args.filter.is_empty() && !args.all_runners {
        return Err(Fault::usage_text("no runner is named")
            .hint("name one with --name, --url or --token, or write --all-runners"));
    }
    let (mut file, settings) = load(path)?;
    let surroundings = surroundings(path, Path::new("."))?;
    let mut removed = Vec::new();
    let mut kept = false;
    for (place, runner) in chosen(&settings, &args.filter) {
        let client = runner.client(&surroundings).map_err(Fault::usage)?;
        let token = runner.token(&surroundings);
        match block_on(async { Ok(client.unregister(&token).await) })? {
            Ok(()) => {
                say(&format!("{} is removed from its server", runner.name))?;
                removed.push(place);
            }
            Err(error) => {
                say(&format!(
                    "{} is kept: {}",
                    runner.name,
                    Fault::other(error).message
                ))?;
                kept = true;
            }
        }
    }
    if removed.is_empty() && !kept {
        return Err(Fault::usage_text("no runner of the configuration matches"));
    }
    file.remove(&removed);
    file.save().map_err(Fault::other)?;
    Ok(u8::from(kept))
}

/// The runners that match, with their places in the file.
fn chosen<'a>(
    settings: &'a Settings,
    filter: &'a FilterArgs,
) -> impl Iterator<Item = (usize, &'a RunnerSettings)> {
    let matches =
        |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
    settings
        .runners
        .iter()
        .enumerate()
        .filter(move |(_, runner)| {
            matches(&filter.name, &runner.name)
                && matches(&filter.url, &runner.url)
                && matches(&filter.token, &runner.token)
        })
}

fn say(text: &str) -> Result<(), Fault> {
    output::print(|out| writeln!(out, "{text}"))
}
