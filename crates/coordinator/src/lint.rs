//! CI Lint: what is wrong with a configuration, and which jobs a push with it would make.

use shipway_config::{InputValues, Limits, LoadContext, Loaded, NoFiles, SourceError};
use shipway_git::Facts;
use shipway_git::hosting::ZERO_ID;
use shipway_pipeline::{Context, Plan, PlanError, Source};
use shipway_store::{ProjectRow, UserRow};
use tokio::runtime::Handle;

use crate::commit_files::CommitFiles;
use crate::coordinator::Coordinator;
use crate::elsewhere::Elsewhere;
use crate::error::Error;
use crate::settings::ProjectSettings;
use crate::start::{HEADS, PipelineRequest};

/// A configuration that is to be checked.
#[derive(Debug, Clone)]
pub struct LintRequest {
    /// Whose it is.
    pub project: ProjectRow,
    /// Who would push it.
    pub user: Option<UserRow>,
    /// The branch or tag with its commit, by its full name and id: includes come from there,
    /// and rules see it. Without one there are no files, and rules see an empty default branch.
    pub at: Option<(String, String)>,
    /// The configuration; without one, the commit's own.
    pub content: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone)]
pub struct Lint {
    /// The files, the configuration and its faults.
    pub loaded: Loaded,
    /// The pipeline of a push, or why there would be none; nothing where there are faults.
    pub plan: Option<Result<Plan, Vec<PlanError>>>,
}

impl Lint {
    /// Whether a push of this configuration would make a pipeline.
    pub fn would_run(&self) -> bool {
        matches!(self.plan, Some(Ok(_)))
    }
}

impl Coordinator {
    /// Checks a configuration in the surroundings of a project, as a push would find them:
    /// files, predefined variables, variables of the instance, the groups and the project.
    /// Nothing is stored.
    ///
    /// # Errors
    /// [`Error::NoCommit`]; otherwise when the repository or the store fails.
    pub async fn lint(&self, request: &LintRequest) -> Result<Lint, Error> {
        let hosting = self.hosting.as_ref().ok_or(Error::NoRepositories)?;
        let project = &request.project;
        let settings = ProjectSettings::of(project);
        let path = hosting.project_path(project);
        let default = project.default_branch.clone().unwrap_or_default();
        let (reference, sha) = (request.at.clone())
            .unwrap_or_else(|| (format!("{HEADS}{default}"), ZERO_ID.to_owned()));
        let (facts, files) = match request.at {
            Some(_) => {
                let repository = self.repository(project).await?;
                let facts = repository.facts(&sha, &reference, path).await?;
                let facts = facts.ok_or_else(|| Error::NoCommit {
                    project: project.full_path.clone(),
                    sha: sha.clone(),
                })?;
                let files = CommitFiles {
                    repository,
                    commit: sha.clone(),
                    // Nothing was pushed that could be compared.
                    before: None,
                    handle: Handle::current(),
                    elsewhere: Elsewhere::new(
                        &self.store,
                        hosting,
                        request.user.as_ref().map(|user| user.id),
                    ),
                };
                (facts, Some(files))
            }
            None => (without_commit(default, path), None),
        };
        let push = PipelineRequest {
            project: project.clone(),
            user: request.user.clone(),
            reference,
            sha,
            before_sha: None,
            source: Source::Push,
            about: Vec::new(),
            variables: Vec::new(),
            inputs: InputValues::new(),
            skip: false,
        };
        let (context, _) = self.context_at(hosting, &push, &settings, &facts).await?;
        let (path, content) = (settings.config_path().to_owned(), request.content.clone());
        let checking = tokio::task::spawn_blocking(move || match files {
            Some(files) => check(&path, content, &files, &context),
            None => check(&path, content, &NoFiles, &context),
        });
        checking
            .await
            .map_err(|error| Error::Panicked(error.to_string()))
    }
}

fn check(
    path: &str,
    content: Option<String>,
    files: &dyn shipway_config::Source,
    context: &Context,
) -> Lint {
    // A commit without a configuration is told like an empty one; GitLab does the same.
    let (text, unreadable) = match content.map_or_else(|| files.local(path), Ok) {
        Ok(text) => (text, None),
        Err(SourceError::NotFound) => (String::new(), None),
        Err(error) => (String::new(), Some(error)),
    };
    let load = LoadContext {
        variables: context.known_to_includes(),
        ..LoadContext::default()
    };
    let mut loaded = shipway_config::load_for(path, &text, files, &Limits::default(), &load);
    if let Some(error) = unreadable {
        loaded.diagnostics = vec![shipway_config::Diagnostic::error_anywhere(format!(
            "{path}: {error}"
        ))];
    }
    let plan =
        (loaded.config.as_ref()).map(|config| shipway_pipeline::create(config, context, files));
    Lint { loaded, plan }
}

/// The facts of a branch that nobody pushed yet.
fn without_commit(branch: String, project: shipway_git::ProjectPath) -> Facts {
    Facts {
        sha: None,
        before_sha: ZERO_ID.to_owned(),
        branch: Some(branch.clone()),
        tag: None,
        tag_message: None,
        detached: false,
        ref_name: branch.clone(),
        title: String::new(),
        message: String::new(),
        description: String::new(),
        author: String::new(),
        timestamp: String::new(),
        default_branch: branch,
        remote_url: None,
        project,
        user_name: None,
        user_email: None,
    }
}
