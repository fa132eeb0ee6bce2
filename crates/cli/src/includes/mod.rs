//! Where files come from that `include` names and that are not of the project: checkouts of
//! other projects, a directory of templates, other hosts.

mod checkout;
mod lock;
mod remote;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use shipway_config::{OtherProject, OtherProjectError, ProjectRequest, RemoteError, SourceError};
use shipway_git::Repository;

use crate::args::IncludeArgs;
use crate::config_files::ProjectFiles;
use crate::error::Fault;
use crate::project::Project;
use checkout::Checkout;
use remote::Remote;

/// How long reading all files may take, as on GitLab.
const TIME: Duration = Duration::from_secs(30);
/// The key of git's configuration for what `--project` says.
const PROJECT_KEY: &str = "shipway.project";
/// The same for `--templates`.
const TEMPLATES_KEY: &str = "shipway.templates";

/// What a person has said about the files of others.
pub(crate) struct Includes {
    checkouts: Vec<Checkout>,
    templates: Option<PathBuf>,
    remote: Remote,
    started: OnceLock<Instant>,
    /// What cannot be had is left out.
    pub(crate) is_partial: bool,
}

impl Includes {
    /// For a project: the command line, and behind it git's configuration.
    pub(crate) fn of(project: &Project, args: &IncludeArgs) -> Result<Self, Fault> {
        Self::new(args, Some(&project.repository), &project.state_dir)
    }

    /// `state_dir` is where fetched files are kept.
    pub(crate) fn new(
        args: &IncludeArgs,
        repository: Option<&Repository>,
        state_dir: &Path,
    ) -> Result<Self, Fault> {
        let mut checkouts = Vec::new();
        for text in &args.projects {
            checkouts.push(Checkout::parse(text, Path::new("")).map_err(Fault::usage_text)?);
        }
        let mut templates = args.templates.clone();
        if let Some(repository) = repository {
            // Relative paths of the configuration start where it is: at the top.
            let top = repository.top();
            for text in repository.config_values(PROJECT_KEY) {
                let wrong = |fault| {
                    Fault::usage_text(format!("git's configuration, {PROJECT_KEY}: {fault}"))
                };
                checkouts.push(Checkout::parse(text, top).map_err(wrong)?);
            }
            let configured = repository.config_values(TEMPLATES_KEY).last();
            templates = templates.or_else(|| configured.map(|path| top.join(path)));
        }
        Ok(Self {
            checkouts,
            templates,
            remote: Remote::new(args, state_dir),
            started: OnceLock::new(),
            is_partial: args.partial,
        })
    }

    pub(crate) fn project(
        &self,
        request: &ProjectRequest<'_>,
    ) -> Result<OtherProject, OtherProjectError> {
        let checkout = checkout::find(&self.checkouts, request).ok_or_else(|| missing(request))?;
        checkout.at(request)
    }

    pub(crate) fn tags_of(
        &self,
        request: &ProjectRequest<'_>,
    ) -> Result<Vec<String>, OtherProjectError> {
        match checkout::find(&self.checkouts, request) {
            Some(checkout) => Ok(checkout.tags()?),
            None => Err(missing(request).into()),
        }
    }

    pub(crate) fn template(&self, name: &str) -> Result<String, SourceError> {
        let directory = self
            .templates
            .as_ref()
            .ok_or_else(|| SourceError::Refused {
                reason: "GitLab's templates are not part of shipway".to_owned(),
                hint: "put the templates that you use into a directory and name it: \
                   `--templates DIR`, or `git config shipway.templates DIR`"
                    .to_owned(),
            })?;
        use shipway_config::Source as _;
        ProjectFiles::new(directory, &shipway_config::Limits::default()).local(name)
    }

    pub(crate) fn remote(&self, url: &str) -> Result<String, RemoteError> {
        let left = TIME.saturating_sub(self.started().elapsed());
        self.remote.get(url, left)
    }

    /// The clock starts with the first file that is asked for.
    pub(crate) fn out_of_time(&self) -> Option<Duration> {
        (self.started().elapsed() > TIME).then_some(TIME)
    }

    fn started(&self) -> &Instant {
        self.started.get_or_init(Instant::now)
    }
}

/// What to do about a project that nobody has named.
fn missing(request: &ProjectRequest<'_>) -> SourceError {
    let path = request.path;
    SourceError::Refused {
        reason: "no checkout of it is known here".to_owned(),
        hint: format!(
            "clone it and name the clone: `--project {path}=DIR`, or \
             `git config --add shipway.project {path}=DIR`"
        ),
    }
}
