//! `/projects/:id/repository/compare`, `merge_base`, and the differences of a commit.

use serde::Serialize;
use shipway_git::hosting::{BareRepository, Diff, FileChange, FileDiff, History};

use super::call::{Answer, ProjectCall, ok};
use super::commit::Commit;
use super::commits::{find, resolve};
use super::paging::Paging;
use super::routes::Routes;
use crate::error::ApiError;
use crate::permission::Action;

/// Commits of a comparison at most.
const MOST_COMMITS: u64 = 1_000;

/// Commits whose common ancestor is asked for, at most.
const MOST_REFS: usize = 20;

pub(super) fn routes(routes: Routes) -> Routes {
    let read = Action::ReadCode;
    routes
        .get("/projects/{id}/repository/compare", read, compare)
        .get("/projects/{id}/repository/merge_base", read, merge_base)
        .get("/projects/{id}/repository/commits/{sha}/diff", read, diff)
}

/// GitLab's `Compare`.
#[derive(Debug, Serialize)]
struct Comparison {
    /// The newest of the commits.
    commit: Option<Commit>,
    /// Oldest first.
    commits: Vec<Commit>,
    diffs: Vec<FileDifference>,
    /// A limit cut the commits or the differences.
    compare_timeout: bool,
    compare_same_ref: bool,
    web_url: String,
}

/// GitLab's `Diff`.
#[derive(Debug, Serialize)]
struct FileDifference {
    diff: String,
    /// Nothing is hidden to save room on a page.
    collapsed: bool,
    too_large: bool,
    new_path: String,
    old_path: String,
    a_mode: String,
    b_mode: String,
    new_file: bool,
    renamed_file: bool,
    deleted_file: bool,
    generated_file: bool,
}

impl FileDifference {
    fn new(file: FileDiff, unidiff: bool) -> Self {
        let mode = |mode: String| match mode.as_str() {
            "000000" => "0".to_owned(),
            _ => mode,
        };
        let heading = match unidiff && file.text.starts_with("@@") {
            true => heading(&file),
            false => String::new(),
        };
        Self {
            diff: heading + &file.text,
            collapsed: false,
            too_large: file.too_large,
            new_path: file.new_path,
            old_path: file.old_path,
            a_mode: mode(file.old_mode),
            b_mode: mode(file.new_mode),
            new_file: file.change == FileChange::Added,
            renamed_file: file.change == FileChange::Renamed,
            deleted_file: file.change == FileChange::Deleted,
            generated_file: false,
        }
    }
}

/// The two lines that make a text a patch.
fn heading(file: &FileDiff) -> String {
    let name = |there: bool, side: &str, path: &str| match there {
        true => format!("{side}/{path}"),
        false => "/dev/null".to_owned(),
    };
    let old = name(file.change != FileChange::Added, "a", &file.old_path);
    let new = name(file.change != FileChange::Deleted, "b", &file.new_path);
    format!("--- {old}\n+++ {new}\n")
}

fn differences(call: &ProjectCall, diff: Diff) -> Result<Vec<FileDifference>, ApiError> {
    let unidiff = call.params.boolean("unidiff")?.unwrap_or(false);
    let files = diff.files.into_iter();
    Ok(files
        .map(|file| FileDifference::new(file, unidiff))
        .collect())
}

/// The commit that a parameter names.
async fn named(
    call: &ProjectCall,
    repository: &BareRepository,
    name: &str,
) -> Result<String, ApiError> {
    let sha = resolve(call, repository, name).await?;
    sha.ok_or_else(|| ApiError::not_found("Ref"))
}

async fn compare(call: ProjectCall) -> Answer {
    let (from, to) = (call.params.required("from")?, call.params.required("to")?);
    let straight = call.params.boolean("straight")?.unwrap_or(false);
    if let Some(id) = call.params.number("from_project_id")?
        && id != call.project.id.0
    {
        return Err(ApiError::bad_request(
            "projects cannot be compared with each other",
        ));
    }
    let repository = call.app.coordinator().repository(&call.project).await?;
    let (old, new) = (
        named(&call, &repository, &from).await?,
        named(&call, &repository, &to).await?,
    );
    let base = match straight {
        true => None,
        false => repository.merge_base(&old, &new).await?,
    };
    let wanted = History {
        without: Some(old.clone()),
        limit: MOST_COMMITS + 1,
        ..History::default()
    };
    let mut commits = repository.history(&new, &wanted).await?;
    let all = commits.len() as u64 <= MOST_COMMITS;
    commits.truncate(usize::try_from(MOST_COMMITS).unwrap_or(usize::MAX));
    let entity = |info| Commit::new(&call.app, &call.project, info);
    let diff = repository
        .diff(Some(base.as_ref().unwrap_or(&old)), &new)
        .await?;
    ok(Comparison {
        commit: commits.first().map(entity),
        commits: commits.iter().rev().map(entity).collect(),
        compare_timeout: !(all && diff.complete),
        diffs: differences(&call, diff)?,
        compare_same_ref: old == new,
        web_url: call.project_url(&format!("-/compare/{old}...{new}")),
    })
}

async fn merge_base(call: ProjectCall) -> Answer {
    let names = call.params.list("refs")?.unwrap_or_default();
    if names.len() < 2 {
        return Err(ApiError::bad_request("Provide at least 2 refs"));
    }
    if names.len() > MOST_REFS {
        return Err(ApiError::bad_request(format!(
            "refs can be {MOST_REFS} at most"
        )));
    }
    let repository = call.app.coordinator().repository(&call.project).await?;
    let mut base: Option<String> = None;
    for name in &names {
        let sha = named(&call, &repository, name).await?;
        base = match base {
            None => Some(sha),
            Some(base) => {
                let common = repository.merge_base(&base, &sha).await?;
                Some(common.ok_or_else(|| ApiError::not_found("Merge Base"))?)
            }
        };
    }
    let found = repository
        .commits(&[base.as_deref().unwrap_or_default()])
        .await?;
    let info = found
        .first()
        .ok_or_else(|| ApiError::not_found("Merge Base"))?;
    ok(Commit::new(&call.app, &call.project, info))
}

async fn diff(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let info = find(&call).await?;
    let repository = call.app.coordinator().repository(&call.project).await?;
    let parent = info.parents.first().map(String::as_str);
    let diff = repository.diff(parent, &info.id).await?;
    let (files, total) = paging.cut(differences(&call, diff)?);
    paging.answer(&call, files, Some(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings() {
        for (change, expected) in [
            (FileChange::Added, "--- /dev/null\n+++ b/n\n"),
            (FileChange::Deleted, "--- a/o\n+++ /dev/null\n"),
            (FileChange::Renamed, "--- a/o\n+++ b/n\n"),
        ] {
            let file = FileDiff {
                old_path: "o".to_owned(),
                new_path: "n".to_owned(),
                old_mode: "000000".to_owned(),
                new_mode: "100644".to_owned(),
                change,
                text: "@@ -1 +1 @@\n".to_owned(),
                too_large: false,
            };
            assert_eq!(heading(&file), expected);
            let entity = FileDifference::new(file.clone(), true);
            assert_eq!(entity.diff, format!("{expected}@@ -1 +1 @@\n"));
            assert_eq!((&*entity.a_mode, &*entity.b_mode), ("0", "100644"));
            assert_eq!(FileDifference::new(file, false).diff, "@@ -1 +1 @@\n");
        }
    }
}
