//! Runners as people manage them.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::json;
use shipway_store::{
    Level, NamespaceId, NamespaceKind, NewRunner, ProjectId, ProjectRow, RegistrationTokenRow,
    RunnerId, RunnerKind, RunnerRow,
};

use super::call::{Answer, Call, GroupCall, ProjectCall, created, no_content, ok};
use super::groups;
use super::job::Jobs;
use super::namespace::last_name;
use super::paging::{Keyset, Paging, WHOLE};
use super::params::Params;
use super::project::Projects;
use super::routes::{InGroup, Routes, Who};
use super::runner::{Runner, RunnerManager, kind_name, status};
use super::time::iso;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::{Scope, token};
use crate::permission::{Action, Role};

/// What runners' tokens begin with that are made here, as GitLab's do.
const TOKEN: &str = "glrt-";

/// What registration tokens begin with, as GitLab's do.
const REGISTRATION_TOKEN: &str = "GR1348941";

/// Characters of a token that are kept for people.
const SHOWN: usize = 8;

/// Who may look at a runner and change it is decided by the runner.
const MANAGE: Who = Who::Scoped(&[Scope::ManageRunner]);
const READ: Who = Who::Scoped(&[Scope::ManageRunner, Scope::ReadApi]);
const CREATE: Who = Who::Scoped(&[Scope::CreateRunner]);

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/runners", Who::SignedIn, own)
        .get("/runners/all", Who::Administrator, all)
        .post("/user/runners", CREATE, create)
        .get("/runners/{runner_id}", READ, show)
        .put("/runners/{runner_id}", MANAGE, update)
        .delete("/runners/{runner_id}", MANAGE, delete)
        .get("/runners/{runner_id}/managers", READ, managers)
        .get("/runners/{runner_id}/jobs", READ, jobs)
        .post(
            "/runners/{runner_id}/reset_authentication_token",
            MANAGE,
            reset_token,
        )
        .post(
            "/runners/reset_registration_token",
            Who::Administrator,
            |call| reset_registration_token(call, Level::Instance, 0),
        )
        .get("/projects/{id}/runners", Action::ManageRunners, of_project)
        .post("/projects/{id}/runners", Action::ManageRunners, assign)
        .delete(
            "/projects/{id}/runners/{runner_id}",
            Action::ManageRunners,
            unassign,
        )
        .post(
            "/projects/{id}/runners/reset_registration_token",
            Action::ManageRunners,
            |call: ProjectCall| {
                let id = call.project.id.0;
                reset_registration_token(call.call, Level::Project, id)
            },
        )
        .get(
            "/groups/{id}/runners",
            InGroup::As(Role::Maintainer),
            of_group,
        )
        .post(
            "/groups/{id}/runners/reset_registration_token",
            InGroup::As(Role::Owner),
            |call: GroupCall| {
                let id = call.group.id.0;
                reset_registration_token(call.call, Level::Group, id)
            },
        )
}

/// GitLab's `RunnerDetails`.
#[derive(Debug, Serialize)]
struct RunnerDetails {
    #[serde(flatten)]
    runner: Runner,
    tag_list: Vec<String>,
    run_untagged: bool,
    locked: bool,
    maximum_timeout: Option<i64>,
    access_level: &'static str,
    version: Option<String>,
    revision: Option<String>,
    platform: Option<String>,
    architecture: Option<String>,
    contacted_at: Option<String>,
    maintenance_note: Option<String>,
    projects: Vec<RunnerProject>,
    groups: Vec<RunnerGroup>,
}

#[derive(Debug, Serialize)]
struct RunnerProject {
    id: i64,
    name: String,
    name_with_namespace: String,
    path: String,
    path_with_namespace: String,
}

#[derive(Debug, Serialize)]
struct RunnerGroup {
    id: i64,
    name: String,
    web_url: String,
}

/// Jobs of a runner that are looked at to know whether it is at work.
const LOOKED_AT: i64 = 20;

async fn details(call: &Call, row: &RunnerRow) -> Result<RunnerDetails, ApiError> {
    let mut projects = Vec::new();
    for project in assigned(call, row).await? {
        // Of a runner that serves several projects nobody learns of those unseen.
        if !call
            .app
            .allows(&call.identity, &project, Action::ReadProject)
            .await?
        {
            continue;
        }
        let above = call
            .store()
            .namespace_with_ancestors(project.namespace_id)
            .await?;
        let mut names: Vec<&str> = above.iter().map(|one| one.name.as_str()).collect();
        names.reverse();
        names.push(&project.name);
        projects.push(RunnerProject {
            id: project.id.0,
            name: project.name.clone(),
            name_with_namespace: names.join(" / "),
            path: last_name(&project.full_path).to_owned(),
            path_with_namespace: project.full_path.clone(),
        });
    }
    let group = match (row.kind, row.owner_id) {
        (RunnerKind::Group, Some(id)) => call.store().namespace(NamespaceId(id)).await?,
        _ => None,
    };
    let recent = call.store().jobs_of_runner(row.id, LOOKED_AT).await?;
    let active = recent.iter().any(|job| job.status.is_executing());
    Ok(RunnerDetails {
        runner: Runner::at_work(row, active),
        tag_list: tags(row),
        run_untagged: row.run_untagged,
        locked: row.locked,
        maximum_timeout: row.maximum_timeout,
        access_level: match row.protected_only {
            true => "ref_protected",
            false => "not_protected",
        },
        version: row.version.clone(),
        revision: row.revision.clone(),
        platform: row.platform.clone(),
        architecture: row.architecture.clone(),
        contacted_at: row.contacted_at.map(iso),
        maintenance_note: row.maintenance_note.clone(),
        projects,
        groups: Vec::from_iter(group.map(|group| RunnerGroup {
            id: group.id.0,
            web_url: call.url(&format!("groups/{}", group.full_path)),
            name: group.name,
        })),
    })
}

fn tags(row: &RunnerRow) -> Vec<String> {
    serde_json::from_str(&row.tags).unwrap_or_default()
}

async fn assigned(call: &Call, row: &RunnerRow) -> Result<Vec<ProjectRow>, ApiError> {
    let mut projects = Vec::new();
    if row.kind == RunnerKind::Project {
        for id in call.store().runner_projects(row.id).await? {
            projects.extend(call.store().project(id).await?);
        }
    }
    Ok(projects)
}

/// Whether the asker may change the runner.
async fn may_manage(call: &Call, row: &RunnerRow) -> Result<bool, ApiError> {
    if call.identity.user().is_some_and(|user| user.admin) {
        return Ok(true);
    }
    match (row.kind, row.owner_id) {
        (RunnerKind::Instance, _) => Ok(false),
        (RunnerKind::Group, Some(group)) => {
            let role = groups::role(&call.app, &call.identity, NamespaceId(group)).await?;
            Ok(role >= Some(Role::Owner))
        }
        (RunnerKind::Group, None) => Ok(false),
        (RunnerKind::Project, _) => {
            for project in assigned(call, row).await? {
                if call
                    .app
                    .allows(&call.identity, &project, Action::ManageRunners)
                    .await?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

async fn find(call: &Call) -> Result<RunnerRow, ApiError> {
    let id = RunnerId(call.path.number("runner_id")?);
    let row = call.store().runner(id).await?;
    row.ok_or_else(|| ApiError::not_found("Runner"))
}

async fn find_managed(call: &Call) -> Result<RunnerRow, ApiError> {
    let row = find(call).await?;
    match may_manage(call, &row).await? {
        true => Ok(row),
        false => Err(ApiError::forbidden_because("No access granted")),
    }
}

/// Which runners of a list are wanted.
struct Filter {
    kind: Option<&'static str>,
    status: Option<&'static str>,
    paused: Option<bool>,
    tags: Vec<String>,
    version: Option<String>,
}

const KINDS: [&str; 3] = ["instance_type", "group_type", "project_type"];

impl Filter {
    fn of(params: &Params) -> Result<Self, ApiError> {
        let statuses = [
            "active",
            "paused",
            "online",
            "offline",
            "never_contacted",
            "stale",
        ];
        let scopes = [
            "active",
            "paused",
            "online",
            "offline",
            "never_contacted",
            "stale",
            "shared",
            "specific",
            "instance_type",
            "group_type",
            "project_type",
        ];
        // The old name of both.
        let scope = params.one_of("scope", &scopes)?;
        let kind = params.one_of("type", &KINDS)?;
        let status = params.one_of("status", &statuses)?;
        let of_scope = |known: &[&str]| scope.filter(|scope| known.contains(scope));
        let kind = kind.or(match scope {
            Some("shared") => Some("instance_type"),
            Some("specific") => Some("project_type"),
            _ => of_scope(&KINDS),
        });
        Ok(Self {
            kind,
            status: status.or(of_scope(&statuses)),
            paused: params.boolean("paused")?,
            tags: params.comma_list("tag_list")?.unwrap_or_default(),
            version: params.text("version_prefix")?,
        })
    }

    fn takes(&self, row: &RunnerRow, now: i64) -> bool {
        let status = status(row.contacted_at, row.created_at, now);
        let tags_of = tags(row);
        let in_status = match self.status {
            Some("active") => !row.paused,
            Some("paused") => row.paused,
            // GitLab counts whoever is not online.
            Some("offline") => matches!(status, "offline" | "stale"),
            Some(wanted) => wanted == status,
            None => true,
        };
        in_status
            && self.kind.is_none_or(|kind| kind == kind_name(row.kind))
            && self.paused.is_none_or(|paused| paused == row.paused)
            && self.tags.iter().all(|tag| tags_of.contains(tag))
            && self.version.as_ref().is_none_or(|prefix| {
                row.version
                    .as_ref()
                    .is_some_and(|version| version.starts_with(prefix))
            })
    }
}

fn answer(call: &Call, rows: Vec<RunnerRow>) -> Answer {
    let paging = Paging::of(call)?;
    let filter = Filter::of(&call.params)?;
    let now = now();
    let mut rows: Vec<RunnerRow> = rows
        .into_iter()
        .filter(|row| filter.takes(row, now))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    let (rows, total) = paging.cut(rows);
    paging.answer(call, rows.iter().map(Runner::new).collect(), Some(total))
}

async fn all(call: Call) -> Answer {
    let rows = call.store().runners(None, None, WHOLE).await?.rows;
    answer(&call, rows)
}

/// Those that the asker may change.
async fn own(call: Call) -> Answer {
    let mut rows = Vec::new();
    for row in call.store().runners(None, None, WHOLE).await?.rows {
        if row.kind != RunnerKind::Instance && may_manage(&call, &row).await? {
            rows.push(row);
        }
    }
    answer(&call, rows)
}

async fn of_project(call: ProjectCall) -> Answer {
    let rows = call.store().runners_for_project(call.project.id).await?;
    answer(&call, rows)
}

async fn of_group(call: GroupCall) -> Answer {
    let above = call.store().namespace_with_ancestors(call.group.id).await?;
    let above: HashSet<i64> = above.iter().map(|group| group.id.0).collect();
    let mut rows = call.store().runners(None, None, WHOLE).await?.rows;
    rows.retain(|row| match row.kind {
        RunnerKind::Instance => true,
        RunnerKind::Group => row.owner_id.is_some_and(|id| above.contains(&id)),
        RunnerKind::Project => false,
    });
    answer(&call, rows)
}

/// Everybody may look at those of the instance.
async fn show(call: Call) -> Answer {
    let row = find(&call).await?;
    if row.kind != RunnerKind::Instance && !may_manage(&call, &row).await? {
        return Err(ApiError::forbidden_because("No access granted"));
    }
    ok(details(&call, &row).await?)
}

/// The fewest seconds that a runner may limit jobs to.
const SHORTEST_TIMEOUT: i64 = 600;

/// What the parameters say about a runner, on top of what it is.
fn apply(params: &Params, row: &mut NewRunner) -> Result<(), ApiError> {
    let (paused, active) = (params.boolean("paused")?, params.boolean("active")?);
    if paused.is_some() && active.is_some() {
        return Err(ApiError::parameter("active, paused are mutually exclusive"));
    }
    if let Some(paused) = paused.or(active.map(|active| !active)) {
        row.paused = paused;
    }
    if let Some(description) = params.short("description")? {
        row.description = description;
    }
    if let Some(note) = params.short("maintenance_note")? {
        row.maintenance_note = Some(note).filter(|note| !note.is_empty());
    }
    if let Some(tags) = params.comma_list("tag_list")? {
        if tags.len() > 50 || tags.iter().any(|tag| tag.chars().count() > 255) {
            return Err(ApiError::invalid(
                "tag_list",
                "has too many or too long tags (50 of 255)",
            ));
        }
        row.tags = json!(tags).to_string();
    }
    if let Some(untagged) = params.boolean("run_untagged")? {
        row.run_untagged = untagged;
    }
    if let Some(locked) = params.boolean("locked")? {
        row.locked = locked;
    }
    if let Some(level) = params.one_of("access_level", &["not_protected", "ref_protected"])? {
        row.protected_only = level == "ref_protected";
    }
    if params.has("maximum_timeout") {
        let seconds = params.number("maximum_timeout")?;
        if seconds.is_some_and(|seconds| seconds < SHORTEST_TIMEOUT) {
            let fault = "needs to be at least 10 minutes";
            return Err(ApiError::invalid("maximum_timeout", fault));
        }
        row.maximum_timeout = seconds;
    }
    if !row.run_untagged && row.tags == "[]" {
        let fault = "can not be empty when runner is not allowed to pick untagged jobs";
        return Err(ApiError::invalid("tags_list", fault));
    }
    Ok(())
}

async fn create(call: Call) -> Answer {
    let params = &call.params;
    let kind = params.required("runner_type")?;
    let (kind, owner_id) = match kind.as_str() {
        "instance_type" => {
            call.identity.administrator()?;
            (RunnerKind::Instance, None)
        }
        "group_type" => {
            let id = params.number("group_id")?;
            let id = id.ok_or_else(|| ApiError::parameter("group_id is missing"))?;
            let group = call.store().namespace(NamespaceId(id)).await?;
            let group = group.filter(|group| group.kind == NamespaceKind::Group);
            let group = group.ok_or_else(|| ApiError::not_found("Group"))?;
            let role = groups::role(&call.app, &call.identity, group.id).await?;
            if role < Some(Role::Owner) {
                return Err(match role {
                    Some(_) => ApiError::forbidden(),
                    None => ApiError::not_found("Group"),
                });
            }
            (RunnerKind::Group, Some(id))
        }
        "project_type" => {
            let id = params.number("project_id")?;
            let id = id.ok_or_else(|| ApiError::parameter("project_id is missing"))?;
            let project = crate::access::ProjectRef::Id(ProjectId(id));
            call.app
                .project(&call.identity, &project, Action::ManageRunners)
                .await?;
            (RunnerKind::Project, Some(id))
        }
        _ => {
            return Err(ApiError::parameter(
                "runner_type does not have a valid value",
            ));
        }
    };
    let secret = token::new(TOKEN);
    let mut new = NewRunner {
        token_digest: token::digest(&secret),
        token_prefix: secret.chars().take(TOKEN.len() + SHOWN).collect(),
        token_expires_at: None,
        kind,
        owner_id,
        description: String::new(),
        maintenance_note: None,
        tags: "[]".to_owned(),
        run_untagged: true,
        locked: false,
        protected_only: false,
        paused: false,
        maximum_timeout: None,
        version: None,
        revision: None,
        platform: None,
        architecture: None,
        executor: None,
        ip: None,
        contacted_at: None,
        created_at: now(),
    };
    apply(params, &mut new)?;
    let mut transaction = call.store().begin().await?;
    let row = transaction.insert_runner(&new).await?;
    if let (RunnerKind::Project, Some(project)) = (kind, owner_id) {
        transaction
            .assign_runner(row.id, ProjectId(project))
            .await?;
    }
    transaction.commit().await?;
    created(json!({ "id": row.id.0, "token": secret, "token_expires_at": null }))
}

/// What somebody may change of a runner, as a new one has it.
fn editable(row: &RunnerRow) -> NewRunner {
    NewRunner {
        token_digest: row.token_digest.clone(),
        token_prefix: row.token_prefix.clone(),
        token_expires_at: row.token_expires_at,
        kind: row.kind,
        owner_id: row.owner_id,
        description: row.description.clone(),
        maintenance_note: row.maintenance_note.clone(),
        tags: row.tags.clone(),
        run_untagged: row.run_untagged,
        locked: row.locked,
        protected_only: row.protected_only,
        paused: row.paused,
        maximum_timeout: row.maximum_timeout,
        version: row.version.clone(),
        revision: row.revision.clone(),
        platform: row.platform.clone(),
        architecture: row.architecture.clone(),
        executor: row.executor.clone(),
        ip: row.ip.clone(),
        contacted_at: row.contacted_at,
        created_at: row.created_at,
    }
}

async fn update(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let known = [
        "description",
        "active",
        "paused",
        "tag_list",
        "run_untagged",
        "locked",
        "access_level",
        "maximum_timeout",
        "maintenance_note",
    ];
    if !known.iter().any(|name| call.params.has(name)) {
        let names = known.join(", ");
        let fault = format!("{names} are missing, at least one parameter must be provided");
        return Err(ApiError::parameter(fault));
    }
    let mut wanted = editable(&row);
    apply(&call.params, &mut wanted)?;
    let mut transaction = call.store().begin().await?;
    let row = RunnerRow {
        description: wanted.description,
        maintenance_note: wanted.maintenance_note,
        tags: wanted.tags,
        run_untagged: wanted.run_untagged,
        locked: wanted.locked,
        protected_only: wanted.protected_only,
        paused: wanted.paused,
        maximum_timeout: wanted.maximum_timeout,
        ..transaction.runner(row.id).await?
    };
    transaction.update_runner(&row).await?;
    transaction.commit().await?;
    ok(details(&call, &row).await?)
}

async fn delete(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let admin = call.identity.user().is_some_and(|user| user.admin);
    if !admin && assigned(&call, &row).await?.len() > 1 {
        return Err(ApiError::forbidden_because(
            "Runner associated with more than one project",
        ));
    }
    call.app.coordinator().delete_runner(row.id).await?;
    no_content()
}

async fn managers(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let paging = Paging::of(&call)?;
    let (rows, total) = paging.cut(call.store().runner_managers(row.id).await?);
    paging.answer(
        &call,
        rows.iter().map(RunnerManager::new).collect(),
        Some(total),
    )
}

async fn jobs(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let paging = Paging::of(&call)?;
    let keyset = Keyset::of(&call)?;
    let wanted: Option<shipway_pipeline::Status> = call.params.name("status")?;
    let system = call.params.text("system_id")?;
    call.params.one_of("order_by", &["id"])?;
    let ascending = call.params.one_of("sort", &["asc", "desc"])? == Some("asc");
    let mut rows = call.store().jobs_of_runner(row.id, WHOLE.limit).await?;
    rows.retain(|job| {
        wanted.is_none_or(|status| job.status == status)
            && (system.is_none() || system == job.system_id)
    });
    rows.sort_by_key(|job| std::cmp::Reverse(job.id));
    if ascending {
        rows.reverse();
    }
    let (rows, total) = match keyset {
        None => paging.cut(rows),
        Some(keyset) => {
            rows.retain(|job| {
                let beyond = |last| match keyset.ascending {
                    true => job.id.0 > last,
                    false => job.id.0 < last,
                };
                keyset.beyond.is_none_or(beyond)
            });
            rows.truncate(usize::try_from(keyset.size).unwrap_or_default());
            (rows, 0)
        }
    };
    let last = rows.last().map(|job| job.id.0);
    let mut projects = Projects::default();
    let mut entities = Vec::new();
    for job in &rows {
        let project = match job.project_id {
            Some(id) => call.store().project(id).await?,
            None => None,
        };
        let Some(project) = project else {
            continue;
        };
        // A job's log and names are its project's, not the runner's.
        if !call
            .app
            .allows(&call.identity, &project, Action::ReadPipelines)
            .await?
        {
            continue;
        }
        let entity = Jobs::new(&call.app, &project).entity(job).await?;
        let simple = projects.simple(&call.app, &project).await?;
        let fault = |error: serde_json::Error| ApiError::internal(&error);
        let mut entity = serde_json::to_value(entity).map_err(fault)?;
        entity["project"] = serde_json::to_value(simple).map_err(fault)?;
        entities.push(entity);
    }
    match keyset {
        Some(keyset) => keyset.answer(&call, entities, last),
        None => paging.answer(&call, entities, Some(total)),
    }
}

async fn reset_token(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let secret = call.app.coordinator().reset_runner_token(&row).await?;
    created(json!({ "token": secret, "token_expires_at": null }))
}

async fn reset_registration_token(call: Call, level: Level, level_id: i64) -> Answer {
    let secret = token::new(REGISTRATION_TOKEN);
    let row = RegistrationTokenRow {
        level,
        level_id,
        digest: token::digest(&secret),
        token: secret.clone().into_bytes(),
        created_at: now(),
    };
    let mut transaction = call.store().begin().await?;
    transaction.set_registration_token(&row).await?;
    transaction.commit().await?;
    created(json!({ "token": secret, "token_expires_at": null }))
}

/// Lets a runner of another project take this one's jobs too.
async fn assign(call: ProjectCall) -> Answer {
    let id = call.params.number("runner_id")?;
    let id = id.ok_or_else(|| ApiError::parameter("runner_id is missing"))?;
    let row = call.store().runner(RunnerId(id)).await?;
    let row = row.ok_or_else(|| ApiError::not_found("Runner"))?;
    let forbidden = |reason: &str| Err(ApiError::forbidden_because(reason));
    if row.locked {
        return forbidden("Runner is locked");
    }
    match row.kind {
        RunnerKind::Instance => return forbidden("Runner is an instance runner"),
        RunnerKind::Group => return forbidden("Runner is a group runner"),
        RunnerKind::Project => {}
    }
    if !may_manage(&call, &row).await? {
        return forbidden("No access granted");
    }
    if call
        .store()
        .runner_projects(row.id)
        .await?
        .contains(&call.project.id)
    {
        return Err(ApiError::invalid("runner_id", "has already been taken"));
    }
    let mut transaction = call.store().begin().await?;
    transaction.assign_runner(row.id, call.project.id).await?;
    transaction.commit().await?;
    created(Runner::new(&row))
}

async fn unassign(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let projects = call.store().runner_projects(row.id).await?;
    if !projects.contains(&call.project.id) {
        return Err(ApiError::not_found("Runner"));
    }
    if row.owner_id == Some(call.project.id.0) || projects.len() == 1 {
        return Err(ApiError::forbidden_because(
            "Only one project associated with the runner. Please remove the runner instead",
        ));
    }
    let mut transaction = call.store().begin().await?;
    transaction.unassign_runner(row.id, call.project.id).await?;
    transaction.commit().await?;
    no_content()
}
