//! Making projects.

use shipway_coordinator::ProjectSettings;
use shipway_git::hosting::{FullPath, RepositoriesError};
use shipway_store::{
    MemberSource, NamespaceKind, NamespaceRow, NewProject, ProjectRow, StoreError, UserRow,
    Visibility,
};

use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;
use crate::permission::Role;

/// The branch that is the default one until a push says otherwise.
const DEFAULT_BRANCH: &str = "main";

/// Names that addresses below a project need.
const RESERVED: [&str; 1] = ["badges"];

/// Whether the user may create projects in the namespace: the user's own, or a group in which
/// the user is a developer or more (GitLab's default for groups).
pub(crate) async fn may_create(
    app: &App,
    user: &UserRow,
    namespace: &NamespaceRow,
) -> Result<bool, ApiError> {
    if user.admin || namespace.owner_id == Some(user.id) {
        return Ok(true);
    }
    if namespace.kind == NamespaceKind::User {
        return Ok(false);
    }
    let above = app.store().namespace_with_ancestors(namespace.id).await?;
    let memberships = app.store().memberships(user.id).await?;
    Ok(memberships.iter().any(|member| {
        member.source == MemberSource::Namespace
            && member.access_level >= Role::Developer as i64
            && above.iter().any(|group| group.id.0 == member.source_id)
    }))
}

/// A project to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewPath {
    /// The last name of its path.
    pub(crate) path: String,
    /// The name for people; the path where it is empty.
    pub(crate) name: String,
    /// What it is for; may be empty.
    pub(crate) description: String,
    /// Who sees it without being a member.
    pub(crate) visibility: Visibility,
}

/// Makes a project with its empty repository. Whether the user may is [`may_create`].
///
/// # Errors
///
/// 400 when the path breaks the rules, or there is a project or group at it.
pub(crate) async fn create(
    app: &App,
    namespace: &NamespaceRow,
    new: &NewPath,
) -> Result<ProjectRow, ApiError> {
    let full_path = format!("{}/{}", namespace.full_path, new.path);
    if new.path.contains('/') || RESERVED.contains(&new.path.to_lowercase().as_str()) {
        return Err(ApiError::invalid("path", "is a reserved name"));
    }
    FullPath::parse(&full_path).map_err(|error| ApiError::invalid("path", error.to_string()))?;
    let taken = || ApiError::invalid("path", "has already been taken");
    if app.store().namespace_by_path(&full_path).await?.is_some() {
        return Err(taken());
    }
    let row = NewProject {
        namespace_id: namespace.id,
        full_path,
        name: match new.name.trim() {
            "" => new.path.clone(),
            name => name.to_owned(),
        },
        description: new.description.clone(),
        visibility: new.visibility,
        default_branch: None,
        settings: ProjectSettings::default().to_json(),
        created_at: now(),
    };
    let mut transaction = app.store().begin().await?;
    let row = match transaction.insert_project(&row).await {
        Ok(row) => row,
        Err(StoreError::Taken { .. }) => return Err(taken()),
        Err(error) => return Err(error.into()),
    };
    // Before the row is there for others. A repository that nobody knows harms nobody; its
    // number may come again when the row is not stored after all.
    let number = u64::try_from(row.id.0).unwrap_or_default();
    match app.repositories().create(number, DEFAULT_BRANCH).await {
        Ok(_) => {}
        Err(RepositoriesError::Exists(_)) => {
            app.repositories().remove(number).await?;
            app.repositories().create(number, DEFAULT_BRANCH).await?;
        }
        Err(error) => return Err(error.into()),
    }
    transaction.commit().await?;
    tracing::info!(project = row.full_path, "project.created");
    Ok(row)
}
