//! Branches and tags of a project, to choose from.

use super::visit::ProjectVisit;
use crate::error::ApiError;

/// Names that a list offers at most.
const OFFERED: usize = 500;

/// Branches and tags; none of a repository that nobody pushed to.
pub(super) async fn names(visit: &ProjectVisit) -> Result<Vec<String>, ApiError> {
    let Some(repository) = repository(visit).await? else {
        return Ok(Vec::new());
    };
    let refs = repository.refs().await?;
    let branches = refs.branches.into_iter().map(|branch| branch.name);
    let tags = refs.tags.into_iter().map(|tag| tag.name);
    Ok(branches.chain(tags).take(OFFERED).collect())
}

/// The full name and the commit of a branch or tag; a branch goes before a tag of its name.
pub(super) async fn resolve(
    visit: &ProjectVisit,
    name: &str,
) -> Result<Option<(String, String)>, ApiError> {
    if name.is_empty() || name.starts_with('-') {
        return Ok(None);
    }
    let Some(repository) = repository(visit).await? else {
        return Ok(None);
    };
    let refs = repository.refs().await?;
    let branch = refs.branches.iter().find(|branch| branch.name == name);
    if let Some(branch) = branch {
        return Ok(Some((format!("refs/heads/{name}"), branch.commit.clone())));
    }
    let tag = refs.tags.iter().find(|tag| tag.name == name);
    Ok(tag.map(|tag| (format!("refs/tags/{name}"), tag.commit.clone())))
}

/// The project's repository, if there is one already.
pub(super) async fn repository(
    visit: &ProjectVisit,
) -> Result<Option<shipway_git::hosting::BareRepository>, ApiError> {
    let number = u64::try_from(visit.project.id.0).unwrap_or_default();
    match visit.app.repositories().get(number).await {
        Ok(repository) => Ok(Some(repository)),
        Err(shipway_git::hosting::RepositoriesError::Missing(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
