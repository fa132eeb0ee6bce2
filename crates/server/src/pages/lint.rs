//! CI Lint: what is wrong with a configuration, and which jobs it would make.

use askama::Template;
use axum::response::Response;
use shipway_config::Limits;
use shipway_coordinator::{Lint, LintRequest, ProjectSettings};

use super::fields::Fields;
use super::shell::{Place, Shell};
use super::visit::ProjectVisit;
use super::{page, refs};
use crate::error::ApiError;
use crate::permission::Action;

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
    let content = content(&visit, &ref_name).await?;
    page(&lint_page(&visit, &ref_name, content, None).await?)
}

/// The configuration of a ref; empty where there is none that could be shown.
async fn content(visit: &ProjectVisit, ref_name: &str) -> Result<String, ApiError> {
    let (Some(repository), Some((_, sha))) = (
        refs::repository(visit).await?,
        refs::resolve(visit, ref_name).await?,
    ) else {
        return Ok(String::new());
    };
    let settings = ProjectSettings::of(&visit.project);
    let limit = Limits::default().yaml_bytes as u64;
    let read = repository.read_file(&sha, settings.config_path(), limit);
    let bytes = read.await.ok().flatten().unwrap_or_default();
    Ok(String::from_utf8(bytes).unwrap_or_default())
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
    let request = LintRequest {
        project: visit.project.clone(),
        user: visit.identity.user().cloned(),
        at: refs::resolve(&visit, &ref_name).await?,
        content: Some(content.clone()),
    };
    let lint = visit.app.coordinator().lint(&request).await?;
    page(&lint_page(&visit, &ref_name, content, Some(verdict(&lint))).await?)
}

/// All that is wrong with a configuration; else its jobs.
fn verdict(lint: &Lint) -> Verdict {
    let loaded = &lint.loaded;
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
    let (jobs, skipped) = match &lint.plan {
        Some(Ok(plan)) => listed(plan),
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
