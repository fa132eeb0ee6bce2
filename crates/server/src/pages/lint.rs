//! CI Lint: what is wrong with a configuration, and which jobs it would make.

use askama::Template;
use axum::response::Response;
use shipway_config::{Limits, SourceError};
use shipway_git::hosting::{BareRepository, QueryError};
use shipway_pipeline::{Context, RefKind};
use tokio::runtime::Handle;

use super::fields::Fields;
use super::shell::{Place, Shell};
use super::visit::ProjectVisit;
use super::{page, refs};
use crate::error::ApiError;
use crate::permission::Action;

/// Files that are listed for includes with wildcards.
const LISTED_FILES: usize = 100_000;

#[derive(Debug, Template)]
#[template(path = "lint.html")]
struct LintPage {
    shell: Shell,
    base: String,
    ref_name: String,
    refs: Vec<String>,
    content: String,
    result: Option<Verdict>,
}

/// What a check found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Verdict {
    text: &'static str,
    class: &'static str,
    icon: &'static str,
    problems: Vec<Problem>,
    jobs: Vec<Job>,
    skipped: Vec<Skipped>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    kind: &'static str,
    class: &'static str,
    message: String,
    place: Option<String>,
    excerpt: Option<String>,
    hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Job {
    name: String,
    stage: String,
    when: &'static str,
    allow_failure: bool,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Skipped {
    name: String,
    reason: String,
}

/// `GET /-/ci/lint`: with the configuration of the default branch to begin with.
pub(super) async fn form(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::Lint)?;
    let ref_name = visit.project.default_branch.clone().unwrap_or_default();
    let settings = shipway_coordinator::ProjectSettings::of(&visit.project);
    let files = files(&visit, &ref_name).await?;
    let path = settings.config_path().to_owned();
    let content = tokio::task::spawn_blocking(move || {
        use shipway_config::Source as _;
        files.local(&path).unwrap_or_default()
    });
    let content = content.await.map_err(|error| ApiError::internal(&error))?;
    page(&lint_page(&visit, &ref_name, content, None).await?)
}

async fn lint_page(
    visit: &ProjectVisit,
    ref_name: &str,
    content: String,
    result: Option<Verdict>,
) -> Result<LintPage, ApiError> {
    Ok(LintPage {
        shell: visit.shell(Place::Lint, "CI Lint"),
        base: format!("{}/-/ci/lint", visit.url),
        ref_name: ref_name.to_owned(),
        refs: refs::names(visit).await?,
        content,
        result,
    })
}

/// `POST /-/ci/lint`.
pub(super) async fn check(visit: ProjectVisit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::Lint)?;
    let ref_name = fields.trimmed("ref").to_owned();
    let content = fields.get("content").to_owned();
    let files = files(&visit, &ref_name).await?;
    let settings = shipway_coordinator::ProjectSettings::of(&visit.project);
    let path = settings.config_path().to_owned();
    let context = context(&visit, &ref_name).await?;
    let text = content.clone();
    let verdict = tokio::task::spawn_blocking(move || judge(&path, &text, &files, &context));
    let verdict = verdict.await.map_err(|error| ApiError::internal(&error))?;
    page(&lint_page(&visit, &ref_name, content, Some(verdict)).await?)
}

/// A push of the ref, as far as rules see it.
async fn context(visit: &ProjectVisit, ref_name: &str) -> Result<Context, ApiError> {
    let found = refs::resolve(visit, ref_name).await?;
    let is_tag = found
        .as_ref()
        .is_some_and(|(full, _)| full.starts_with("refs/tags/"));
    let sha = found.map(|(_, sha)| sha).unwrap_or_default();
    let default = visit.project.default_branch.clone().unwrap_or_default();
    let own = if is_tag {
        "CI_COMMIT_TAG"
    } else {
        "CI_COMMIT_BRANCH"
    };
    let predefined = [
        ("CI", "true"),
        ("CI_PIPELINE_SOURCE", "push"),
        ("CI_PROJECT_PATH", visit.project.full_path.as_str()),
        ("CI_DEFAULT_BRANCH", default.as_str()),
        ("CI_COMMIT_REF_NAME", ref_name),
        ("CI_COMMIT_SHA", sha.as_str()),
        (own, ref_name),
    ];
    let variable = |(key, value)| shipway_config::variables::Variable::new(key, value);
    Ok(Context {
        ref_name: ref_name.to_owned(),
        ref_kind: if is_tag {
            RefKind::Tag
        } else {
            RefKind::Branch
        },
        project_path: visit.project.full_path.clone(),
        predefined: predefined.into_iter().map(variable).collect(),
        ..Context::default()
    })
}

/// All that is wrong with a configuration; else its jobs.
fn judge(path: &str, text: &str, files: &CommitFiles, context: &Context) -> Verdict {
    let load = shipway_config::LoadContext {
        variables: context.known_to_includes(),
        ..Default::default()
    };
    let loaded = shipway_config::load_for(path, text, files, &Limits::default(), &load);
    let mut problems: Vec<Problem> = (loaded.diagnostics.iter())
        .map(|fault| Problem {
            kind: if fault.is_error() { "error" } else { "warning" },
            class: if fault.is_error() { "off" } else { "" },
            message: fault.message.clone(),
            place: (fault.span).map(|span| {
                format!(
                    "{}:{}:{}",
                    loaded.files.path(span.file),
                    span.line,
                    span.column
                )
            }),
            excerpt: Some(shipway_config::render(fault, &loaded.files, false)),
            hint: fault.hint.clone(),
        })
        .collect();
    let plan = loaded
        .config
        .as_ref()
        .map(|config| shipway_pipeline::create(config, context, files));
    let (jobs, skipped) = match plan {
        Some(Ok(plan)) => listed(&plan),
        Some(Err(faults)) => {
            problems.extend(faults.iter().map(|fault| Problem {
                kind: "error",
                class: "off",
                message: fault.to_string(),
                place: None,
                excerpt: None,
                hint: None,
            }));
            (Vec::new(), Vec::new())
        }
        None => (Vec::new(), Vec::new()),
    };
    let valid = !problems.iter().any(|problem| problem.kind == "error");
    let (text, class, icon) = match (valid, problems.is_empty()) {
        (false, _) => ("The configuration is not valid.", "fault", "failed"),
        (true, true) => ("The configuration is valid.", "done", "success"),
        (true, false) => (
            "The configuration is valid, with warnings.",
            "wait",
            "warning",
        ),
    };
    Verdict {
        text,
        class,
        icon,
        problems,
        jobs,
        skipped,
    }
}

fn listed(plan: &shipway_pipeline::Plan) -> (Vec<Job>, Vec<Skipped>) {
    let jobs = plan.jobs.iter().map(|job| Job {
        name: job.spec.name.clone(),
        stage: plan.stages.get(job.stage).cloned().unwrap_or_default(),
        when: job.when.as_str(),
        allow_failure: job.allow_failure == shipway_config::AllowFailure::Always(true),
        reason: job.reason.to_string(),
    });
    let skipped = plan.skipped.iter().map(|job| Skipped {
        name: job.name.clone(),
        reason: job.reason.to_string(),
    });
    (jobs.collect(), skipped.collect())
}

/// The files of a commit, for a thread that may block; none where there is no commit.
struct CommitFiles {
    commit: Option<(BareRepository, String)>,
    runtime: Handle,
}

async fn files(visit: &ProjectVisit, ref_name: &str) -> Result<CommitFiles, ApiError> {
    let commit = match (
        refs::repository(visit).await?,
        refs::resolve(visit, ref_name).await?,
    ) {
        (Some(repository), Some((_, sha))) => Some((repository, sha)),
        _ => None,
    };
    Ok(CommitFiles {
        commit,
        runtime: Handle::current(),
    })
}

impl shipway_config::Source for CommitFiles {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        let (repository, sha) = self.commit.as_ref().ok_or(SourceError::NotFound)?;
        let limit = Limits::default().yaml_bytes;
        let read = repository.read_file(sha, path.trim_start_matches('/'), limit as u64);
        let bytes = match self.runtime.block_on(read) {
            Ok(bytes) => bytes.ok_or(SourceError::NotFound)?,
            Err(QueryError::TooLarge { .. }) => return Err(SourceError::TooLarge { limit }),
            Err(error) => return Err(SourceError::Unreadable(error.to_string())),
        };
        String::from_utf8(bytes).map_err(|_| SourceError::NotText)
    }

    fn list(&self) -> Vec<String> {
        let Some((repository, sha)) = &self.commit else {
            return Vec::new();
        };
        let listed = self
            .runtime
            .block_on(repository.list_files(sha, LISTED_FILES));
        listed.map(|list| list.paths).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn verdicts() {
        let files = CommitFiles {
            commit: None,
            runtime: Handle::current(),
        };
        let judge = |text: &str| judge(".gitlab-ci.yml", text, &files, &Context::default());
        let fine = judge("test:\n  script: make\n");
        assert_eq!(fine.class, "done");
        assert_eq!(fine.jobs[0].name, "test");
        let wrong = judge("test:\n  stage: nowhere\n  script: make\n");
        assert_eq!(wrong.class, "fault");
        assert_eq!(
            wrong.problems[0].place.as_deref(),
            Some(".gitlab-ci.yml:2:10")
        );
        assert!(wrong.jobs.is_empty());
        let empty = judge("test:\n  script: make\n  rules:\n    - if: $NEVER\n");
        assert_eq!(empty.class, "fault", "{empty:?}");
    }
}
