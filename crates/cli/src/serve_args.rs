//! The options of `shipway serve`, on the command line, in the environment and in a file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use shipway_server::{EmbeddedRunner, ExternalUrl, Settings, TrustedProxies};

use crate::admin_args::PlaceArgs;
use crate::error::Fault;

/// Serve projects to a team: git over HTTP, pipelines on push, runners, pages and the API.
///
/// Everything is kept in one directory. The first start makes the administrator `root` and
/// prints how to sign in.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  shipway serve --demo --runner shell      both examples, run and deployed on this machine
  shipway serve --data /srv/shipway --listen 0.0.0.0:8080 --external-url https://ci.example.com
  shipway serve --database postgres://shipway@db/shipway --objects s3://shipway/artifacts
  shipway serve --limit pipeline-jobs=2000 --limit artifact-size=500MB

Each option is also a key of the file that --config names, for instance `listen = \"[::]:80\"`.
The command line comes before the environment, and that before the file.

SHIPWAY_ROOT_PASSWORD and SHIPWAY_ROOT_TOKEN choose what the first start else makes up.
SHIPWAY_LOG chooses what is logged, for instance `debug`.")]
pub(crate) struct ServeArgs {
    /// Read options from this TOML file.
    #[arg(short, long, value_name = "FILE", env = "SHIPWAY_CONFIG")]
    pub(crate) config: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) choices: Choices,

    /// How lines of the log look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "SHIPWAY_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What a person may choose; what is missing is chosen elsewhere or has its default.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Choices {
    /// Where everything is kept [default: shipway/server in the user's data directory].
    #[arg(long, value_name = "DIR", env = "SHIPWAY_DATA")]
    data: Option<PathBuf>,

    /// Where to listen [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR", env = "SHIPWAY_LISTEN")]
    listen: Option<SocketAddr>,

    /// How others reach the server [default: where it listens].
    #[arg(long, value_name = "URL", env = "SHIPWAY_EXTERNAL_URL")]
    external_url: Option<String>,

    /// `sqlite:`, `sqlite:PATH` or `postgres://...` [default: sqlite: in the data directory].
    #[arg(
        long,
        value_name = "URL",
        env = "SHIPWAY_DATABASE",
        hide_env_values = true
    )]
    database: Option<String>,

    /// Where artifacts are kept: `file:` or `s3://BUCKET/PREFIX` [default: file:].
    #[arg(
        long,
        value_name = "URL",
        env = "SHIPWAY_OBJECTS",
        hide_env_values = true
    )]
    objects: Option<String>,

    /// Run jobs in this process too; `auto` does where a Docker engine answers
    /// [default: auto].
    #[arg(long, value_name = "KIND", env = "SHIPWAY_RUNNER",
        value_parser = ["auto", "docker", "shell", "none"])]
    runner: Option<String>,

    /// Add the examples as projects at the first start.
    #[arg(
        long,
        env = "SHIPWAY_DEMO",
        num_args = 0,
        default_missing_value = "true"
    )]
    demo: Option<bool>,

    /// Reverse proxies that are believed in X-Forwarded-For and X-Forwarded-Proto, as addresses
    /// or networks like 10.0.0.0/8 [default: none].
    #[arg(
        long,
        value_name = "CIDR",
        env = "SHIPWAY_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    trusted_proxies: Option<Vec<String>>,

    /// Change a limit: `schedules=20`, `artifact-size=500MB`, `artifact-size.junit=10MB`; the
    /// limits are pipeline-jobs, pipeline-deployments, active-jobs, pipelines-per-minute,
    /// schedules, schedule-runs-per-day, project-variables, group-variables,
    /// instance-variables, artifact-size, artifact-size.TYPE and package-size; 0 is none
    /// [default: GitLab's].
    #[arg(
        long,
        value_name = "NAME=VALUE",
        env = "SHIPWAY_LIMIT",
        value_delimiter = ','
    )]
    limit: Option<Vec<String>>,

    /// The directory of the files that `include:template` names [default: none].
    #[arg(long, value_name = "DIR", env = "SHIPWAY_TEMPLATES")]
    templates: Option<PathBuf>,
}

impl ServeArgs {
    /// The server of `shipway admin`.
    pub(crate) fn of_place(place: &PlaceArgs) -> Self {
        Self {
            config: place.config.clone(),
            choices: Choices {
                data: place.data.clone(),
                database: place.database.clone(),
                ..Choices::default()
            },
            log_format: LogFormat::Text,
        }
    }

    /// Everything that is chosen, or nobody's choice.
    pub(crate) fn settings(&self) -> Result<Settings, Fault> {
        let file = self.config.as_deref().map(read).transpose()?;
        let choices = self.choices.clone().or(file.unwrap_or_default());
        let listen = match choices.listen {
            Some(listen) => listen,
            None => Settings::LISTEN.parse().map_err(Fault::other)?,
        };
        let data = match choices.data {
            Some(data) => data,
            None => default_data()?,
        };
        let data = std::path::absolute(data).map_err(Fault::usage)?;
        let mut settings = Settings::new(data, listen);
        if let Some(url) = choices.external_url {
            settings.external_url = ExternalUrl::parse(&url).map_err(Fault::usage)?;
        }
        settings.database = choices.database.unwrap_or(settings.database);
        settings.objects = choices.objects.unwrap_or(settings.objects);
        settings.demo = choices.demo.unwrap_or_default();
        let proxies = choices.trusted_proxies.unwrap_or_default();
        settings.trusted_proxies =
            TrustedProxies::parse(proxies.iter().map(String::as_str)).map_err(Fault::usage)?;
        settings.templates = match choices.templates {
            Some(directory) if !directory.is_dir() => {
                let text = format!("{}: there is no such directory", directory.display());
                return Err(Fault::usage_text(text).hint("make it, or leave `--templates` out"));
            }
            Some(directory) => Some(std::path::absolute(directory).map_err(Fault::usage)?),
            None => None,
        };
        for text in choices.limit.unwrap_or_default() {
            settings.limits.set(&text).map_err(Fault::usage)?;
        }
        if let Some(name) = choices.runner {
            let found = EmbeddedRunner::ALL.iter().find(|(known, _)| *known == name);
            settings.runner = found.map(|(_, runner)| *runner).ok_or_else(|| {
                Fault::usage_text(format!("there is no runner `{name}`"))
                    .hint("choose auto, docker, shell or none")
            })?;
        }
        Ok(settings)
    }
}

impl Choices {
    /// Fills what is missing from `other`.
    fn or(self, other: Self) -> Self {
        Self {
            data: self.data.or(other.data),
            listen: self.listen.or(other.listen),
            external_url: self.external_url.or(other.external_url),
            database: self.database.or(other.database),
            objects: self.objects.or(other.objects),
            runner: self.runner.or(other.runner),
            demo: self.demo.or(other.demo),
            trusted_proxies: self.trusted_proxies.or(other.trusted_proxies),
            limit: self.limit.or(other.limit),
            templates: self.templates.or(other.templates),
        }
    }
}

fn read(path: &Path) -> Result<Choices, Fault> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| Fault::usage_text(format!("cannot read {}: {cause}", path.display())))?;
    toml_edit::de::from_str(&text).map_err(|cause| {
        let reason = cause.to_string();
        Fault::usage_text(format!("{}: {}", path.display(), reason.trim_end()))
    })
}

fn default_data() -> Result<PathBuf, Fault> {
    use etcetera::BaseStrategy;
    if nix::unistd::Uid::effective().is_root() {
        return Ok("/var/lib/shipway".into());
    }
    let directories = etcetera::choose_base_strategy().map_err(|_| {
        Fault::usage_text("there is no home directory").hint("name the directory with --data DIR")
    })?;
    Ok(directories.data_dir().join("shipway/server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_comes_before_the_file() {
        let directory = tempfile::tempdir().expect("temp dir");
        let file = directory.path().join("shipway.toml");
        let text = "listen = \"127.0.0.1:1\"\nrunner = \"shell\"\nexternal-url = \"https://x\"\n\
            trusted-proxies = [\"10.0.0.0/8\", \"::1\"]\nlimit = [\"schedules=20\"]\n";
        std::fs::write(&file, text).expect("written");
        let args = |config: &Path| ServeArgs {
            config: Some(config.to_owned()),
            choices: Choices {
                data: Some(directory.path().to_owned()),
                listen: Some("127.0.0.1:2".parse().expect("an address")),
                ..Choices::default()
            },
            log_format: LogFormat::Text,
        };
        let settings = args(&file).settings().expect("good");
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.runner, EmbeddedRunner::Shell);
        assert_eq!(settings.external_url.as_str(), "https://x");
        let proxies = TrustedProxies::parse(["10.0.0.0/8", "::1"]).expect("good");
        assert_eq!(settings.trusted_proxies, proxies);
        assert_eq!(settings.limits.schedules, 20);

        for (text, reason) in [
            ("lisen = \"x\"", "lisen"),
            ("listen = 5", "line 1"),
            ("runner = \"kubernetes\"", "no runner `kubernetes`"),
            ("external-url = \"ftp://x\"", "ftp://x"),
            ("trusted-proxies = [\"10.0.0.0/40\"]", "10.0.0.0/40"),
            ("templates = \"/no/such/place\"", "no such directory"),
            ("limit = [\"scedules=2\"]", "no limit `scedules`"),
        ] {
            std::fs::write(&file, text).expect("written");
            let fault = args(&file).settings().expect_err(text);
            assert!(fault.message.contains(reason), "{text}: {}", fault.message);
            assert_eq!(fault.code, 2);
        }
    }
}
