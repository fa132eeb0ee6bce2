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
use crate::reference::Refs;
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

    /// Where the index belongs, which is left to the caller.
    pub(crate) fn index(&self) -> PathBuf {
        self.git_dir.join("index")
    }

    /// Checks `head` out, with all of `refs`.
    pub(crate) fn finish(self, head: &Head, refs: &Refs) -> Result<(), CopyError> {
        self.put("packed-refs", &packed(refs))?;
        // Last, because it makes the directory a repository.
        self.put("HEAD", head_content(head).as_bytes())
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

/// The content of `packed-refs`, which holds no symbolic refs: `origin/HEAD`, which a runner's
/// clone does not have at all, stands for its commit here. A file and two directories for it in
/// every copy would be a tenth of what a small job costs.
fn packed(refs: &Refs) -> Vec<u8> {
    let mut all: Vec<_> = refs.iter().collect();
    // `sorted` is a promise that git relies on.
    all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let mut packed = b"# pack-refs with: sorted \n".to_vec();
    for reference in all {
        packed.extend(reference.object.as_bytes());
        packed.push(b' ');
        packed.extend(&reference.name);
        packed.push(b'\n');
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_packed_in_order_with_the_commit_of_the_remotes_head() {
        let refs = Refs::parse(
            b"bb\0refs/tags/v\xe9\0\0 \naa\0refs/heads/main\0\0*\n\
              aa\0refs/remotes/origin/HEAD\0refs/remotes/origin/main\0 \n",
        );
        assert_eq!(
            packed(&refs),
            b"# pack-refs with: sorted \naa refs/heads/main\naa refs/remotes/origin/HEAD\nbb refs/tags/v\xe9\n"
        );
    }

    #[test]
    fn odd_paths_and_values_are_quoted() {
        assert_eq!(alternates(Path::new("/a b")), b"/a b\n");
        assert_eq!(alternates(Path::new("/a\n\"b")), b"\"/a\\n\\\"b\"\n");
        assert_eq!(quoted("C:\\x \"y\""), r#""C:\\x \"y\"""#);
    }
}
