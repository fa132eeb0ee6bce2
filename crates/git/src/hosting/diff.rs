//! What differs between two commits, line by line.

use std::time::Duration;

use super::queries::QueryError;
use super::repository::{BareRepository, checked_id};

/// The tree without files, which every git knows: what was before a first commit.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// Files of a difference at most.
const MOST_FILES: usize = 1_000;

/// The text of one file's difference in bytes at most (GitLab's limit of a patch).
const LARGEST_FILE: usize = 200 * 1024;

/// What is read of git's answer at most, in bytes.
const LARGEST: u64 = 10 * 1024 * 1024;

/// Git may take so long.
const LONGEST: Duration = Duration::from_secs(30);

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps another content.
    Renamed,
    /// It has another content or mode.
    Modified,
}

/// How a file differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// Its path before; of a new file the new one.
    pub old_path: String,
    /// Its path after; of a deleted file the old one.
    pub new_path: String,
    /// Six octal digits; zeros of a new file.
    pub old_mode: String,
    /// Six octal digits; zeros of a deleted file.
    pub new_mode: String,
    /// What happened.
    pub change: FileChange,
    /// The hunks, without a heading; empty when too large.
    pub text: String,
    /// There is more than is told.
    pub too_large: bool,
}

/// What differs between two commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// In git's order.
    pub files: Vec<FileDiff>,
    /// False when a limit cut it: 1,000 files, 10 MiB of text.
    pub complete: bool,
}

/// Lines that came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineStats {
    /// Lines that are new.
    pub additions: u64,
    /// Lines that are gone.
    pub deletions: u64,
}

impl BareRepository {
    /// What differs between two commits; without the first one, everything is new.
    ///
    /// # Errors
    ///
    /// When an id is malformed or does not exist, or git fails or takes longer than 30 seconds.
    pub async fn diff(&self, from: Option<&str>, to: &str) -> Result<Diff, QueryError> {
        let (from, to) = (checked_id(from.unwrap_or(EMPTY_TREE))?, checked_id(to)?);
        let call = self
            .call()
            .args(["diff-tree", "-r", "-z", "--raw", "--patch", "-M"])
            .args([
                "--no-color",
                "--no-ext-diff",
                "--no-textconv",
                "--no-abbrev",
            ])
            .args([&from, &to, "--"]);
        let (output, complete) = call.output_within(LARGEST, LONGEST).await?;
        Ok(parse(&output, complete))
    }

    /// How many lines differ between two commits; without the first one, all are new.
    ///
    /// # Errors
    ///
    /// When an id is malformed or does not exist, or git fails or takes longer than 30 seconds.
    pub async fn line_stats(&self, from: Option<&str>, to: &str) -> Result<LineStats, QueryError> {
        let (from, to) = (checked_id(from.unwrap_or(EMPTY_TREE))?, checked_id(to)?);
        let call = self
            .call()
            .args(["diff-tree", "-r", "--shortstat", "-M"])
            .args(["--no-ext-diff", "--no-textconv", &from, &to, "--"]);
        let (output, _) = call.output_within(LARGEST, LONGEST).await?;
        Ok(stats(&String::from_utf8_lossy(&output)))
    }
}

/// Reads ` 2 files changed, 3 insertions(+), 1 deletion(-)`.
fn stats(line: &str) -> LineStats {
    let count = |word: &str| {
        let part = line.split(',').find(|part| part.contains(word))?;
        part.split_whitespace().next()?.parse().ok()
    };
    LineStats {
        additions: count("insertion").unwrap_or_default(),
        deletions: count("deletion").unwrap_or_default(),
    }
}

/// Reads the list of files, each field ended by NUL, and after an empty one the patches of the
/// same files in the same order.
fn parse(output: &[u8], mut complete: bool) -> Diff {
    let mut files = Vec::new();
    // A file that became a link is two patches.
    let mut patches_of = Vec::new();
    let mut rest = output;
    let mut field = || {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let field = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 1..];
        Some(field)
    };
    let mut listed_all = false;
    while let Some(facts) = field() {
        let Some(facts) = facts.strip_prefix(':') else {
            listed_all = facts.is_empty();
            break;
        };
        let facts: Vec<&str> = facts.split(' ').collect();
        let (&[old_mode, new_mode, _, _, status], Some(path)) = (facts.as_slice(), field()) else {
            break;
        };
        let (change, count) = match status.get(..1) {
            Some("A") => (FileChange::Added, 1),
            Some("D") => (FileChange::Deleted, 1),
            Some("R") => (FileChange::Renamed, 1),
            Some("T") => (FileChange::Modified, 2),
            _ => (FileChange::Modified, 1),
        };
        let new_path = match change {
            FileChange::Renamed => field(),
            _ => Some(path.clone()),
        };
        let Some(new_path) = new_path else {
            break;
        };
        patches_of.push(count);
        files.push(FileDiff {
            old_path: path,
            new_path,
            old_mode: old_mode.to_owned(),
            new_mode: new_mode.to_owned(),
            change,
            text: String::new(),
            too_large: true,
        });
    }
    let rest = if listed_all { rest } else { &[] };
    let mut patches = patches(rest);
    for (file, count) in files.iter_mut().zip(patches_of) {
        let own: Vec<&[u8]> = patches.by_ref().take(count).collect();
        let size: usize = own.iter().map(|patch| patch.len()).sum();
        let reaches_end = own.last().is_some_and(|last| ends_with(rest, last));
        // What was cut off begins with the patch in which the limit fell.
        if own.len() == count && size <= LARGEST_FILE && (complete || !reaches_end) {
            let text: Vec<String> = own.into_iter().map(hunks).collect();
            file.text = text.concat();
            file.too_large = false;
        }
    }
    if files.len() > MOST_FILES {
        files.truncate(MOST_FILES);
        complete = false;
    }
    Diff { files, complete }
}

/// Whether the second slice is the end of the first, in memory.
fn ends_with(whole: &[u8], part: &[u8]) -> bool {
    whole.as_ptr_range().end == part.as_ptr_range().end
}

/// The patches of single files. A line of a content never begins as their first lines do.
fn patches(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const FIRST: &[u8] = b"diff --git ";
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = 0;
        loop {
            let line = rest[end..].iter().position(|byte| *byte == b'\n');
            end = line.map_or(rest.len(), |line| end + line + 1);
            if end == rest.len() || rest[end..].starts_with(FIRST) {
                break;
            }
        }
        let (patch, behind) = rest.split_at(end);
        rest = behind;
        Some(patch)
    })
}

/// A patch without its heading.
fn hunks(patch: &[u8]) -> String {
    let mut begin = 0;
    for line in patch.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"@@ ") || line.starts_with(b"Binary files ") {
            return String::from_utf8_lossy(&patch[begin..]).into_owned();
        }
        begin += line.len();
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789012345678901234567890123456789";

    fn output(files: &[(&str, &[&str])], patches: &str) -> Vec<u8> {
        let mut text = String::new();
        for (status, paths) in files {
            text.push_str(&format!(":100644 100755 {ID} {ID} {status}\0"));
            for path in *paths {
                text.push_str(&format!("{path}\0"));
            }
        }
        text.push('\0');
        text.push_str(patches);
        text.into_bytes()
    }

    #[test]
    fn files_get_their_own_patches() {
        let patches = "diff --git a/a b/a\nindex 1..2\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+diff --git\n\
            diff --git a/b b/c\nsimilarity index 100%\n\
            diff --git a/l b/l\ndeleted\n@@ -1 +0 @@\n-t\ndiff --git a/l b/l\nnew\n@@ -0 +1 @@\n+u\n\
            diff --git a/p b/p\nindex 1..2\nBinary files a/p and b/p differ\n";
        let listed: [(&str, &[&str]); 4] = [
            ("M", &["a"]),
            ("R100", &["b", "c"]),
            ("T", &["l"]),
            ("M", &["p"]),
        ];
        let diff = parse(&output(&listed, patches), true);
        assert!(diff.complete);
        let texts: Vec<&str> = diff.files.iter().map(|file| file.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "@@ -1 +1 @@\n-x\n+diff --git\n",
                "",
                "@@ -1 +0 @@\n-t\n@@ -0 +1 @@\n+u\n",
                "Binary files a/p and b/p differ\n",
            ]
        );
        assert!(diff.files.iter().all(|file| !file.too_large));
        let renamed = &diff.files[1];
        assert_eq!(
            (renamed.change, &*renamed.old_path, &*renamed.new_path),
            (FileChange::Renamed, "b", "c")
        );
        assert_eq!(
            (&*renamed.old_mode, &*renamed.new_mode),
            ("100644", "100755")
        );
    }

    #[test]
    fn limits_cut_and_say_so() {
        let large = format!(
            "diff --git a/a b/a\n@@ -1 +1 @@\n+{}\ndiff --git a/b b/b\n@@ -1 +1 @@\n+y\n",
            "x".repeat(LARGEST_FILE)
        );
        let listed: [(&str, &[&str]); 2] = [("M", &["a"]), ("M", &["b"])];
        let diff = parse(&output(&listed, &large), true);
        let cut = |diff: &Diff| {
            let cut = diff.files.iter().map(|file| file.too_large);
            cut.collect::<Vec<bool>>()
        };
        assert_eq!(cut(&diff), [true, false]);
        let small = "diff --git a/a b/a\n@@ -1 +1 @@\n+x\ndiff --git a/b b/b\n@@ -1 +1 @@\n+y";
        let diff = parse(&output(&listed, small), false);
        assert_eq!((cut(&diff), diff.complete), (vec![false, true], false));
        let many: Vec<(&str, &[&str])> = vec![("M", &["a"]); MOST_FILES + 1];
        let diff = parse(&output(&many, ""), true);
        assert_eq!((diff.files.len(), diff.complete), (MOST_FILES, false));
        for broken in [&b""[..], b":", b":1 2\0x\0", b"x\0", b":1 2 3 4 R\0a\0"] {
            assert_eq!(parse(broken, true).files, []);
        }
    }

    #[test]
    fn lines_are_counted() {
        for (line, additions, deletions) in [
            (" 2 files changed, 3 insertions(+), 1 deletion(-)\n", 3, 1),
            (" 1 file changed, 1 insertion(+)\n", 1, 0),
            ("", 0, 0),
        ] {
            let expected = LineStats {
                additions,
                deletions,
            };
            assert_eq!(stats(line), expected, "{line}");
        }
    }
}
