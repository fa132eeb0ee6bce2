//! The directories of a commit.

use super::queries::{QueryError, paths};
use super::repository::{BareRepository, checked_id};
use crate::command::GitError;

/// What an entry of a directory is. In the order in which GitLab lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A directory.
    Tree,
    /// A file or a symbolic link.
    Blob,
    /// A submodule.
    Commit,
}

impl EntryKind {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "tree" => Some(Self::Tree),
            "blob" => Some(Self::Blob),
            "commit" => Some(Self::Commit),
            _ => None,
        }
    }

    /// Git's and GitLab's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Commit => "commit",
        }
    }
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Six octal digits: `100644`, `040000`, …
    pub mode: String,
    /// What it is.
    pub kind: EntryKind,
    /// The id of the tree, blob or commit.
    pub id: String,
    /// From the top of the repository. Bytes that are not UTF-8 are replaced.
    pub path: String,
}

/// A directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Directories first, then files, then submodules; each in git's order.
    pub entries: Vec<TreeEntry>,
    /// False when there are more than were asked for.
    pub complete: bool,
}

impl BareRepository {
    /// What is in a directory of a commit, with all that is below it when `recursive`; at most
    /// `limit` entries. An empty path is the top. `None` when there is no such directory.
    ///
    /// # Errors
    ///
    /// When the id is malformed, or git cannot be run.
    pub async fn tree(
        &self,
        commit: &str,
        path: &str,
        recursive: bool,
        limit: usize,
    ) -> Result<Option<Tree>, QueryError> {
        let commit = checked_id(commit)?;
        let path = path.trim_end_matches('/');
        if !is_inside(path) {
            return Ok(None);
        }
        let mut call = self.call().args(["ls-tree", "-z"]);
        if recursive {
            call = call.args(["-r", "-t"]);
        }
        let call = call.args([
            "--full-tree",
            "--end-of-options",
            &format!("{commit}:{path}"),
        ]);
        let Some(list) = unless_refused(paths(call, limit).await)? else {
            return Ok(None);
        };
        let prefix = match path {
            "" => String::new(),
            path => format!("{path}/"),
        };
        let entries = list.paths.iter().filter_map(|line| entry(line, &prefix));
        let mut entries: Vec<TreeEntry> = entries.collect();
        entries.sort_by_key(|entry| entry.kind);
        Ok(Some(Tree {
            entries,
            complete: list.complete,
        }))
    }

    /// What stands at a path of a commit; `None` when nothing does.
    ///
    /// # Errors
    ///
    /// When the id is malformed, or git cannot be run.
    pub async fn tree_entry(
        &self,
        commit: &str,
        path: &str,
    ) -> Result<Option<TreeEntry>, QueryError> {
        let commit = checked_id(commit)?;
        if path.is_empty() || path.ends_with('/') || !is_inside(path) {
            return Ok(None);
        }
        let call = self.call().args(["ls-tree", "-z", "--full-tree"]);
        let call = call.args(["--end-of-options", &commit, "--", path]);
        let list = unless_refused(paths(call, 1).await)?.unwrap_or_default();
        let found = list.paths.iter().find_map(|line| entry(line, ""));
        Ok(found.filter(|entry| entry.path == path))
    }
}

/// Whether a path names something in the repository: relative, without `.` and `..`.
fn is_inside(path: &str) -> bool {
    let normal = |name: &str| !matches!(name, "" | "." | "..");
    path.is_empty() || (!path.contains('\0') && path.split('/').all(normal))
}

/// `None` where git ran and refused: there is no such thing.
fn unless_refused<T>(answer: Result<T, QueryError>) -> Result<Option<T>, QueryError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(QueryError::Git(GitError::Failed { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads `100644 blob ID<tab>PATH`.
fn entry(line: &str, prefix: &str) -> Option<TreeEntry> {
    let (facts, path) = line.split_once('\t')?;
    let mut facts = facts.split(' ');
    Some(TreeEntry {
        mode: facts.next()?.to_owned(),
        kind: EntryKind::parse(facts.next()?)?,
        id: facts.next()?.to_owned(),
        path: format!("{prefix}{path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let id = "0123456789012345678901234567890123456789";
        let read = entry(&format!("040000 tree {id}\ta b"), "dir/").unwrap();
        assert_eq!((read.kind, &*read.path), (EntryKind::Tree, "dir/a b"));
        assert_eq!((&*read.mode, &*read.id), ("040000", id));
        assert_eq!(entry("nonsense", ""), None);
        assert_eq!(entry(&format!("1 tag {id}\tx"), ""), None);
    }

    #[test]
    fn paths_stay_inside() {
        for (path, inside) in [
            ("", true),
            ("a/b", true),
            ("a..b/-c", true),
            ("/a", false),
            ("a//b", false),
            ("./a", false),
            ("a/../b", false),
            ("a\0", false),
        ] {
            assert_eq!(is_inside(path), inside, "{path:?}");
        }
    }
}
