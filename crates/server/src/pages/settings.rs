//! The settings of a project: pipelines, name and visibility, protected branches and tags.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use shipway_config::duration;
use shipway_coordinator::{MergeMethod, OverrideRole, ProjectSettings, SquashOption};
use shipway_store::{ProtectedRefRow, RefKind, Visibility};

use super::fields::Fields;
use super::shell::{Place, Shell};
use super::visit::ProjectVisit;
use super::{page, refs, refused, when};
use crate::error::ApiError;
use crate::permission::Action;

/// Where the page is, below the project.
const BASE: &str = "/-/settings/ci_cd";

/// Seconds of a project's timeout: GitLab's ten minutes to one month.
const TIMEOUTS: std::ops::RangeInclusive<u64> = 600..=2_592_000;

/// Commits that a job may be told to fetch at most: GitLab's.
const DEPTHS: std::ops::RangeInclusive<u32> = 0..=1000;

#[derive(Debug, Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    base: String,
    full_path: String,
    form: Form,
    visibilities: [(&'static str, &'static str); 3],
    roles: [(&'static str, &'static str); 4],
    merge_methods: [(&'static str, &'static str); 3],
    squash_options: [(&'static str, &'static str); 4],
    branches: Vec<String>,
    protected: Vec<Protected>,
    may_delete: bool,
}

/// What the forms show.
#[derive(Debug, Clone)]
struct Form {
    timeout: String,
    config_path: String,
    coverage: String,
    depth: String,
    strategy: String,
    merge_method: String,
    squash_option: String,
    public_jobs: bool,
    auto_cancel: bool,
    keep_latest: bool,
    separated_caches: bool,
    shared_runners: bool,
    group_runners: bool,
    variables_role: String,
    forward_only: bool,
    rollbacks: bool,
    name: String,
    visibility: String,
    default_branch: String,
    description: String,
}

#[derive(Debug)]
struct Protected {
    pattern: String,
    kind: &'static str,
    push: &'static str,
}

/// Who sees a project, with words for it.
pub(super) const VISIBILITIES: [(&str, &str); 3] = [
    ("private", "Private: its members"),
    ("internal", "Internal: everybody who is signed in"),
    ("public", "Public: everybody, also without an account"),
];

/// `GET /-/settings/ci_cd`.
pub(super) async fn show(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ManageSettings)?;
    let form = form(&visit);
    page(&settings_page(&visit, form, None).await?)
}

fn form(visit: &ProjectVisit) -> Form {
    let settings = ProjectSettings::of(&visit.project);
    let timeout = i64::try_from(settings.build_timeout).unwrap_or(i64::MAX / 1_000_000);
    Form {
        timeout: when::duration(timeout.saturating_mul(1_000_000)),
        config_path: settings.ci_config_path,
        coverage: settings.build_coverage_regex,
        depth: settings.ci_default_git_depth.to_string(),
        strategy: settings.build_git_strategy,
        merge_method: settings.merge_method.name().to_owned(),
        squash_option: settings.squash_option.name().to_owned(),
        public_jobs: settings.public_jobs,
        auto_cancel: settings.auto_cancel_pending_pipelines,
        keep_latest: settings.keep_latest_artifact,
        separated_caches: settings.ci_separated_caches,
        shared_runners: settings.shared_runners_enabled,
        group_runners: settings.group_runners_enabled,
        variables_role: (settings.ci_pipeline_variables_minimum_override_role.name()).to_owned(),
        forward_only: settings.ci_forward_deployment_enabled,
        rollbacks: settings.ci_forward_deployment_rollback_allowed,
        name: visit.project.name.clone(),
        visibility: visit.project.visibility.as_str().to_owned(),
        default_branch: visit.project.default_branch.clone().unwrap_or_default(),
        description: visit.project.description.clone(),
    }
}

async fn settings_page(
    visit: &ProjectVisit,
    form: Form,
    fault: Option<String>,
) -> Result<SettingsPage, ApiError> {
    let mut shell = visit.shell(Place::Settings, "Settings");
    shell.fault = fault;
    let rows = visit.app.store().protected_refs(visit.project.id).await?;
    let protected = |row: ProtectedRefRow| Protected {
        kind: row.kind.as_str(),
        push: match row.push_level {
            0 => "nobody",
            level if level <= 30 => "Developers and Maintainers",
            level if level <= 40 => "Maintainers",
            _ => "Owners",
        },
        pattern: row.pattern,
    };
    Ok(SettingsPage {
        shell,
        base: format!("{}{BASE}", visit.url),
        full_path: visit.project.full_path.clone(),
        form,
        visibilities: VISIBILITIES,
        roles: OverrideRole::ALL.map(|(name, text, _)| (name, text)),
        merge_methods: MergeMethod::ALL.map(|(name, text, _)| (name, text)),
        squash_options: SquashOption::ALL.map(|(name, text, _)| (name, text)),
        branches: refs::names(visit).await?,
        protected: rows.into_iter().map(protected).collect(),
        may_delete: visit.allows(Action::DeleteProject),
    })
}

/// `POST /-/settings/ci_cd`; `section` says which form it is.
pub(super) async fn update(visit: ProjectVisit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageSettings)?;
    let done = match fields.get("section") {
        "pipelines" => pipelines(&visit, &fields).await?,
        "project" => project(&visit, &fields).await?,
        "protect" => protect(&visit, &fields).await?,
        "unprotect" => unprotect(&visit, &fields).await?,
        "delete" => return delete(&visit, &fields).await,
        _ => return Err(ApiError::bad_request("section is missing")),
    };
    match done {
        Ok(word) => Ok(visit.to(BASE, word)),
        Err(refusal) => {
            let (form, fault) = *refusal;
            refused(&settings_page(&visit, form, Some(fault)).await?)
        }
    }
}

/// `POST /-/settings/ci_cd/reset_cache`: jobs find none of the caches there are now.
pub(super) async fn clear_caches(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ManageSettings)?;
    let mut transaction = visit.app.store().begin().await?;
    let mut row = transaction.project(visit.project.id).await?;
    let mut settings = ProjectSettings::of(&row);
    settings.jobs_cache_index += 1;
    row.settings = settings.to_json();
    transaction.update_project(&row).await?;
    transaction.commit().await?;
    Ok(visit.to("/-/pipelines", "caches"))
}

/// The word for what was done, or the form with what is wrong.
type Outcome = Result<Result<&'static str, Box<(Form, String)>>, ApiError>;

async fn pipelines(visit: &ProjectVisit, fields: &Fields) -> Outcome {
    let form = Form {
        timeout: fields.trimmed("build_timeout").to_owned(),
        config_path: fields.trimmed("ci_config_path").to_owned(),
        coverage: fields.trimmed("build_coverage_regex").to_owned(),
        depth: fields.trimmed("ci_default_git_depth").to_owned(),
        strategy: fields.get("build_git_strategy").to_owned(),
        merge_method: fields.get("merge_method").to_owned(),
        squash_option: fields.get("squash_option").to_owned(),
        public_jobs: fields.checked("public_jobs"),
        auto_cancel: fields.checked("auto_cancel"),
        keep_latest: fields.checked("keep_latest"),
        separated_caches: fields.checked("separated_caches"),
        shared_runners: fields.checked("shared_runners"),
        group_runners: fields.checked("group_runners"),
        variables_role: fields.get("variables_role").to_owned(),
        forward_only: fields.checked("forward_only"),
        rollbacks: fields.checked("rollbacks"),
        ..form(visit)
    };
    let (timeout, depth) = match judge(&form) {
        Ok(judged) => judged,
        Err(fault) => return Ok(Err(Box::new((form, fault)))),
    };
    let mut transaction = visit.app.store().begin().await?;
    let mut row = transaction.project(visit.project.id).await?;
    let mut settings = ProjectSettings::of(&row);
    settings.build_timeout = timeout;
    settings.ci_config_path = form.config_path;
    settings.build_coverage_regex = form.coverage;
    settings.ci_default_git_depth = depth;
    settings.build_git_strategy = form.strategy;
    settings.public_jobs = form.public_jobs;
    settings.auto_cancel_pending_pipelines = form.auto_cancel;
    settings.keep_latest_artifact = form.keep_latest;
    settings.ci_separated_caches = form.separated_caches;
    settings.shared_runners_enabled = form.shared_runners;
    settings.group_runners_enabled = form.group_runners;
    settings.ci_forward_deployment_enabled = form.forward_only;
    settings.ci_forward_deployment_rollback_allowed = form.rollbacks;
    if let Some(method) = MergeMethod::named(&form.merge_method) {
        settings.merge_method = method;
    }
    if let Some(option) = SquashOption::named(&form.squash_option) {
        settings.squash_option = option;
    }
    // A form that was opened before there was this choice does not make it.
    if let Some(role) = OverrideRole::named(&form.variables_role) {
        let before = &mut settings.ci_pipeline_variables_minimum_override_role;
        // What is for owners alone, owners alone change.
        if *before != role && [*before, role].contains(&OverrideRole::Owner) {
            visit.require(Action::DeleteProject)?;
        }
        *before = role;
    }
    row.settings = settings.to_json();
    transaction.update_project(&row).await?;
    // Jobs that wait may be for other runners now.
    transaction.notify("queue");
    transaction.commit().await?;
    Ok(Ok("settings"))
}

/// Timeout in seconds and depth; else what is wrong with the form.
fn judge(form: &Form) -> Result<(u64, u32), String> {
    let timeout =
        duration::parse_seconds(&form.timeout).filter(|timeout| TIMEOUTS.contains(timeout));
    let timeout = timeout.ok_or(
        "The timeout is a duration from ten minutes to one month, such as `1h` or `90 minutes`.",
    )?;
    let depth = form
        .depth
        .parse()
        .ok()
        .filter(|depth| DEPTHS.contains(depth));
    let depth = depth.ok_or("The git depth is a number from 0 to 1000; 0 fetches all commits.")?;
    let path = &form.config_path;
    if path.split('/').any(|name| name == "..") {
        return Err("The configuration file is a path in the repository, such as `ci/build.yml`; it cannot lead out of it.".to_owned());
    }
    if path.contains("://") || path.contains('@') {
        return Err("The configuration file has to be in this repository: files of other projects and addresses are not read.".to_owned());
    }
    if !["fetch", "clone"].contains(&form.strategy.as_str()) {
        return Err("The git strategy is `fetch` or `clone`.".to_owned());
    }
    if !form.coverage.is_empty()
        && let Err(error) = shipway_config::pattern::compile(&form.coverage, "")
    {
        return Err(format!(
            "Test coverage parsing is not a regular expression: {error}"
        ));
    }
    Ok((timeout, depth))
}

async fn project(visit: &ProjectVisit, fields: &Fields) -> Outcome {
    let form = Form {
        name: fields.trimmed("name").to_owned(),
        visibility: fields.get("visibility").to_owned(),
        default_branch: fields.trimmed("default_branch").to_owned(),
        description: fields.trimmed("project[description]").to_owned(),
        ..form(visit)
    };
    let wrong = |form: Form, fault: &str| Ok(Err(Box::new((form, fault.to_owned()))));
    if form.name.is_empty() {
        return wrong(form, "A project needs a name.");
    }
    let Ok(visibility) = form.visibility.parse::<Visibility>() else {
        return wrong(form, "Choose who sees the project.");
    };
    let branch = Some(form.default_branch.clone()).filter(|branch| !branch.is_empty());
    if branch != visit.project.default_branch {
        let known = match &branch {
            Some(branch) => refs::resolve(visit, branch).await?,
            None => None,
        };
        if !known.is_some_and(|(reference, _)| reference.starts_with("refs/heads/")) {
            return wrong(form, "There is no branch of that name. Push it first.");
        }
    }
    let mut transaction = visit.app.store().begin().await?;
    let mut row = transaction.project(visit.project.id).await?;
    row.name = form.name;
    row.description = form.description;
    row.visibility = visibility;
    row.default_branch = branch;
    transaction.update_project(&row).await?;
    transaction.commit().await?;
    Ok(Ok("settings"))
}

fn kind(fields: &Fields) -> Result<RefKind, ApiError> {
    let kind = fields.get("kind").parse();
    kind.map_err(|_| ApiError::bad_request("kind is `branch` or `tag`"))
}

async fn protect(visit: &ProjectVisit, fields: &Fields) -> Outcome {
    visit.require(Action::ManageProtectedRefs)?;
    let pattern = fields.trimmed("pattern");
    let level = fields.get("push_level").parse().ok();
    let level = level.filter(|level| [0, 30, 40].contains(level));
    let Some(level) = level.filter(|_| !pattern.is_empty()) else {
        let fault =
            "Give the name of a branch or tag, or a pattern such as `release/*`, and who may push.";
        return Ok(Err(Box::new((form(visit), fault.to_owned()))));
    };
    let mut transaction = visit.app.store().begin().await?;
    let row = ProtectedRefRow {
        id: shipway_store::ProtectedRefId(0),
        project_id: visit.project.id,
        kind: kind(fields)?,
        pattern: pattern.to_owned(),
        push_level: level,
        merge_level: level,
    };
    transaction.set_protected_ref(&row).await?;
    transaction.commit().await?;
    Ok(Ok("protected"))
}

async fn unprotect(visit: &ProjectVisit, fields: &Fields) -> Outcome {
    visit.require(Action::ManageProtectedRefs)?;
    let kind = kind(fields)?;
    let mut transaction = visit.app.store().begin().await?;
    let found = transaction
        .delete_protected_ref(visit.project.id, kind, fields.get("pattern"))
        .await?;
    transaction.commit().await?;
    Ok(Ok(if found { "unprotected" } else { "nothing" }))
}

async fn delete(visit: &ProjectVisit, fields: &Fields) -> Result<Response, ApiError> {
    visit.require(Action::DeleteProject)?;
    if fields.trimmed("confirm") != visit.project.full_path {
        let fault = "The project is still there: type its whole path to delete it.".to_owned();
        return refused(&settings_page(visit, form(visit), Some(fault)).await?);
    }
    let mut transaction = visit.app.store().begin().await?;
    transaction.delete_project(visit.project.id).await?;
    transaction.commit().await?;
    let number = u64::try_from(visit.project.id.0).unwrap_or_default();
    // The row is gone, and with it the way to the repository; a rest is swept at the start.
    if let Err(error) = visit.app.repositories().remove(number).await {
        tracing::warn!(project = number, %error, "a repository was not removed");
    }
    let target = format!("{}/?done=project-deleted", visit.root);
    Ok(Redirect::to(&target).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form {
            timeout: "1h".to_owned(),
            config_path: String::new(),
            coverage: String::new(),
            depth: "20".to_owned(),
            strategy: "fetch".to_owned(),
            merge_method: "merge".to_owned(),
            squash_option: "default_off".to_owned(),
            public_jobs: true,
            auto_cancel: true,
            keep_latest: true,
            separated_caches: true,
            shared_runners: true,
            group_runners: true,
            variables_role: "developer".to_owned(),
            forward_only: true,
            rollbacks: true,
            name: "p".to_owned(),
            visibility: "private".to_owned(),
            default_branch: "main".to_owned(),
            description: String::new(),
        }
    }

    #[test]
    fn forms_are_judged() {
        assert_eq!(judge(&form()), Ok((3600, 20)));
        let change = |change: fn(&mut Form)| {
            let mut form = form();
            change(&mut form);
            judge(&form)
        };
        assert!(change(|form| form.timeout = "5 minutes".to_owned()).is_err());
        assert!(change(|form| form.timeout = "2 months".to_owned()).is_err());
        assert!(change(|form| form.depth = "1001".to_owned()).is_err());
        assert!(change(|form| form.config_path = "../x.yml".to_owned()).is_err());
        assert!(change(|form| form.config_path = "https://x/y.yml".to_owned()).is_err());
        assert!(change(|form| form.strategy = "none".to_owned()).is_err());
        assert!(change(|form| form.coverage = "(".to_owned()).is_err());
        assert!(change(|form| form.coverage = r"TOTAL.*\s+(\d+%)$".to_owned()).is_ok());
    }
}
