//! The files of a commit, read from the repository without a checkout.

use crate::command::{GitError, records};
use crate::repository::Repository;

/// What there is at a path of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAt {
    /// No file.
    Missing,
    /// A file of more bytes than allowed.
    TooLarge,
    /// Its content; of a symbolic link the path it leads to.
    Content(Vec<u8>),
}

impl Repository {
    /// The full id of the commit that a branch, tag or id means: here, or on the remote as a runner
    /// knows it.
    /// `None` where it means none.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn resolve(&self, name: &str) -> Result<Option<String>, GitError> {
        for name in [name.to_owned(), format!("origin/{name}")] {
            let call = self.git().args(["rev-parse", "--verify", "--quiet"]);
            let call = call.args(["--end-of-options", &format!("{name}^{{commit}}")]);
            if let Some(id) = call.spawn()?.answer()? {
                return Ok(Some(
                    String::from_utf8_lossy(id.trim_ascii_end()).into_owned(),
                ));
            }
        }
        Ok(None)
    }

    /// A file of a commit, unless it has more than `limit` bytes. Paths start at the top.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn file_at(&self, commit: &str, path: &str, limit: u64) -> Result<FileAt, GitError> {
        let object = format!("{commit}:{path}");
        // The length is asked first, so that a huge file is never held in memory.
        let call = self.git().args(["cat-file", "-s", &object]);
        let Some(size) = call.spawn()?.answer()? else {
            return Ok(FileAt::Missing);
        };
        let size = String::from_utf8_lossy(&size).trim().parse();
        if size.is_ok_and(|size: u64| size > limit) {
            // Directories have a length too.
            let kind = self.git().args(["cat-file", "-t", &object]);
            let is_file = (kind.spawn()?.answer()?).is_some_and(|kind| kind == b"blob\n");
            return Ok(if is_file {
                FileAt::TooLarge
            } else {
                FileAt::Missing
            });
        }
        let call = self.git().args(["cat-file", "blob", &object]);
        let content = call.spawn()?.answer()?;
        Ok(content.map_or(FileAt::Missing, FileAt::Content))
    }

    /// The paths of all files of a commit.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn list_at(&self, commit: &str) -> Result<Vec<String>, GitError> {
        let list = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit];
        let output = self.git().args(list).output()?;
        Ok(records(&output)
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect())
    }

    /// The names of all tags.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn tags(&self) -> Result<Vec<String>, GitError> {
        let list = ["for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags/"];
        let output = self.git().args(list).output()?;
        let output = String::from_utf8_lossy(&output);
        Ok(output.lines().map(str::to_owned).collect())
    }

    /// All values of a key of git's configuration, in order: of the system, the user, the
    /// repository. Section and variable names are in lower case.
    pub fn config_values<'c>(&'c self, key: &'c str) -> impl Iterator<Item = &'c str> {
        self.config.values(key)
    }
}
