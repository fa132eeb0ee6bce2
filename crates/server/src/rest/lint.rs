//! `/projects/:id/ci/lint`: CI Lint.

use serde_json::{Value, json};
use shipway_config::{AllowFailure, Job, When};
use shipway_coordinator::{Lint, LintRequest};

use super::call::{Answer, ProjectCall, ok};
use super::commits::resolve;
use super::routes::Routes;
use crate::error::ApiError;
use crate::permission::Action;

pub(super) fn routes(routes: Routes) -> Routes {
    let path = "/projects/{id}/ci/lint";
    routes
        .get(path, Action::ReadCode, committed)
        .post(path, Action::Lint, given)
}

/// The first of these parameters that is given: a new name and its old one.
fn either(call: &ProjectCall, names: [&str; 2]) -> Result<Option<String>, ApiError> {
    let [new, old] = names;
    Ok(call.params.text(new)?.or(call.params.text(old)?))
}

/// A branch or tag, by its full name and its commit.
async fn branch_or_tag(call: &ProjectCall, name: &str) -> Result<(String, String), ApiError> {
    let found = call.app.coordinator().find_ref(&call.project, name).await?;
    found.ok_or_else(|| ApiError::not_found("Commit"))
}

/// `GET`: the configuration of a commit.
async fn committed(call: ProjectCall) -> Answer {
    let dry_run = call.params.boolean("dry_run")?.unwrap_or(false);
    let content_ref = either(&call, ["content_ref", "sha"])?;
    let dry_run_ref = either(&call, ["dry_run_ref", "ref"])?;
    if dry_run {
        // Its rules see variables that a reader of the code need not know.
        let require = call
            .app
            .require(&call.identity, &call.project, Action::Lint);
        require.await?;
    }
    let default = call.project.default_branch.clone();
    let Some(content_ref) = content_ref.or(default.clone()) else {
        return Err(ApiError::not_found("Repository"));
    };
    let repository = call.app.coordinator().repository(&call.project).await?;
    let sha = resolve(&call, &repository, &content_ref).await?;
    let sha = sha.ok_or_else(|| ApiError::not_found("Commit"))?;
    let reference = match dry_run_ref {
        Some(name) => branch_or_tag(&call, &name).await?.0,
        // A commit's configuration is looked at as if it were the default branch's.
        None => match branch_or_tag(&call, &content_ref).await {
            Ok((reference, _)) => reference,
            Err(_) => format!("refs/heads/{}", default.unwrap_or_default()),
        },
    };
    answer(&call, Some((reference, sha)), None, dry_run).await
}

/// `POST`: a configuration in the body, with the files of a branch or tag.
async fn given(call: ProjectCall) -> Answer {
    let Some(content) = call.params.whole_text("content")? else {
        return Err(ApiError::parameter("content is missing"));
    };
    let dry_run = call.params.boolean("dry_run")?.unwrap_or(false);
    let at = match (call.params.text("ref")?, &call.project.default_branch) {
        (Some(name), _) => Some(branch_or_tag(&call, &name).await?),
        (None, Some(default)) => branch_or_tag(&call, default).await.ok(),
        (None, None) => None,
    };
    answer(&call, at, Some(content), dry_run).await
}

async fn answer(
    call: &ProjectCall,
    at: Option<(String, String)>,
    content: Option<String>,
    dry_run: bool,
) -> Answer {
    let include_jobs = call.params.boolean("include_jobs")?.unwrap_or(false);
    let request = LintRequest {
        project: call.project.clone(),
        user: call.acting_user().cloned(),
        at,
        content,
    };
    let lint = call.app.coordinator().lint(&request).await?;
    let sha = request.at.as_ref().map(|(_, sha)| sha.as_str());
    let texts = |faults: &mut dyn Iterator<Item = &shipway_config::Diagnostic>| {
        let texts = faults.map(|fault| fault.message.clone());
        texts.collect::<Vec<String>>()
    };
    let mut errors = texts(&mut lint.loaded.errors());
    if let (true, Some(Err(faults))) = (dry_run, &lint.plan) {
        errors.extend(faults.iter().map(ToString::to_string));
    }
    let config = lint.loaded.config.as_ref();
    let mut entity = json!({
        "valid": errors.is_empty(),
        "errors": errors,
        "warnings": texts(&mut lint.loaded.warnings()),
        "merged_yaml": config.map(|config| config.merged_yaml()),
        "includes": includes(call, &lint, sha),
    });
    if include_jobs {
        entity["jobs"] = Value::Array(jobs(&lint, dry_run));
    }
    ok(entity)
}

/// The files that were read besides the first one. All are of this project: no other kind of
/// include is honoured.
fn includes(call: &ProjectCall, lint: &Lint, sha: Option<&str>) -> Vec<Value> {
    let files = lint.loaded.files.iter().skip(1);
    let entity = |path: &str| {
        let path = path.trim_start_matches('/');
        let at = |kind: &str| {
            let url = |sha| call.project_url(&format!("-/{kind}/{sha}/{path}"));
            sha.map(url)
        };
        json!({
            "type": "local",
            "location": path,
            "blob": at("blob"),
            "raw": at("raw"),
            "extra": {},
            "context_project": call.project.full_path,
            "context_sha": sha,
        })
    };
    files.map(|(_, path, _)| entity(path)).collect()
}

/// With `dry_run` the jobs of the pipeline, else all of the file.
fn jobs(lint: &Lint, dry_run: bool) -> Vec<Value> {
    if dry_run {
        let plan = lint.plan.as_ref().and_then(|plan| plan.as_ref().ok());
        let planned = plan.map(|plan| plan.jobs.as_slice()).unwrap_or_default();
        let jobs = planned.iter();
        return jobs
            .map(|job| entity(&job.spec, job.when, Some(&job.allow_failure)))
            .collect();
    }
    let all = lint
        .loaded
        .config
        .iter()
        .flat_map(|config| config.jobs.values());
    all.map(|job| {
        entity(
            job,
            job.when.unwrap_or_default(),
            job.allow_failure.as_ref(),
        )
    })
    .collect()
}

fn entity(job: &Job, when: When, allow_failure: Option<&AllowFailure>) -> Value {
    let policy = |policy: &shipway_config::Policy| {
        let mut entity = json!({});
        if let Some(refs) = &policy.refs {
            entity["refs"] = json!(refs);
        }
        if let Some(variables) = &policy.variables {
            entity["variables"] = json!(variables);
        }
        entity
    };
    let needs = job.needs.as_ref().map(|needs| {
        let needs = needs.iter();
        needs
            .map(|need| json!({ "name": need.job }))
            .collect::<Vec<Value>>()
    });
    json!({
        "name": job.name,
        "stage": job.stage,
        "before_script": job.before_script,
        "script": job.script,
        "after_script": job.after_script,
        "tag_list": job.tags,
        // What GitLab says of a job that has neither `only` nor `rules`.
        "only": match (&job.only, &job.rules) {
            (Some(only), _) => policy(only),
            (None, Some(_)) => Value::Null,
            (None, None) => json!({ "refs": ["branches", "tags"] }),
        },
        "except": job.except.as_ref().map(policy),
        "environment": job.environment.as_ref().map(|environment| &environment.name),
        "when": when.as_str(),
        "allow_failure": matches!(allow_failure, Some(AllowFailure::Always(true))),
        "needs": needs,
    })
}
