//! Projects as GitLab's API shows them.

use std::collections::HashMap;

use serde::Serialize;
use shipway_coordinator::{OverrideRole, ProjectSettings};
use shipway_store::{
    MemberRow, MemberSource, NamespaceId, NamespaceRow, Page, PipelineFilter, ProjectRow,
};

use super::call::Call;
use super::namespace::{Namespace, last_name};
use super::time::iso;
use crate::app::App;
use crate::error::ApiError;

/// What every answer about a project has: GitLab's `BasicProjectDetails`.
#[derive(Debug, Serialize)]
pub(super) struct ProjectSimple {
    id: i64,
    description: Option<String>,
    name: String,
    name_with_namespace: String,
    path: String,
    path_with_namespace: String,
    created_at: String,
    default_branch: Option<String>,
    tag_list: [(); 0],
    topics: [(); 0],
    ssh_url_to_repo: String,
    http_url_to_repo: String,
    web_url: String,
    readme_url: Option<String>,
    forks_count: i64,
    avatar_url: Option<String>,
    star_count: i64,
    last_activity_at: String,
    visibility: &'static str,
    namespace: Namespace,
}

/// The whole project.
#[derive(Debug, Serialize)]
pub(super) struct Project {
    #[serde(flatten)]
    simple: ProjectSimple,
    #[serde(rename = "_links")]
    links: Links,
    empty_repo: bool,
    archived: bool,
    creator_id: Option<i64>,
    import_status: &'static str,
    import_error: Option<String>,
    import_url: Option<String>,
    mirror: bool,
    issues_enabled: bool,
    merge_requests_enabled: bool,
    wiki_enabled: bool,
    jobs_enabled: bool,
    snippets_enabled: bool,
    container_registry_enabled: bool,
    packages_enabled: bool,
    lfs_enabled: bool,
    repository_access_level: &'static str,
    merge_requests_access_level: &'static str,
    issues_access_level: &'static str,
    builds_access_level: &'static str,
    environments_access_level: &'static str,
    releases_access_level: &'static str,
    pages_access_level: &'static str,
    shared_runners_enabled: bool,
    group_runners_enabled: bool,
    ci_config_path: Option<String>,
    ci_default_git_depth: u32,
    ci_forward_deployment_enabled: bool,
    ci_forward_deployment_rollback_allowed: bool,
    ci_separated_caches: bool,
    ci_job_token_scope_enabled: bool,
    ci_allow_fork_pipelines_to_run_in_parent_project: bool,
    ci_pipeline_variables_minimum_override_role: &'static str,
    ci_push_repository_for_job_token_allowed: bool,
    build_git_strategy: String,
    build_timeout: u64,
    auto_cancel_pending_pipelines: &'static str,
    build_coverage_regex: Option<String>,
    public_jobs: bool,
    keep_latest_artifact: bool,
    restrict_user_defined_variables: bool,
    runner_token_expiration_interval: Option<i64>,
    only_allow_merge_if_pipeline_succeeds: bool,
    allow_merge_on_skipped_pipeline: Option<bool>,
    merge_method: &'static str,
    squash_option: &'static str,
    remove_source_branch_after_merge: bool,
    request_access_enabled: bool,
    shared_with_groups: [(); 0],
    permissions: Permissions,
}

#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    itself: String,
    repo_branches: String,
    members: String,
    pipelines: String,
}

/// The asker's roles.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Permissions {
    project_access: Option<Access>,
    group_access: Option<Access>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Access {
    access_level: i64,
    notification_level: i64,
}

impl From<i64> for Access {
    fn from(access_level: i64) -> Self {
        Self {
            access_level,
            notification_level: 3,
        }
    }
}

/// Makes the projects of one answer; what several need is read once.
#[derive(Debug, Default)]
pub(super) struct Projects {
    /// Namespaces with those above.
    namespaces: HashMap<NamespaceId, Vec<NamespaceRow>>,
    memberships: Option<Vec<MemberRow>>,
}

impl Projects {
    pub(super) async fn simple(
        &mut self,
        app: &App,
        row: &ProjectRow,
    ) -> Result<ProjectSimple, ApiError> {
        let above = self.above(app, row.namespace_id).await?;
        let Some(namespace) = above.iter().find(|one| one.id == row.namespace_id) else {
            return Err(ApiError::not_found("Namespace"));
        };
        let mut names: Vec<&str> = above.iter().map(|one| one.name.as_str()).collect();
        names.reverse();
        names.push(&row.name);
        let newest = PipelineFilter::default();
        let newest = (app.store())
            .pipelines_of_project(row.id, &newest, Page::first(1))
            .await?;
        let active_at = (newest.rows.first()).map_or(row.created_at, |one| one.created_at);
        let url = format!("{}/{}", app.settings().external_url, row.full_path);
        let origin = app.settings().external_url.origin();
        let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
        let host = authority.split(':').next().unwrap_or(authority);
        Ok(ProjectSimple {
            id: row.id.0,
            description: Some(row.description.clone()).filter(|text| !text.is_empty()),
            name: row.name.clone(),
            name_with_namespace: names.join(" / "),
            path: last_name(&row.full_path).to_owned(),
            path_with_namespace: row.full_path.clone(),
            created_at: iso(row.created_at),
            default_branch: row.default_branch.clone(),
            tag_list: [],
            topics: [],
            ssh_url_to_repo: format!("git@{host}:{}.git", row.full_path),
            http_url_to_repo: format!("{url}.git"),
            readme_url: None,
            forks_count: 0,
            avatar_url: None,
            star_count: 0,
            last_activity_at: iso(active_at),
            visibility: row.visibility.as_str(),
            namespace: Namespace::new(app, namespace),
            web_url: url,
        })
    }

    pub(super) async fn full(
        &mut self,
        call: &Call,
        row: &ProjectRow,
    ) -> Result<Project, ApiError> {
        let simple = self.simple(&call.app, row).await?;
        let settings = ProjectSettings::of(row);
        let api = |path: &str| call.url(&format!("api/v4/projects/{}{path}", row.id));
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Project {
            links: Links {
                itself: api(""),
                repo_branches: api("/repository/branches"),
                members: api("/members"),
                pipelines: api("/pipelines"),
            },
            empty_repo: row.default_branch.is_none(),
            archived: false,
            creator_id: None,
            import_status: "none",
            import_error: None,
            import_url: None,
            mirror: false,
            issues_enabled: false,
            merge_requests_enabled: true,
            wiki_enabled: false,
            jobs_enabled: true,
            snippets_enabled: false,
            container_registry_enabled: false,
            packages_enabled: false,
            lfs_enabled: false,
            repository_access_level: "enabled",
            merge_requests_access_level: "enabled",
            issues_access_level: "disabled",
            builds_access_level: "enabled",
            environments_access_level: "enabled",
            releases_access_level: "disabled",
            pages_access_level: "disabled",
            shared_runners_enabled: settings.shared_runners_enabled,
            group_runners_enabled: settings.group_runners_enabled,
            ci_config_path: given(settings.ci_config_path),
            ci_default_git_depth: settings.ci_default_git_depth,
            ci_forward_deployment_enabled: settings.ci_forward_deployment_enabled,
            ci_forward_deployment_rollback_allowed: settings.ci_forward_deployment_rollback_allowed,
            ci_separated_caches: settings.ci_separated_caches,
            ci_job_token_scope_enabled: false,
            ci_allow_fork_pipelines_to_run_in_parent_project: false,
            ci_pipeline_variables_minimum_override_role: settings
                .ci_pipeline_variables_minimum_override_role
                .name(),
            ci_push_repository_for_job_token_allowed: false,
            build_git_strategy: settings.build_git_strategy,
            build_timeout: settings.build_timeout,
            auto_cancel_pending_pipelines: match settings.auto_cancel_pending_pipelines {
                true => "enabled",
                false => "disabled",
            },
            build_coverage_regex: given(settings.build_coverage_regex),
            public_jobs: settings.public_jobs,
            keep_latest_artifact: settings.keep_latest_artifact,
            restrict_user_defined_variables: settings.ci_pipeline_variables_minimum_override_role
                != OverrideRole::Developer,
            runner_token_expiration_interval: None,
            only_allow_merge_if_pipeline_succeeds: false,
            allow_merge_on_skipped_pipeline: None,
            merge_method: settings.merge_method.name(),
            squash_option: settings.squash_option.name(),
            remove_source_branch_after_merge: false,
            request_access_enabled: false,
            shared_with_groups: [],
            permissions: self.permissions(call, row).await?,
            simple,
        })
    }

    async fn above(&mut self, app: &App, id: NamespaceId) -> Result<Vec<NamespaceRow>, ApiError> {
        if let Some(known) = self.namespaces.get(&id) {
            return Ok(known.clone());
        }
        let above = app.store().namespace_with_ancestors(id).await?;
        self.namespaces.insert(id, above.clone());
        Ok(above)
    }

    async fn permissions(
        &mut self,
        call: &Call,
        row: &ProjectRow,
    ) -> Result<Permissions, ApiError> {
        let Some(user) = call.identity.user() else {
            return Ok(Permissions::default());
        };
        let above = self.above(&call.app, row.namespace_id).await?;
        let memberships = match &self.memberships {
            Some(known) => known,
            None => {
                let read = call.store().memberships(user.id).await?;
                self.memberships.insert(read)
            }
        };
        let highest = |of: &dyn Fn(&MemberRow) -> bool| {
            let levels = memberships.iter().filter(|member| of(member));
            levels
                .map(|member| member.access_level)
                .max()
                .map(Access::from)
        };
        Ok(Permissions {
            project_access: highest(&|member| {
                member.source == MemberSource::Project && member.source_id == row.id.0
            }),
            group_access: highest(&|member| {
                member.source == MemberSource::Namespace
                    && above.iter().any(|one| one.id.0 == member.source_id)
            }),
        })
    }
}
