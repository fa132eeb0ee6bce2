//! From who asks and a project to what may be done there.

use shipway_coordinator::ProjectSettings;
use shipway_store::{Accessibility, ArtifactRow, ProjectId, ProjectRow, Visibility};

use crate::app::App;
use crate::error::ApiError;
use crate::identity::{Identity, RunningJob, Who};
use crate::permission::{self, Action, Role, Viewer};

/// How a request names a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectRef {
    /// By number.
    Id(ProjectId),
    /// By its whole path.
    Path(String),
}

impl ProjectRef {
    /// The `:id` of API addresses, already decoded: all digits are a number.
    pub fn parse(text: &str) -> Self {
        let number = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(id) if number => Self::Id(ProjectId(id)),
            _ => Self::Path(text.to_owned()),
        }
    }
}

impl App {
    /// The project, if the identity may do this there.
    ///
    /// # Errors
    ///
    /// As [`App::require`]; 404 too when there is no such project.
    pub async fn project(
        &self,
        identity: &Identity,
        project: &ProjectRef,
        action: Action,
    ) -> Result<ProjectRow, ApiError> {
        let row = match project {
            ProjectRef::Id(id) => self.store().project(*id).await?,
            ProjectRef::Path(path) => self.store().project_by_path(path).await?,
        };
        let row = row.ok_or_else(|| hidden(identity))?;
        self.require(identity, &row, action).await?;
        Ok(row)
    }

    /// That the identity may do this in the project.
    ///
    /// # Errors
    ///
    /// 404 where the project may not even be seen, else 401 where nobody is signed in and 403
    /// for everybody else.
    pub async fn require(
        &self,
        identity: &Identity,
        project: &ProjectRow,
        action: Action,
    ) -> Result<(), ApiError> {
        let viewer = self.viewer(identity, project).await?;
        let visibility = visibility(project);
        if permission::hides(viewer, visibility) {
            return Err(hidden(identity));
        }
        if permission::allowed(viewer, visibility_for(project, action), action) {
            return Ok(());
        }
        Err(match identity.is_anonymous() {
            true => ApiError::unauthorized(),
            false => ApiError::forbidden(),
        })
    }

    /// Whether the identity may do this in the project: for what is shown or left out.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn allows(
        &self,
        identity: &Identity,
        project: &ProjectRow,
        action: Action,
    ) -> Result<bool, ApiError> {
        let viewer = self.viewer(identity, project).await?;
        Ok(permission::allowed(
            viewer,
            visibility_for(project, action),
            action,
        ))
    }

    /// That the identity, which may read the job, may read this artifact of it.
    ///
    /// # Errors
    ///
    /// As [`App::require`].
    pub(crate) async fn require_artifact(
        &self,
        identity: &Identity,
        project: &ProjectRow,
        artifact: &ArtifactRow,
    ) -> Result<(), ApiError> {
        // A job of the project reads what its pipelines made, whoever else may.
        let own = |job: &RunningJob| job.job.project_id == Some(project.id);
        if identity.job().is_some_and(own) {
            return Ok(());
        }
        match for_artifact(artifact.accessibility) {
            ForArtifact::Nothing => Ok(()),
            ForArtifact::Right(action) => self.require(identity, project, action).await,
            ForArtifact::Never => Err(ApiError::forbidden()),
        }
    }

    /// Who asks, as the table of permissions sees it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub async fn viewer(
        &self,
        identity: &Identity,
        project: &ProjectRow,
    ) -> Result<Viewer, ApiError> {
        match identity.who() {
            Who::Anonymous => Ok(Viewer::Anonymous),
            Who::User(user) => {
                let level = self.store().access_level(user.id, project.id).await?;
                Ok(Viewer::User {
                    role: level.and_then(Role::from_level),
                    admin: user.admin,
                })
            }
            Who::Job(job) => self.job_viewer(job, project).await,
        }
    }

    /// A job has the role of the user who started its pipeline in its own project, and at least
    /// what it takes to read that; elsewhere it is anybody who is signed in. It never has an
    /// administrator's rights.
    async fn job_viewer(
        &self,
        running: &RunningJob,
        project: &ProjectRow,
    ) -> Result<Viewer, ApiError> {
        let mut role = None;
        if running.job.project_id == Some(project.id) {
            if let Some(user) = &running.user {
                let level = self.store().access_level(user.id, project.id).await?;
                role = level.and_then(Role::from_level);
                if user.admin {
                    role = role.max(Some(Role::Maintainer));
                }
            }
            role = role.max(Some(Role::Reporter));
        }
        Ok(Viewer::User { role, admin: false })
    }
}

/// What may not be seen does not exist; signing in may change that.
fn hidden(identity: &Identity) -> ApiError {
    let error = ApiError::not_found("Project");
    match identity.is_anonymous() {
        true => error.or_sign_in(),
        false => error,
    }
}

/// The project's visibility, as the table of permissions sees it.
pub(crate) fn visibility(project: &ProjectRow) -> permission::Visibility {
    match project.visibility {
        Visibility::Private => permission::Visibility::Private,
        Visibility::Internal => permission::Visibility::Internal,
        Visibility::Public => permission::Visibility::Public,
    }
}

/// What it takes, beside reading the job, to read an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForArtifact {
    Nothing,
    Right(Action),
    /// No person may.
    Never,
}

/// What `artifacts:access` asks for.
pub(crate) fn for_artifact(accessibility: Accessibility) -> ForArtifact {
    match accessibility {
        Accessibility::Public => ForArtifact::Nothing,
        Accessibility::Private => ForArtifact::Right(Action::ReadDeveloperArtifacts),
        Accessibility::Maintainer => ForArtifact::Right(Action::ReadMaintainerArtifacts),
        Accessibility::None => ForArtifact::Never,
    }
}

/// The visibility that counts for an action, as the project's settings have it.
pub(crate) fn visibility_for(project: &ProjectRow, action: Action) -> permission::Visibility {
    let public_jobs = ProjectSettings::of(project).public_jobs;
    permission::visibility_for(action, visibility(project), public_jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_named_by_number_or_path() {
        let path = |text: &str| ProjectRef::Path(text.to_owned());
        for (text, expected) in [
            ("7", ProjectRef::Id(ProjectId(7))),
            ("007", ProjectRef::Id(ProjectId(7))),
            ("group/project", path("group/project")),
            ("7/8", path("7/8")),
            ("-7", path("-7")),
            ("+7", path("+7")),
            ("", path("")),
            ("99999999999999999999", path("99999999999999999999")),
        ] {
            assert_eq!(ProjectRef::parse(text), expected, "{text}");
        }
    }
}
