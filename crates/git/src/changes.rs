//! Which paths differ between commits, and between a commit and the work tree.

use crate::command::{GitError, records};
use crate::repository::Repository;

impl Repository {
    /// The paths that differ between a commit and another, or the work tree with its new files
    /// where no other is named. Paths start at the top; a file that was moved is both paths.
    /// `None` where one of the names is no commit.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn changed_paths(
        &self,
        from: &str,
        to: Option<&str>,
    ) -> Result<Option<Vec<String>>, GitError> {
        let Some(from) = self.resolve(from)? else {
            return Ok(None);
        };
        let to = match to {
            None => None,
            Some(name) => match self.resolve(name)? {
                Some(commit) => Some(commit),
                None => return Ok(None),
            },
        };
        let diff = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff"];
        // Nothing is written into the repository, the index neither.
        let git = self.git().setting("diff.autoRefreshIndex=false");
        let diff = git.args(diff).args([&from]).args(&to).args(["--"]);
        let diff = diff.spawn()?;
        let mut output = Vec::new();
        if to.is_none() {
            let new = ["ls-files", "--others", "--exclude-standard", "-z"];
            output = self.git().args(new).output()?;
        }
        output.extend(diff.output()?);
        let mut paths: Vec<String> = records(&output)
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        Ok(Some(paths))
    }

    /// The id of the newest commit up to this one that changed a file, given from the top;
    /// `None` where none has it, or there is no such commit.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn last_change(&self, commit: &str, path: &str) -> Result<Option<String>, GitError> {
        let Some(commit) = self.resolve(commit)? else {
            return Ok(None);
        };
        let log = ["--literal-pathspecs", "log", "--max-count=1", "--format=%H"];
        let call = self.git().args(log).args([&commit]).args(["--", path]);
        let id = String::from_utf8_lossy(&call.output()?).trim().to_owned();
        Ok((!id.is_empty()).then_some(id))
    }

    /// The best common ancestor of two commits; `None` where there is none, or one of the
    /// names is no commit.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>, GitError> {
        let (Some(one), Some(other)) = (self.resolve(one)?, self.resolve(other)?) else {
            return Ok(None);
        };
        let call = self.git().args(["merge-base", &one, &other]);
        let answer = call.spawn()?.answer()?;
        Ok(answer.map(|id| String::from_utf8_lossy(id.trim_ascii_end()).into_owned()))
    }
}
