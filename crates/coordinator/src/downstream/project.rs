//! Pipelines of other projects: starting one, and going as one goes.

use shipway_config::variables::{FileReferences, Undefined};
use shipway_config::{Forward, InputValues, Strategy, Trigger};
use shipway_pipeline::{PipelineId, Source, Status, follow};
use shipway_store::{ProjectRow, RefKind, Store, UserId, UserRow, Visibility};

use super::{Bridge, CREATION_FAILED, Refused};
use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::protection::protections;
use crate::start::{PipelineRequest, Started, StartedBy};

/// The role that may see the pipelines of a private project.
pub(crate) const REPORTER: i64 = 20;
/// The role that may run pipelines.
const DEVELOPER: i64 = 30;

/// What an administrator's role amounts to.
pub(crate) const OWNER: i64 = 50;

/// What `trigger:project` says.
pub(super) struct Wanted<'a> {
    pub(super) project: &'a str,
    pub(super) branch: Option<&'a str>,
    pub(super) inputs: &'a InputValues,
}

impl Coordinator {
    pub(super) async fn start_in_project(
        &self,
        bridge: &Bridge,
        wanted: &Wanted<'_>,
        forward: Forward,
    ) -> Result<Result<PipelineId, Refused>, Error> {
        let expand = |text: &str| {
            let known = &bridge.known;
            known.expand(text, Undefined::Empty, FileReferences::Keep)
        };
        let (project, user, level) = match self
            .other_project(bridge.row.user_id, &expand(wanted.project))
            .await?
        {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        let path = &project.full_path;
        let branch = match wanted.branch {
            Some(branch) => expand(branch),
            None => project.default_branch.clone().unwrap_or_default(),
        };
        let found = self.find_ref(&project, &branch).await?;
        let Some((reference, sha)) = found else {
            let text = format!("There is no branch or tag {branch} in {path}.");
            return Ok(Err(Refused::new(CREATION_FAILED, text)));
        };
        let (kind, name) = match reference.strip_prefix("refs/tags/") {
            Some(tag) => (RefKind::Tag, tag),
            None => {
                let name = reference.strip_prefix("refs/heads/");
                (RefKind::Branch, name.unwrap_or(&reference))
            }
        };
        let rows = self.store.protected_refs(project.id).await?;
        let needed = (protections(&rows, kind, name))
            .map(|row| row.push_level.min(row.merge_level))
            .min();
        if level < needed.unwrap_or(DEVELOPER).max(DEVELOPER) {
            let text = format!(
                "{} may not run pipelines of {branch} in {path}.",
                user.as_ref()
                    .map_or("Nobody", |user| user.username.as_str())
            );
            return Ok(Err(Refused::new("insufficient_bridge_permissions", text)));
        }
        let request = PipelineRequest {
            project,
            user,
            reference,
            sha,
            before_sha: None,
            source: Source::Pipeline,
            about: Vec::new(),
            variables: self.forwarded(bridge, forward).await?,
            inputs: wanted.inputs.clone(),
            skip: false,
        };
        match self
            .start_for(&request, &StartedBy::job(bridge.link))
            .await?
        {
            Started::Pipeline(row) => Ok(Ok(row.id)),
            Started::None(reason) => Ok(Err(Refused::new(CREATION_FAILED, reason.to_string()))),
        }
    }

    /// The status that a job with `needs: {pipeline: project}` takes over.
    pub(super) async fn mirrored(
        &self,
        bridge: &Bridge,
        trigger: &Trigger,
    ) -> Result<Result<Status, Refused>, Error> {
        let Trigger::Mirror { pipeline } = trigger else {
            return Err(Error::NoJob(bridge.job));
        };
        let path = (bridge.known).expand(pipeline, Undefined::Empty, FileReferences::Keep);
        let (project, _, level) = match self.other_project(bridge.row.user_id, &path).await? {
            Ok(found) => found,
            Err(refused) => {
                let reason = "upstream_bridge_project_not_found";
                return Ok(Err(Refused { reason, ..refused }));
            }
        };
        if level < REPORTER && project.visibility == Visibility::Private {
            let text = format!("The pipelines of {path} may not be seen.");
            return Ok(Err(Refused::new("insufficient_upstream_permissions", text)));
        }
        let branch = project.default_branch.as_deref().unwrap_or_default();
        let newest = self.store.newest_pipeline(project.id, branch).await?;
        let status = newest.map_or(Status::Pending, |row| row.status);
        Ok(Ok(follow(Some(Strategy::Mirror), status)))
    }

    /// A project that the pipeline's user can see, the user, and the user's role there.
    pub(crate) async fn other_project(
        &self,
        user: Option<UserId>,
        path: &str,
    ) -> Result<Result<(ProjectRow, Option<UserRow>, i64), Refused>, Error> {
        if path.trim().is_empty() {
            let text = "The path of the project is empty once its variables are replaced.";
            let reason = "downstream_project_trigger_resolved_to_empty";
            return Ok(Err(Refused::new(reason, text)));
        }
        let found = visible_project(&self.store, user, path).await?;
        Ok(found.ok_or_else(|| {
            Refused::new(
                "downstream_bridge_project_not_found",
                format!("There is no project {path}, or it may not be seen."),
            )
        }))
    }
}

/// A project that a user can see, the user, and the user's role there.
pub(crate) async fn visible_project(
    store: &Store,
    user: Option<UserId>,
    path: &str,
) -> Result<Option<(ProjectRow, Option<UserRow>, i64)>, Error> {
    let user = match user {
        Some(id) => store.user(id).await?,
        None => None,
    };
    let Some(project) = store.project_by_path(path).await? else {
        return Ok(None);
    };
    let mut level = 0;
    if let Some(user) = &user {
        let role = store.access_level(user.id, project.id).await?;
        level = if user.admin { OWNER } else { role.unwrap_or(0) };
    }
    let is_seen = match project.visibility {
        Visibility::Public => true,
        Visibility::Internal => user.is_some(),
        Visibility::Private => level > 0,
    };
    Ok(is_seen.then_some((project, user, level)))
}
