//! `/projects/:id/repository/branches` and `/projects/:id/repository/tags`.

use std::collections::HashMap;

use serde::Serialize;
use shipway_coordinator::protections;
use shipway_git::hosting::{Branch as GitBranch, Refs, Tag as GitTag};
use shipway_store::{ProtectedRefRow, RefKind};

use super::call::{Answer, ProjectCall, ok};
use super::commit::{Commit, commits, date};
use super::paging::Paging;
use super::routes::{Job, Routes};
use crate::error::ApiError;
use crate::permission::{Action, Viewer};

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Job(Action::ReadCode);
    routes
        .get("/projects/{id}/repository/branches", read, list_branches)
        .get(
            "/projects/{id}/repository/branches/{name}",
            read,
            show_branch,
        )
        .get("/projects/{id}/repository/tags", read, list_tags)
        .get("/projects/{id}/repository/tags/{name}", read, show_tag)
}

/// GitLab's `Branch`.
#[derive(Debug, Serialize)]
struct Branch {
    name: String,
    commit: Option<Commit>,
    /// There are no merge requests that would tell.
    merged: bool,
    protected: bool,
    developers_can_push: bool,
    developers_can_merge: bool,
    can_push: bool,
    default: bool,
    web_url: String,
}

/// GitLab's `Tag`.
#[derive(Debug, Serialize)]
struct Tag {
    name: String,
    /// The first line of an annotated tag's message.
    message: Option<String>,
    target: String,
    commit: Option<Commit>,
    release: Option<TagRelease>,
    protected: bool,
    created_at: Option<String>,
}

/// What a tag shows of its release.
#[derive(Debug, Serialize)]
struct TagRelease {
    tag_name: String,
    description: String,
}

/// A role that may push and merge as developers may.
const DEVELOPER: i64 = crate::permission::Role::Developer as i64;

/// What branches and tags of one answer have in common.
struct Names<'a> {
    call: &'a ProjectCall,
    protected: Vec<ProtectedRefRow>,
    /// The asker's level; an administrator's is above all.
    level: i64,
    commits: HashMap<String, Commit>,
    /// The notes of releases, by tag.
    releases: HashMap<String, String>,
}

impl<'a> Names<'a> {
    async fn read(
        call: &'a ProjectCall,
        shas: impl IntoIterator<Item = &str>,
    ) -> Result<Self, ApiError> {
        let level = match call.app.viewer(&call.identity, &call.project).await? {
            Viewer::Anonymous => 0,
            Viewer::User { admin: true, .. } => i64::MAX,
            Viewer::User { role, .. } => role.map_or(0, |role| role as i64),
        };
        Ok(Self {
            call,
            protected: call.store().protected_refs(call.project.id).await?,
            level,
            commits: commits(&call.app, &call.project, shas).await?,
            releases: HashMap::new(),
        })
    }

    /// With the releases of these tags.
    async fn with_releases(mut self, tags: &[GitTag]) -> Result<Self, ApiError> {
        let (store, project) = (self.call.store(), self.call.project.id);
        for tag in tags {
            if let Some(row) = store.release(project, &tag.name).await? {
                self.releases.insert(row.tag, row.description);
            }
        }
        Ok(self)
    }

    fn branch(&self, row: GitBranch) -> Branch {
        let rows: Vec<&ProtectedRefRow> =
            protections(&self.protected, RefKind::Branch, &row.name).collect();
        let may = |level: i64, of: fn(&ProtectedRefRow) -> i64| {
            rows.iter().any(|row| of(row) > 0 && level >= of(row))
        };
        let free = rows.is_empty();
        Branch {
            commit: self.commits.get(&row.commit).cloned(),
            merged: false,
            protected: !free,
            developers_can_push: may(DEVELOPER, |row| row.push_level),
            developers_can_merge: may(DEVELOPER, |row| row.merge_level),
            can_push: match free {
                true => self.level >= DEVELOPER,
                false => may(self.level, |row| row.push_level),
            },
            default: self.call.project.default_branch.as_ref() == Some(&row.name),
            web_url: self.call.project_url(&format!("-/tree/{}", row.name)),
            name: row.name,
        }
    }

    fn tag(&self, row: GitTag) -> Tag {
        let annotated = row.object != row.commit;
        let mut rows = protections(&self.protected, RefKind::Tag, &row.name);
        let protected = rows.next().is_some();
        drop(rows);
        Tag {
            message: annotated.then_some(row.title),
            created_at: annotated.then(|| date(&row.date)),
            commit: self.commits.get(&row.commit).cloned(),
            release: self.releases.get(&row.name).map(|notes| TagRelease {
                tag_name: row.name.clone(),
                description: notes.clone(),
            }),
            protected,
            target: row.object,
            name: row.name,
        }
    }
}

async fn refs(call: &ProjectCall) -> Result<Refs, ApiError> {
    let repository = call.app.coordinator().repository(&call.project).await?;
    Ok(repository.refs().await?)
}

/// A search as GitLab reads it: `^a` begins, `b$` ends, whatever the case.
fn matches(search: &str, name: &str) -> bool {
    let (search, name) = (search.to_lowercase(), name.to_lowercase());
    match (search.strip_prefix('^'), search.strip_suffix('$')) {
        (Some(rest), Some(_)) => rest.strip_suffix('$') == Some(&name),
        (Some(begin), None) => name.starts_with(begin),
        (None, Some(end)) => name.ends_with(end),
        (None, None) => name.contains(&search),
    }
}

async fn list_branches(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let search = call.params.text("search")?;
    if call.params.text("regex")?.is_some() {
        return Err(ApiError::bad_request(
            "regex is not supported; use search with ^ and $",
        ));
    }
    let orders = ["name_asc", "updated_asc", "updated_desc"];
    let order = call.params.one_of("sort", &orders)?.unwrap_or("name_asc");
    let mut rows = refs(&call).await?.branches;
    rows.retain(|row| search.as_ref().is_none_or(|text| matches(text, &row.name)));
    if order != "name_asc" {
        rows.sort_by_key(|row| row.date.parse::<jiff::Timestamp>().ok());
    }
    if order == "updated_desc" {
        rows.reverse();
    }
    let (rows, total) = paging.cut(rows);
    let names = Names::read(&call, rows.iter().map(|row| row.commit.as_str())).await?;
    let entities = rows.into_iter().map(|row| names.branch(row));
    paging.answer(&call, entities.collect(), Some(total))
}

async fn show_branch(call: ProjectCall) -> Answer {
    let wanted = call.path.text("name");
    let mut found = refs(&call).await?.branches.into_iter();
    let row = found.find(|row| row.name == wanted);
    let row = row.ok_or_else(|| ApiError::not_found("Branch"))?;
    let names = Names::read(&call, [row.commit.as_str()]).await?;
    ok(names.branch(row))
}

async fn list_tags(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let search = call.params.text("search")?;
    let orders = ["name", "updated"];
    let order = call.params.one_of("order_by", &orders)?;
    let ascending = call.params.one_of("sort", &["asc", "desc"])? == Some("asc");
    let mut rows = refs(&call).await?.tags;
    rows.retain(|row| search.as_ref().is_none_or(|text| matches(text, &row.name)));
    if order != Some("name") {
        rows.sort_by_key(|row| row.date.parse::<jiff::Timestamp>().ok());
    }
    if !ascending {
        rows.reverse();
    }
    let (rows, total) = paging.cut(rows);
    let names = Names::read(&call, rows.iter().map(|row| row.commit.as_str())).await?;
    let names = names.with_releases(&rows).await?;
    let entities = rows.into_iter().map(|row| names.tag(row));
    paging.answer(&call, entities.collect(), Some(total))
}

async fn show_tag(call: ProjectCall) -> Answer {
    let wanted = call.path.text("name");
    let mut found = refs(&call).await?.tags.into_iter();
    let row = found.find(|row| row.name == wanted);
    let row = row.ok_or_else(|| ApiError::not_found("Tag"))?;
    let names = Names::read(&call, [row.commit.as_str()]).await?;
    let names = names.with_releases(std::slice::from_ref(&row)).await?;
    ok(names.tag(row))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn searches() {
        for (search, name, found) in [
            ("ai", "main", true),
            ("MAIN", "main", true),
            ("^ma", "main", true),
            ("^ai", "main", false),
            ("in$", "main", true),
            ("ma$", "main", false),
            ("^main$", "main", true),
            ("^main$", "main2", false),
        ] {
            assert_eq!(matches(search, name), found, "{search} {name}");
        }
    }
}
