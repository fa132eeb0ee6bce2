//! The `.git` of a snapshot: it reads the user's objects and owns everything else.
//!
//! Written by hand rather than with `git init` and `git clone`: no templates, no hooks, no
//! process, and no path by which a job's git could change the user's repository. (Where a job
//! writes an object that is there already, git renews the time of the user's copy.)

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::copy::CopyError;
use crate::listing::Head;
use crate::project::without_credentials;
use crate::repository::Repository;

/// Settings of the user's repository by which git reads files in the work tree; without them
/// unchanged files would look changed.
const CARRIED_SETTINGS: &[&str] = &[
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.symlinks",
];

/// The arguments that list every ref for [`OwnGit::finish`].
pub(crate) const LIST_REFS: [&str; 2] = [
    "for-each-ref",
    "--format=%(objectname) %(refname)%00%(symref)",
];

/// A snapshot's `.git` being written. Making directories is the slow part on some disks, so it
/// is done while git answers, before the commit and the refs are known.
pub(crate) struct OwnGit {
    git_dir: PathBuf,
}

impl OwnGit {
    /// Writes what does not depend on refs. Of the usual directories only those are made
    /// without which git sees no repository or no borrowed objects; it makes the others when
    /// it needs them.
    pub(crate) fn prepare(repository: &Repository, into: &Path) -> Result<Self, CopyError> {
        let own = Self {
            git_dir: into.join(".git"),
        };
        own.directory("objects/info")?;
        own.directory("refs")?;
        own.put("config", config(repository).as_bytes())?;
        own.put(
            "objects/info/alternates",
            &alternates(&repository.objects_dir()),
        )?;
        let shallow = repository.common_dir.join("shallow");
        match std::fs::read(&shallow) {
            Ok(content) => own.put("shallow", &content)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(CopyError::read(&shallow, error)),
        }
        Ok(own)
    }

    /// Checks `head` out, with `refs` (the answer to [`LIST_REFS`]), and returns the `.git`.
    /// The index is left to the caller.
    pub(crate) fn finish(self, head: &Head, refs: &[u8]) -> Result<PathBuf, CopyError> {
        let refs = Refs::parse(refs);
        self.put("packed-refs", &refs.packed)?;
        if let Some(target) = refs.remote_head {
            self.directory("refs/remotes/origin")?;
            self.put(
                "refs/remotes/origin/HEAD",
                format!("ref: {target}\n").as_bytes(),
            )?;
        }
        // Last, because it makes the directory a repository.
        self.put("HEAD", head_content(head).as_bytes())?;
        Ok(self.git_dir)
    }

    fn directory(&self, name: &str) -> Result<(), CopyError> {
        let path = self.git_dir.join(name);
        std::fs::create_dir_all(&path).map_err(|error| CopyError::write(&path, error))
    }

    fn put(&self, name: &str, content: &[u8]) -> Result<(), CopyError> {
        let path = self.git_dir.join(name);
        std::fs::write(&path, content).map_err(|error| CopyError::write(&path, error))
    }
}

/// Detached at the commit, as a runner's clone is; a branch only before the first commit.
fn head_content(head: &Head) -> String {
    match (&head.sha, &head.branch) {
        (Some(sha), _) => format!("{sha}\n"),
        (None, branch) => format!("ref: refs/heads/{}\n", branch.as_deref().unwrap_or("main")),
    }
}

fn config(repository: &Repository) -> String {
    let sha256 = repository.object_format == "sha256";
    // In a partial clone git fetches what is missing from the remote that promised it; only
    // version 1 of the repository format knows that.
    let partial = repository.config.get("remote.origin.promisor") == Some("true");
    let mut text = format!(
        "[core]\n\trepositoryformatversion = {}\n\tbare = false\n\tlogallrefupdates = true\n",
        u8::from(sha256 || partial)
    );
    for key in CARRIED_SETTINGS {
        if let Some(value) = repository.config.get(key) {
            let name = key.trim_start_matches("core.");
            text.push_str(&format!("\t{name} = {}\n", quoted(value)));
        }
    }
    if sha256 {
        text.push_str("[extensions]\n\tobjectformat = sha256\n");
    }
    if let Some(url) = repository.config.remote_url("origin") {
        text.push_str(&format!(
            "[remote \"origin\"]\n\turl = {}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n",
            quoted(&without_credentials(&url))
        ));
    }
    if partial {
        text.push_str("\tpromisor = true\n");
    }
    text
}

/// A value as git-config reads it back.
fn quoted(value: &str) -> String {
    let escaped = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// One line; a path that git would misread is quoted as in C (gitrepository-layout).
fn alternates(objects: &Path) -> Vec<u8> {
    let bytes = objects.as_os_str().as_bytes();
    if !bytes.contains(&b'\n') {
        return [bytes, b"\n"].concat();
    }
    let mut line = b"\"".to_vec();
    for byte in bytes {
        match byte {
            b'\n' => line.extend(b"\\n"),
            b'"' | b'\\' => line.extend([b'\\', *byte]),
            other => line.push(*other),
        }
    }
    line.extend(b"\"\n");
    line
}

/// The refs as `packed-refs` holds them.
#[derive(Debug, Default)]
struct Refs {
    packed: Vec<u8>,
    /// Where `origin/HEAD` leads.
    remote_head: Option<String>,
}

impl Refs {
    fn parse(output: &[u8]) -> Self {
        let mut remote_head = None;
        let mut lines: Vec<(&[u8], &[u8])> = Vec::new();
        for line in output.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == 0);
            let (entry, leads_to) = (
                fields.next().unwrap_or_default(),
                fields.next().unwrap_or_default(),
            );
            let Some(space) = entry.iter().position(|byte| *byte == b' ') else {
                continue;
            };
            let name = &entry[space + 1..];
            if leads_to.is_empty() {
                lines.push((name, entry));
            } else if name == b"refs/remotes/origin/HEAD" {
                remote_head = Some(String::from_utf8_lossy(leads_to).into_owned());
            }
        }
        // `sorted` is a promise that git relies on.
        lines.sort_unstable();
        let mut packed = b"# pack-refs with: sorted \n".to_vec();
        for (_, entry) in lines {
            packed.extend(entry);
            packed.push(b'\n');
        }
        Self {
            packed,
            remote_head,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_packed_in_order_and_the_remotes_head_stays_symbolic() {
        let refs = Refs::parse(
            b"bb refs/tags/v1\0\naa refs/heads/main\0\n\
              aa refs/remotes/origin/HEAD\0refs/remotes/origin/main\n",
        );
        assert_eq!(
            String::from_utf8_lossy(&refs.packed),
            "# pack-refs with: sorted \naa refs/heads/main\nbb refs/tags/v1\n"
        );
        assert_eq!(
            refs.remote_head.as_deref(),
            Some("refs/remotes/origin/main")
        );
    }

    #[test]
    fn odd_paths_and_values_are_quoted() {
        assert_eq!(alternates(Path::new("/a b")), b"/a b\n");
        assert_eq!(alternates(Path::new("/a\n\"b")), b"\"/a\\n\\\"b\"\n");
        assert_eq!(quoted("C:\\x \"y\""), r#""C:\\x \"y\"""#);
    }
}
