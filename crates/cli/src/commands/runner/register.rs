//! `shipway runner register`.

use std::io::{BufRead, Write};
use std::path::Path;

use shipway_protocol::{RegisterRequest, RunnerCredentials, TagList};
use shipway_runner::RunnerConfig;
use shipway_runner::remote::{
    Client, ConfigFile, Endpoint, NewRunner, details, is_created_token, system_id,
};

use super::{block_on, say};
use crate::error::Fault;
use crate::runner_args::{RegisterArgs, RunnerExecutor};

const DEFAULT_IMAGE: &str = "alpine:latest";

/// What is known once everything was asked.
struct Answers {
    url: String,
    token: Token,
    name: String,
    executor: RunnerExecutor,
    image: Option<String>,
}

enum Token {
    /// Of a runner that exists.
    Runner(String),
    /// For making one.
    Registration(String),
}

pub(super) fn register(args: &RegisterArgs, path: &Path) -> Result<u8, Fault> {
    // Nothing is asked of the server as long as the file cannot take the runner.
    let mut file = ConfigFile::load(path).map_err(Fault::usage)?;
    file.settings().map_err(Fault::usage)?;
    let answers = answers(args)?;
    refuse_server_settings(args, &answers.token)?;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|cause| {
            Fault::usage_text(format!("cannot create {}: {cause}", parent.display()))
        })?;
    }
    let endpoint = Endpoint {
        url: answers.url.clone(),
        ca_file: args.tls_ca_file.clone(),
    };
    let config = RunnerConfig::new("/".into(), "/".into(), "/".into());
    let client =
        Client::new(&endpoint, details(&config), &system_id(path)).map_err(Fault::usage)?;
    let (token, credentials) = on_server(args, &answers, &client)?;
    let docker = answers.image.clone().map(|image| {
        let volumes = match args.docker_volumes.is_empty() {
            true => vec!["/cache".to_owned()],
            false => args.docker_volumes.clone(),
        };
        (image, args.docker_privileged, volumes)
    });
    let runner = NewRunner {
        name: answers.name,
        url: answers.url,
        id: credentials.id,
        token: token.clone(),
        token_obtained_at: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        token_expires_at: credentials.token_expires_at,
        executor: answers.executor.as_str().to_owned(),
        limit: args.limit,
        tls_ca_file: args.tls_ca_file.clone(),
        builds_dir: args.builds_dir.clone(),
        cache_dir: args.cache_dir.clone(),
        environment: args.environment.clone(),
        docker,
    };
    let saved = file.add(&runner).and_then(|()| file.save());
    if let Err(error) = saved {
        if !args.leave_runner
            && let Err(error) = block_on(async { Ok(client.unregister(&token).await) })?
        {
            say(&format!("The runner stays on the server: {error}"))?;
        }
        return Err(Fault::other(error));
    }
    say(&format!(
        "Runner {} is registered; its configuration is in {}.",
        runner.name,
        path.display()
    ))?;
    Ok(0)
}

/// Makes the runner on the server, or asks whether it is there.
fn on_server(
    args: &RegisterArgs,
    answers: &Answers,
    client: &Client,
) -> Result<(String, RunnerCredentials), Fault> {
    let credentials = match &answers.token {
        Token::Runner(token) => block_on(async { Ok(client.verify(token).await) })?,
        Token::Registration(token) => {
            let tags = args.tag_list.clone().filter(|tags| !tags.trim().is_empty());
            let request = RegisterRequest {
                token: token.clone(),
                description: Some(answers.name.clone()),
                maintenance_note: args.maintenance_note.clone(),
                // Without tags it would otherwise never get a job.
                run_untagged: Some(tags.is_none() || args.run_untagged == Some(true)),
                tag_list: tags.map(TagList::Text),
                locked: Some(args.locked.unwrap_or(true)),
                access_level: args.access_level.clone(),
                maximum_timeout: args.maximum_timeout,
                paused: Some(args.paused.unwrap_or(false)),
                ..RegisterRequest::default()
            };
            block_on(async { Ok(client.register(request).await) })?
        }
    };
    let credentials = credentials.map_err(|error| {
        let refused = error.status().is_some_and(|status| status.as_u16() == 403);
        let fault = Fault::other(error);
        match refused {
            true => fault.hint("is the token right, and of this server?"),
            false => fault,
        }
    })?;
    let token = match &answers.token {
        Token::Runner(token) => token.clone(),
        Token::Registration(_) => credentials.token.clone(),
    };
    Ok((token, credentials))
}

/// A created runner's settings are the server's.
fn refuse_server_settings(args: &RegisterArgs, token: &Token) -> Result<(), Fault> {
    let given = [
        ("--tag-list", args.tag_list.is_some()),
        ("--run-untagged", args.run_untagged.is_some()),
        ("--locked", args.locked.is_some()),
        ("--paused", args.paused.is_some()),
        ("--access-level", args.access_level.is_some()),
        ("--maximum-timeout", args.maximum_timeout.is_some()),
        ("--maintenance-note", args.maintenance_note.is_some()),
    ];
    let given: Vec<&str> = given
        .iter()
        .filter(|(_, is)| *is)
        .map(|(name, _)| *name)
        .collect();
    match token {
        Token::Runner(_) if !given.is_empty() => Err(Fault::usage_text(format!(
            "{} cannot be set with the token of a runner that exists",
            given.join(", ")
        ))
        .hint("set them on the server, where the runner was created")),
        _ => Ok(()),
    }
}

fn answers(args: &RegisterArgs) -> Result<Answers, Fault> {
    let url = ask(
        args,
        "--url",
        "The server's address",
        args.url.clone(),
        None,
    )?;
    let token = match (&args.token, &args.registration_token) {
        (Some(token), _) => Token::Runner(token.clone()),
        (None, Some(token)) if is_created_token(token) => Token::Runner(token.clone()),
        (None, Some(token)) => Token::Registration(token.clone()),
        (None, None) => {
            let token = ask(args, "--token", "The runner's token", None, None)?;
            match is_created_token(&token) {
                true => Token::Runner(token),
                false => Token::Registration(token),
            }
        }
    };
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let name = ask(
        args,
        "--name",
        "The runner's name",
        args.name.clone(),
        Some(&host),
    )?;
    let executor = match args.executor {
        Some(executor) => executor,
        None => {
            let text = ask(
                args,
                "--executor",
                "What runs its jobs: shell or docker",
                None,
                None,
            )?;
            <RunnerExecutor as clap::ValueEnum>::from_str(&text, true)
                .map_err(|_| Fault::usage_text(format!("`{text}` is neither shell nor docker")))?
        }
    };
    let image = match executor {
        RunnerExecutor::Shell => None,
        RunnerExecutor::Docker => {
            let question = "The image of jobs that name none";
            let given = args.docker_image.clone();
            Some(ask(
                args,
                "--docker-image",
                question,
                given,
                Some(DEFAULT_IMAGE),
            )?)
        }
    };
    Ok(Answers {
        url,
        token,
        name,
        executor,
        image,
    })
}

/// The value given, or asked for where that is allowed, or the default.
fn ask(
    args: &RegisterArgs,
    option: &str,
    question: &str,
    given: Option<String>,
    default: Option<&str>,
) -> Result<String, Fault> {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        return Ok(given);
    }
    let missing = || Fault::usage_text(format!("{option} is missing"));
    if args.non_interactive {
        return default.map(str::to_owned).ok_or_else(missing);
    }
    let mut err = anstream::stderr();
    let hint = default
        .map(|default| format!(" [{default}]"))
        .unwrap_or_default();
    write!(err, "{question}{hint}: ")
        .and_then(|()| err.flush())
        .map_err(Fault::other)?;
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(Fault::other)?;
    match (line.trim(), default) {
        ("", Some(default)) => Ok(default.to_owned()),
        ("", None) => Err(missing()),
        (answer, _) => Ok(answer.to_owned()),
    }
}
