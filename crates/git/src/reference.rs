//! Branches, tags and commits by name.

use crate::command::GitError;
use crate::repository::Repository;

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
const ORIGIN: &str = "refs/remotes/origin/";
const ORIGIN_HEAD: &str = "refs/remotes/origin/HEAD";

/// At most this many names are offered for one that does not exist.
const SUGGESTIONS: usize = 3;

/// What a name turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Branch(String),
    Tag(String),
    Commit,
}

/// A name that git can resolve without ambiguity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) kind: Kind,
    /// The full name of the ref, or the expression for a commit.
    pub(crate) revision: String,
}

/// Why a name stands for no commit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReferenceError {
    #[error("`{name}` is both a branch and a tag")]
    Ambiguous { name: String },
    #[error("there is no branch, tag or commit `{name}`")]
    NotFound { name: String, near: Vec<String> },
    #[error(transparent)]
    Git(GitError),
}

/// One line of `for-each-ref`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ref {
    /// The object's id.
    pub(crate) object: String,
    /// The full name, which need not be UTF-8.
    pub(crate) name: Vec<u8>,
    /// The ref that a symbolic ref leads to, else empty.
    pub(crate) leads_to: String,
    is_head: bool,
}

/// All refs of a repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refs(Vec<Ref>);

impl Refs {
    /// The arguments that list them for [`Refs::parse`].
    pub(crate) const ARGUMENTS: [&str; 2] = [
        "for-each-ref",
        "--format=%(objectname)%00%(refname)%00%(symref)%00%(HEAD)",
    ];

    /// Reads the answer.
    pub(crate) fn parse(output: &[u8]) -> Self {
        let parse = |line: &[u8]| {
            let mut fields = line.split(|byte| *byte == 0);
            let text = |field| String::from_utf8_lossy(field).into_owned();
            Some(Ref {
                object: text(fields.next()?),
                name: fields.next()?.to_owned(),
                leads_to: text(fields.next()?),
                is_head: fields.next()? == b"*",
            })
        };
        let lines = output.split(|byte| *byte == b'\n');
        Self(lines.filter_map(parse).collect())
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Ref> {
        self.0.iter()
    }

    /// The branch that is checked out, if it has a commit.
    pub(crate) fn current_branch(&self) -> Option<&str> {
        let head = self.0.iter().find(|reference| reference.is_head)?;
        head.below(HEADS)
    }

    /// The ref that `origin/HEAD` leads to.
    pub(crate) fn remote_head(&self) -> Option<&str> {
        let mut refs = self.0.iter();
        let head = refs.find(|reference| reference.name == ORIGIN_HEAD.as_bytes())?;
        (!head.leads_to.is_empty()).then_some(head.leads_to.as_str())
    }

    /// The branch that `origin/HEAD` leads to; else the first of `init.defaultBranch`, `main`
    /// and `master` that exists; else the current one.
    pub(crate) fn default_branch(&self, configured: Option<&str>, current: Option<&str>) -> String {
        let of_remote = self.remote_head();
        of_remote
            .and_then(|leads_to| leads_to.strip_prefix(ORIGIN))
            .or_else(|| {
                let mut usual = configured.into_iter().chain(["main", "master"]);
                usual.find(|name| self.has(HEADS, name))
            })
            .or(current)
            .or(configured)
            .unwrap_or("main")
            .to_owned()
    }

    fn has(&self, prefix: &str, name: &str) -> bool {
        self.0
            .iter()
            .any(|reference| reference.below(prefix) == Some(name))
    }

    /// What `name` means among these refs: a branch or a tag by its short or full name, a
    /// branch of `origin` that has no local one, or anything else git may know as a commit.
    pub(crate) fn find(&self, name: &str) -> Result<Reference, ReferenceError> {
        let short = short_name(name);
        let branch = !name.starts_with(TAGS) && self.has(HEADS, short);
        let tag = !name.starts_with(HEADS) && self.has(TAGS, short);
        let remote = !name.starts_with(TAGS) && self.has(ORIGIN, short);
        let (kind, revision) = match (branch, tag) {
            (true, true) => {
                return Err(ReferenceError::Ambiguous {
                    name: name.to_owned(),
                });
            }
            (true, false) => (Kind::Branch(short.to_owned()), format!("{HEADS}{short}")),
            (false, true) => (Kind::Tag(short.to_owned()), format!("{TAGS}{short}")),
            (false, false) if remote && short != "HEAD" => {
                (Kind::Branch(short.to_owned()), format!("{ORIGIN}{short}"))
            }
            (false, false) => (Kind::Commit, name.to_owned()),
        };
        Ok(Reference { kind, revision })
    }
}

impl Ref {
    /// What follows `prefix` in the name; nothing where that is not UTF-8.
    fn below(&self, prefix: &str) -> Option<&str> {
        std::str::from_utf8(self.name.strip_prefix(prefix.as_bytes())?).ok()
    }
}

/// A branch's or tag's name without `refs/heads/` or `refs/tags/`.
fn short_name(name: &str) -> &str {
    name.strip_prefix(HEADS)
        .or_else(|| name.strip_prefix(TAGS))
        .unwrap_or(name)
}

/// The commit's object id, or the error that names what the person may have meant.
pub(crate) fn commit_sha(
    repository: &Repository,
    name: &str,
    reference: &Reference,
) -> Result<String, ReferenceError> {
    let sha = repository
        .git()
        .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
        .args([format!("{}^{{commit}}", reference.revision)])
        .spawn()
        .and_then(crate::command::Running::answer)
        .map_err(ReferenceError::Git)?;
    match sha {
        Some(sha) => Ok(String::from_utf8_lossy(&sha).trim().to_owned()),
        None => Err(not_found(repository, name)),
    }
}

fn not_found(repository: &Repository, name: &str) -> ReferenceError {
    let refs = repository.refs().unwrap_or_default();
    let names = refs.iter().filter_map(|reference| {
        [HEADS, TAGS, ORIGIN]
            .into_iter()
            .find_map(|prefix| reference.below(prefix))
    });
    ReferenceError::NotFound {
        name: name.to_owned(),
        near: near(name, names),
    }
}

/// The names most like `name`, nearest first.
fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    let mut found: Vec<(usize, &str)> = names
        .filter(|candidate| *candidate != "HEAD")
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = edit_distance(&wanted, &lower);
            let within = wanted.len() >= 3 && lower.contains(&wanted);
            (distance <= limit || within).then_some((distance, candidate))
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .take(SUGGESTIONS)
        .map(|(_, candidate)| candidate.to_owned())
        .collect()
}

/// How many letters have to be put in, taken out or replaced.
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.chars().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (column, other) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(lines: &[(&str, &str, bool)]) -> Refs {
        let text: String = lines
            .iter()
            .map(|(name, leads_to, head)| {
                format!(
                    "aa\0{name}\0{leads_to}\0{}\n",
                    if *head { "*" } else { " " }
                )
            })
            .collect();
        Refs::parse(text.as_bytes())
    }

    #[test]
    fn names_are_found_as_branch_tag_remote_branch_or_commit() {
        let refs = refs(&[
            ("refs/heads/main", "", true),
            ("refs/heads/v1", "", false),
            ("refs/tags/v1", "", false),
            ("refs/tags/v2", "", false),
            (
                "refs/remotes/origin/HEAD",
                "refs/remotes/origin/main",
                false,
            ),
            ("refs/remotes/origin/far", "", false),
        ]);
        let branch = |name: &str| Kind::Branch(name.to_owned());
        let tag = |name: &str| Kind::Tag(name.to_owned());
        for (name, kind, revision) in [
            ("main", branch("main"), "refs/heads/main"),
            ("refs/heads/v1", branch("v1"), "refs/heads/v1"),
            ("refs/tags/v1", tag("v1"), "refs/tags/v1"),
            ("v2", tag("v2"), "refs/tags/v2"),
            ("far", branch("far"), "refs/remotes/origin/far"),
            ("HEAD~1", Kind::Commit, "HEAD~1"),
            ("HEAD", Kind::Commit, "HEAD"),
        ] {
            let found = refs.find(name).expect(name);
            assert_eq!(
                (found.kind, found.revision.as_str()),
                (kind, revision),
                "{name}"
            );
        }
        assert!(matches!(
            refs.find("v1"),
            Err(ReferenceError::Ambiguous { .. })
        ));
        assert_eq!(refs.current_branch(), Some("main"));
    }

    #[test]
    fn the_default_branch_is_the_remotes_or_a_usual_one_or_the_current() {
        let head = (
            "refs/remotes/origin/HEAD",
            "refs/remotes/origin/next",
            false,
        );
        for (lines, configured, current, expected) in [
            (
                vec![head, ("refs/heads/main", "", false)],
                Some("main"),
                None,
                "next",
            ),
            (
                vec![
                    ("refs/heads/main", "", false),
                    ("refs/heads/dev", "", false),
                ],
                Some("dev"),
                None,
                "dev",
            ),
            (
                vec![("refs/heads/main", "", false)],
                Some("dev"),
                None,
                "main",
            ),
            (
                vec![("refs/heads/master", "", false)],
                None,
                Some("x"),
                "master",
            ),
            (
                vec![("refs/heads/x", "", true)],
                Some("dev"),
                Some("x"),
                "x",
            ),
            (vec![], Some("dev"), None, "dev"),
            (vec![], None, None, "main"),
        ] {
            assert_eq!(
                refs(&lines).default_branch(configured, current),
                expected,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn near_names_are_offered_nearest_first() {
        let names = [
            "main",
            "maintenance",
            "release/1.0",
            "v1.0.0",
            "HEAD",
            "v1.0.1",
        ];
        for (name, expected) in [
            ("mian", vec![]),
            ("mai", vec!["main", "maintenance"]),
            ("Main", vec!["main", "maintenance"]),
            ("v1.0.2", vec!["v1.0.0", "v1.0.1"]),
            ("relase/1.0", vec!["release/1.0"]),
            ("x", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(near(name, names.into_iter()), expected, "{name}");
        }
    }
}
