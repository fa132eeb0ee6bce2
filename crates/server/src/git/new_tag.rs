//! A tag that is made by a form or a program, under the same rules as one that is pushed.

use shipway_git::hosting::{Annotation, Change, Push, QueryError, RefUpdate};
use shipway_store::{ProjectRow, UserRow};

use super::protection::{self, ADMIN};
use crate::app::App;
use crate::clock::{SECOND, now};
use crate::error::{ApiError, chain};
use crate::identity::Identity;
use crate::permission::Viewer;

/// A tag to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewTag<'a> {
    pub(crate) name: &'a str,
    /// The commit.
    pub(crate) sha: &'a str,
    /// Makes it an annotated one.
    pub(crate) message: Option<String>,
    /// On whose behalf.
    pub(crate) user: Option<&'a UserRow>,
}

/// Why a tag is not made.
#[derive(Debug)]
pub(crate) enum TagError {
    /// Somebody may not make it, in GitLab's words.
    Refused(String),
    /// Git takes no tag of this name.
    Name,
    /// There is one.
    Taken,
    /// There is no such commit.
    Target,
    /// Something else.
    Other(ApiError),
}

impl From<ApiError> for TagError {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}

impl App {
    /// That the identity may make the tag `name`.
    ///
    /// # Errors
    ///
    /// [`TagError::Refused`] where it is protected.
    pub(crate) async fn may_tag(
        &self,
        identity: &Identity,
        project: &ProjectRow,
        name: &str,
    ) -> Result<(), TagError> {
        let level = match self.viewer(identity, project).await? {
            Viewer::Anonymous => 0,
            Viewer::User { admin: true, .. } => ADMIN,
            Viewer::User { role, .. } => role.map_or(0, |role| role as i64),
        };
        let rows = self.store().protected_refs(project.id).await;
        let rows = rows.map_err(ApiError::from)?;
        let update = RefUpdate {
            name: format!("refs/tags/{name}"),
            old: None,
            new: None,
        };
        protection::judge(&rows, level, &update, Change::Create).map_err(TagError::Refused)
    }

    /// Makes a tag, and the pipeline that follows from it.
    ///
    /// # Errors
    ///
    /// [`TagError`]; nothing is changed then.
    pub(crate) async fn make_tag(
        &self,
        identity: &Identity,
        project: &ProjectRow,
        tag: NewTag<'_>,
    ) -> Result<(), TagError> {
        self.may_tag(identity, project, tag.name).await?;
        let coordinator = self.coordinator();
        let repository = coordinator.repository(project).await;
        let repository = repository.map_err(ApiError::from)?;
        let annotation = tag.message.map(|message| Annotation {
            name: tag.user.map_or("", |user| &user.name).to_owned(),
            email: tag.user.map_or("", |user| &user.email).to_owned(),
            at: now() / SECOND,
            message,
        });
        let made = repository.create_tag(tag.name, tag.sha, annotation.as_ref());
        let object = match made.await {
            Ok(Some(object)) => object,
            Ok(None) => return Err(TagError::Taken),
            Err(QueryError::RefName(_)) => return Err(TagError::Name),
            Err(error) => return Err(ApiError::from(error).into()),
        };
        let push = Push {
            updates: vec![RefUpdate {
                name: format!("refs/tags/{}", tag.name),
                old: None,
                new: Some(object),
            }],
            ..Push::default()
        };
        // The tag is there; a pipeline that cannot be made now is made when the server starts.
        if let Err(error) = coordinator.pushed(project, tag.user, &push).await {
            tracing::warn!(project = project.id.0, tag = tag.name, error = %chain(&error), "tag.without.pipeline");
        }
        Ok(())
    }
}
