//! Merging branches in a hosted repository, without a work tree.

use super::new_tag::Annotation;
use super::queries::QueryError;
use super::ref_name;
use super::repository::{BareRepository, checked_id};

/// What is to be merged, and how.
#[derive(Debug)]
pub struct MergePlan<'a> {
    /// The branch, which is at `target`.
    pub branch: &'a str,
    /// Where the branch is.
    pub target: &'a str,
    /// The commit that comes into it.
    pub source: &'a str,
    /// Makes one commit, with this author and message, of all that come.
    pub squash: Option<&'a Annotation>,
    /// Only a source that goes on from the target is merged.
    pub linear: bool,
    /// The commit of two parents; without it the branch moves on to the source.
    pub commit: Option<&'a Annotation>,
    /// Who commits.
    pub by: &'a Annotation,
}

/// What became of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// The branch has moved.
    Done(MergeCommits),
    /// Both changed the same lines.
    Conflict,
    /// The source does not go on from the target.
    NotLinear,
    /// The branch moved meanwhile.
    Moved,
}

/// The commits that a merge made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergeCommits {
    /// Where the branch is now.
    pub head: String,
    /// The commit of two parents.
    pub merge: Option<String>,
    /// The one that stands for all that came.
    pub squash: Option<String>,
}

impl BareRepository {
    /// Merges as planned. Nothing is pushed: whoever merges follows up.
    ///
    /// # Errors
    ///
    /// When a name or an id is malformed, or git fails. Git is to be 2.38 or newer.
    pub async fn merge(&self, plan: &MergePlan<'_>) -> Result<Merged, QueryError> {
        let reference = format!("refs/heads/{}", plan.branch);
        if ref_name::refusal(&reference).is_some() {
            return Err(QueryError::RefName(reference));
        }
        let (target, source) = (checked_id(plan.target)?, checked_id(plan.source)?);
        if plan.linear && !self.is_ancestor(&target, &source).await? {
            return Ok(Merged::NotLinear);
        }
        let merge = self.call().args(["merge-tree", "--write-tree"]);
        let merge = merge.args(["--no-messages", &target, &source]);
        let Some(output) = merge.answer().await? else {
            return Ok(Merged::Conflict);
        };
        let output = String::from_utf8_lossy(&output);
        let tree = checked_id(output.lines().next().unwrap_or_default())?;
        let mut made = MergeCommits {
            head: source.clone(),
            ..MergeCommits::default()
        };
        if let Some(squash) = plan.squash {
            let base = self.merge_base(&target, &source).await?;
            let base = base.unwrap_or_else(|| target.clone());
            let all = format!("{source}^{{tree}}");
            let commit = self.commit_tree(&all, &[&base], squash, plan.by).await?;
            made.head.clone_from(&commit);
            made.squash = Some(commit);
        }
        if let Some(message) = plan.commit {
            let parents = [target.as_str(), made.head.as_str()];
            let commit = self.commit_tree(&tree, &parents, message, plan.by).await?;
            made.head.clone_from(&commit);
            made.merge = Some(commit);
        }
        let input = format!("update {reference} {} {target}\n", made.head);
        let update = self.call().args(["update-ref", "--no-deref", "--stdin"]);
        match update.output_with_input(input.as_bytes()).await {
            Ok(_) => Ok(Merged::Done(made)),
            Err(_) if self.resolve(&reference).await?.as_deref() != Some(&target) => {
                Ok(Merged::Moved)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A new commit of a tree, which no ref has yet.
    async fn commit_tree(
        &self,
        tree: &str,
        parents: &[&str],
        author: &Annotation,
        committer: &Annotation,
    ) -> Result<String, QueryError> {
        let mut call = self.call().args(["commit-tree", tree]);
        for parent in parents {
            call = call.args(["-p", parent]);
        }
        for (role, by) in [("AUTHOR", author), ("COMMITTER", committer)] {
            call = call
                .env(&format!("GIT_{role}_NAME"), plain(&by.name))
                .env(&format!("GIT_{role}_EMAIL"), plain(&by.email))
                .env(&format!("GIT_{role}_DATE"), format!("{} +0000", by.at));
        }
        let output = call.output_with_input(author.message.as_bytes()).await?;
        checked_id(String::from_utf8_lossy(&output).trim_end())
    }
}

/// A name without what would end it in a commit; git refuses one that is empty.
fn plain(text: &str) -> String {
    let kept = (text.chars()).filter(|c| !c.is_control() && !"<>".contains(*c));
    match kept.collect::<String>().trim() {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}
