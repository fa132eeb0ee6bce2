//! A push to a project that is not there makes it, as in GitLab.

use shipway_git::hosting::FullPath;
use shipway_store::{ProjectRow, UserRow, Visibility};

use crate::app::App;
use crate::error::ApiError;
use crate::projects::{NewPath, create, may_create};

/// Makes a private project at the path, if the user may create projects there.
pub(super) async fn create_by_push(
    app: &App,
    user: &UserRow,
    path: &FullPath,
) -> Result<ProjectRow, ApiError> {
    let hidden = || ApiError::not_found("Project");
    let namespace = app.store().namespace_by_path(path.namespace()).await?;
    let namespace = namespace.ok_or_else(hidden)?;
    if !may_create(app, user, &namespace).await? {
        return Err(hidden());
    }
    let new = NewPath {
        path: path.name().to_owned(),
        name: String::new(),
        description: String::new(),
        visibility: Visibility::Private,
    };
    create(app, &namespace, &new).await
}
