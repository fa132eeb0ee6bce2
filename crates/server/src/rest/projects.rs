//! `/projects`.

use shipway_coordinator::{MergeMethod, OverrideRole, ProjectSettings, SquashOption};
use shipway_store::{
    Beyond, NamespaceId, NamespaceRow, ProjectFilter, ProjectRow, StoreError, UserId, Viewer,
    Visibility,
};

use super::call::{Answer, Call, ProjectCall, accepted, created, ok};
use super::paging::{Keyset, Paging};
use super::project::Projects;
use super::routes::{Routes, Who};
use crate::error::ApiError;
use crate::limits;
use crate::permission::Action;
use crate::projects::{NewPath, create as create_project, may_create};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/projects", Who::Everybody, list)
        .post("/projects", Who::SignedIn, create)
        .get("/projects/{id}", Action::ReadProject, show)
        .put("/projects/{id}", Action::ManageSettings, update)
        .delete("/projects/{id}", Action::DeleteProject, delete)
}

async fn list(call: Call) -> Answer {
    let filter = filter(&call)?;
    answer(call, filter).await
}

/// What of a listing the database chooses.
fn filter(call: &Call) -> Result<ProjectFilter, ApiError> {
    let params = &call.params;
    let user = call.identity.user();
    let mut filter = ProjectFilter {
        seen_by: match user {
            Some(user) if user.admin => Viewer::Admin,
            Some(user) => Viewer::User(user.id),
            None => Viewer::Anonymous,
        },
        search: params.text("search")?,
        ..ProjectFilter::default()
    };
    let mine = ["membership", "owned", "min_access_level"];
    for name in mine {
        let wanted = match name {
            "min_access_level" => params.number(name)?.is_some(),
            name => params.boolean(name)?.unwrap_or(false),
        };
        if wanted {
            filter.member = Some(call.identity.signed_in()?.id);
        }
    }
    Ok(filter)
}

/// The projects of a filter, further filtered, sorted and cut as the parameters say.
pub(super) async fn answer(call: Call, filter: ProjectFilter) -> Answer {
    let params = &call.params;
    let paging = Paging::of(&call)?;
    let keyset = Keyset::of(&call)?;
    let visibility: Option<Visibility> = params.name("visibility")?;
    let archived = params.boolean("archived")?.unwrap_or(false);
    let starred = params.boolean("starred")?.unwrap_or(false);
    let topic = params.text("topic")?;
    let orders = [
        "id",
        "name",
        "path",
        "created_at",
        "updated_at",
        "last_activity_at",
        "similarity",
        "star_count",
    ];
    let order = params.one_of("order_by", &orders)?.unwrap_or("created_at");
    let ascending = params.one_of("sort", &["asc", "desc"])? == Some("asc");
    let least = match params.boolean("owned")?.unwrap_or(false) {
        true => Some(50),
        false => params.number("min_access_level")?,
    };
    let (after, before) = (params.number("id_after")?, params.number("id_before")?);
    let by_id = !matches!(order, "name" | "path") && !ascending;
    let nothing_else = visibility.is_none()
        && !(archived || starred)
        && topic.is_none()
        && least.is_none()
        && after.or(before).is_none();
    if keyset.is_none() && by_id && nothing_else {
        let found = call.store().projects(&filter, paging.page()).await?;
        let entities = entities(&call, &found.rows).await?;
        return paging.answer(&call, entities, Some(found.total));
    }
    let choice = Choice {
        // Nothing is ever archived, starred or has a topic.
        nothing: archived || starred || topic.is_some(),
        visibility,
        after,
        before,
        least: match least {
            Some(least) => Some((call.identity.signed_in()?.id, least)),
            None => None,
        },
    };
    if let Some(keyset) = keyset {
        let size = usize::try_from(keyset.size).unwrap_or(usize::MAX);
        let mut rows = choice.rows(&call, &filter, keyset.beyond(), size).await?;
        rows.truncate(size);
        let last = rows.last().filter(|_| rows.len() == size);
        let last = last.map(|row| row.id.0);
        let entities = entities(&call, &rows).await?;
        return keyset.answer(&call, entities, last);
    }
    let newest = Beyond::default();
    let mut rows = choice.rows(&call, &filter, newest, usize::MAX).await?;
    match order {
        "name" => rows.sort_by_key(|row| std::cmp::Reverse(row.name.to_lowercase())),
        "path" => rows.sort_by_key(|row| std::cmp::Reverse(row.full_path.to_lowercase())),
        _ => {}
    }
    if ascending {
        rows.reverse();
    }
    let (rows, total) = paging.cut(rows);
    let entities = entities(&call, &rows).await?;
    paging.answer(&call, entities, Some(total))
}

/// Projects that are read at a time.
const PART: i64 = 500;

/// What of a listing the database does not choose.
struct Choice {
    nothing: bool,
    visibility: Option<Visibility>,
    after: Option<i64>,
    before: Option<i64>,
    /// Those where the user has this level.
    least: Option<(UserId, i64)>,
}

impl Choice {
    /// The projects from `beyond` on, in the order of their ids: `enough`, or all there are.
    async fn rows(
        &self,
        call: &Call,
        filter: &ProjectFilter,
        mut beyond: Beyond,
        enough: usize,
    ) -> Result<Vec<ProjectRow>, ApiError> {
        let mut rows = Vec::new();
        while !self.nothing && rows.len() < enough {
            let part = call.store().projects_beyond(filter, beyond, PART).await?;
            let Some(last) = part.last() else {
                break;
            };
            beyond.last = Some(last.id.0);
            for row in part {
                if self.takes(call, &row).await? {
                    rows.push(row);
                }
            }
        }
        Ok(rows)
    }

    async fn takes(&self, call: &Call, row: &ProjectRow) -> Result<bool, ApiError> {
        let plain = self
            .visibility
            .is_none_or(|wanted| row.visibility == wanted)
            && self.after.is_none_or(|id| row.id.0 > id)
            && self.before.is_none_or(|id| row.id.0 < id);
        match self.least {
            Some((user, least)) if plain => {
                let level = call.store().access_level(user, row.id).await?;
                Ok(level.is_some_and(|level| level >= least))
            }
            _ => Ok(plain),
        }
    }
}

async fn entities(call: &Call, rows: &[ProjectRow]) -> Result<Vec<serde_json::Value>, ApiError> {
    let simple = call.params.boolean("simple")?.unwrap_or(false) || call.identity.is_anonymous();
    let mut projects = Projects::default();
    let mut entities = Vec::new();
    for row in rows {
        let entity = match simple {
            true => serde_json::to_value(projects.simple(&call.app, row).await?),
            false => serde_json::to_value(projects.full(call, row).await?),
        };
        entities.push(entity.map_err(|error| ApiError::internal(&error))?);
    }
    Ok(entities)
}

async fn show(call: ProjectCall) -> Answer {
    ok(Projects::default().full(&call, &call.project).await?)
}

async fn create(call: Call) -> Answer {
    let params = &call.params;
    let user = call.identity.signed_in()?;
    let (name, path) = (params.short("name")?, params.short("path")?);
    let Some(first) = name.clone().or(path.clone()) else {
        return Err(ApiError::parameter(
            "name, path are missing, at least one parameter must be provided",
        ));
    };
    let new = NewPath {
        path: path.unwrap_or_else(|| path_of(&first)),
        name: name.unwrap_or_default(),
        description: params
            .up_to("description", limits::PROJECT_DESCRIPTION)?
            .unwrap_or_default(),
        visibility: params.name("visibility")?.unwrap_or(Visibility::Private),
    };
    let mut changed = ProjectSettings::default();
    apply(&call, &mut changed)?;
    let namespace: Option<NamespaceRow> = match params.number("namespace_id")? {
        Some(id) => call.store().namespace(NamespaceId(id)).await?,
        None => call.store().namespace_of_user(user.id).await?,
    };
    let namespace = namespace.ok_or_else(|| ApiError::not_found("Namespace"))?;
    if !may_create(&call.app, user, &namespace).await? {
        // As for a namespace that is not there: its existence is nobody else's business.
        return Err(ApiError::not_found("Namespace"));
    }
    let mut row = create_project(&call.app, &namespace, &new).await?;
    if changed != ProjectSettings::default() {
        row.settings = changed.to_json();
        store(&call, &row).await?;
    }
    created(Projects::default().full(&call, &row).await?)
}

/// The path that GitLab makes of a name.
fn path_of(name: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || "_-.".contains(c) {
        true => c.to_ascii_lowercase(),
        false => '-',
    };
    let path: String = name.trim().chars().map(plain).collect();
    path.trim_matches(['-', '.']).to_owned()
}

async fn update(call: ProjectCall) -> Answer {
    let params = &call.params;
    let mut row = call.project.clone();
    if let Some(name) = params.short("name")? {
        if name.trim().is_empty() {
            return Err(ApiError::invalid("name", "can't be blank"));
        }
        row.name = name;
    }
    if let Some(description) = params.up_to("description", limits::PROJECT_DESCRIPTION)? {
        row.description = description;
    }
    if let Some(visibility) = params.name("visibility")?
        && row.visibility != visibility
    {
        // Who sees a project is its owners' decision.
        let owner = Action::DeleteProject;
        call.app
            .require(&call.identity, &call.project, owner)
            .await?;
        row.visibility = visibility;
    }
    if let Some(path) = params.short("path")? {
        let owner = Action::DeleteProject;
        call.app
            .require(&call.identity, &call.project, owner)
            .await?;
        let (namespace, _) = row.full_path.rsplit_once('/').unwrap_or_default();
        let full_path = format!("{namespace}/{path}");
        let parsed = shipway_git::hosting::FullPath::parse(&full_path);
        let refused = |error: String| ApiError::invalid("path", error);
        let parsed = parsed.map_err(|error| refused(error.to_string()))?;
        if path.contains('/') || parsed.namespace() != namespace {
            return Err(refused("is invalid".to_owned()));
        }
        row.full_path = full_path;
    }
    let mut settings = ProjectSettings::of(&row);
    let before = settings.ci_pipeline_variables_minimum_override_role;
    apply(&call, &mut settings)?;
    let after = settings.ci_pipeline_variables_minimum_override_role;
    if before != after && [before, after].contains(&OverrideRole::Owner) {
        let owner = Action::DeleteProject;
        call.app
            .require(&call.identity, &call.project, owner)
            .await?;
    }
    row.settings = settings.to_json();
    if let Some(branch) = params.text("default_branch")? {
        let repository = call.app.coordinator().repository(&call.project).await?;
        let full = format!("refs/heads/{branch}");
        if repository.resolve(&full).await?.is_none() {
            let fault = "Could not change HEAD: branch does not exist";
            return Err(ApiError::invalid("base", fault));
        }
        repository.set_default_branch(&branch).await?;
        row.default_branch = Some(branch);
    }
    store(&call, &row).await?;
    ok(Projects::default().full(&call, &row).await?)
}

async fn store(call: &Call, row: &ProjectRow) -> Result<(), ApiError> {
    let mut transaction = call.store().begin().await?;
    match transaction.update_project(row).await {
        Err(StoreError::Taken { .. }) => {
            return Err(ApiError::invalid("path", "has already been taken"));
        }
        stored => stored?,
    }
    Ok(transaction.commit().await?)
}

/// Limits of GitLab in seconds: ten minutes to a month.
const TIMEOUTS: std::ops::RangeInclusive<i64> = 600..=2_678_400;

/// The settings of CI/CD that the parameters give.
fn apply(call: &Call, settings: &mut ProjectSettings) -> Result<(), ApiError> {
    let params = &call.params;
    let flags = [
        ("keep_latest_artifact", &mut settings.keep_latest_artifact),
        (
            "shared_runners_enabled",
            &mut settings.shared_runners_enabled,
        ),
        ("group_runners_enabled", &mut settings.group_runners_enabled),
        ("ci_separated_caches", &mut settings.ci_separated_caches),
        (
            "ci_forward_deployment_enabled",
            &mut settings.ci_forward_deployment_enabled,
        ),
        (
            "ci_forward_deployment_rollback_allowed",
            &mut settings.ci_forward_deployment_rollback_allowed,
        ),
    ];
    for (name, setting) in flags {
        if let Some(flag) = params.boolean(name)? {
            *setting = flag;
        }
    }
    // The second is the older name.
    let public = params.boolean("public_jobs")?;
    if let Some(public) = public.or(params.boolean("public_builds")?) {
        settings.public_jobs = public;
    }
    if let Some(wish) = params.one_of("auto_cancel_pending_pipelines", &["enabled", "disabled"])? {
        settings.auto_cancel_pending_pipelines = wish == "enabled";
    }
    let role = &mut settings.ci_pipeline_variables_minimum_override_role;
    // The older setting knows two of the roles.
    match params.boolean("restrict_user_defined_variables")? {
        Some(true) if *role == OverrideRole::Developer => *role = OverrideRole::Maintainer,
        Some(false) => *role = OverrideRole::Developer,
        Some(true) | None => {}
    }
    let names = OverrideRole::ALL.map(|(name, ..)| name);
    if let Some(wish) = params.one_of("ci_pipeline_variables_minimum_override_role", &names)? {
        *role = OverrideRole::named(wish).unwrap_or_default();
    }
    let names = MergeMethod::ALL.map(|(name, ..)| name);
    if let Some(wish) = params.one_of("merge_method", &names)? {
        settings.merge_method = MergeMethod::named(wish).unwrap_or_default();
    }
    let names = SquashOption::ALL.map(|(name, ..)| name);
    if let Some(wish) = params.one_of("squash_option", &names)? {
        settings.squash_option = SquashOption::named(wish).unwrap_or_default();
    }
    if let Some(wish) = params.one_of("build_git_strategy", &["fetch", "clone"])? {
        settings.build_git_strategy = wish.to_owned();
    }
    if let Some(seconds) = params.number("build_timeout")? {
        if !TIMEOUTS.contains(&seconds) {
            let fault = "needs to be between 10 minutes and 1 month";
            return Err(ApiError::invalid("build_timeout", fault));
        }
        settings.build_timeout = u64::try_from(seconds).unwrap_or_default();
    }
    if let Some(depth) = params.number("ci_default_git_depth")? {
        let depth = u32::try_from(depth).ok().filter(|depth| *depth <= 1000);
        settings.ci_default_git_depth = depth
            .ok_or_else(|| ApiError::invalid("ci_default_git_depth", "must be from 0 to 1000"))?;
    }
    if let Some(path) = params.short("ci_config_path")? {
        if path.starts_with('/') || path.split('/').any(|name| name == "..") {
            let fault = "can't include a leading slash or directory traversal.";
            return Err(ApiError::invalid("ci_config_path", fault));
        }
        settings.ci_config_path = path;
    }
    if let Some(pattern) = params.short("build_coverage_regex")? {
        settings.build_coverage_regex = pattern;
    }
    Ok(())
}

async fn delete(call: ProjectCall) -> Answer {
    let project = call.project.id;
    let mut transaction = call.store().begin().await?;
    transaction.delete_project(project).await?;
    transaction.commit().await?;
    // Nobody finds the repository any more; what cannot be removed now only takes room.
    let number = u64::try_from(project.0).unwrap_or_default();
    if let Err(error) = call.app.repositories().remove(number).await {
        tracing::warn!(project = project.0, %error, "project.repository.left");
    }
    accepted()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_names() {
        for (name, path) in [
            ("My Project", "my-project"),
            ("  a.b_c ", "a.b_c"),
            ("Ünï", "n"),
            ("...", ""),
        ] {
            assert_eq!(path_of(name), path, "{name}");
        }
    }
}
