//! The `.git` an earlier job left: kept is what only holds objects and refs.
//!
//! That job may have written anything there, and git runs programs that a repository's
//! configuration and hooks name. In a container this would be a way out of it.

use std::io;
use std::path::Path;

/// What stays; everything else in `.git` is removed.
const KEPT: [&str; 5] = ["HEAD", "objects", "packed-refs", "refs", "shallow"];
/// Kept where the job could write everywhere else too: git trusts the paths in it, and
/// without it every file is written anew.
const INDEX: &str = "index";

/// Takes out of `.git` below `project` what an earlier job may have planted, and files that
/// interrupted commands left; the index stays where `trusted`. Whether a usable repository is there afterwards.
pub(crate) fn defuse(project: &Path, trusted: bool) -> io::Result<bool> {
    let git = project.join(".git");
    match std::fs::symlink_metadata(&git) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
        // A file or a link leads elsewhere.
        Ok(metadata) if !metadata.is_dir() => {
            std::fs::remove_file(&git)?;
            return Ok(false);
        }
        Ok(_) => {}
    }
    for entry in std::fs::read_dir(&git)? {
        let entry = entry?;
        let kept = entry
            .file_name()
            .to_str()
            .is_some_and(|name| KEPT.contains(&name) || (trusted && name == INDEX));
        if !kept {
            remove(&entry.path())?;
        }
    }
    // Objects of other repositories, and addresses to get some from.
    let info = git.join("objects/info");
    for name in ["alternates", "http-alternates"] {
        remove(&info.join(name))?;
    }
    if has_links(&git)? || !git.join("HEAD").is_file() || !git.join("objects").is_dir() {
        std::fs::remove_dir_all(&git)?;
        return Ok(false);
    }
    Ok(true)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether anything below is a link; locks of refs are removed on the way.
fn has_links(directory: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_symlink() || (kind.is_dir() && has_links(&entry.path())?) {
            return Ok(true);
        }
        if kind.is_file() && entry.path().extension().is_some_and(|end| end == "lock") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let git = directory.path().join(".git");
        for name in [
            "objects/info",
            "objects/pack",
            "refs/heads",
            "hooks",
            "modules/a",
        ] {
            std::fs::create_dir_all(git.join(name)).unwrap();
        }
        for name in [
            "HEAD",
            "config",
            "index",
            "index.lock",
            "commondir",
            "hooks/post-checkout",
            "objects/info/alternates",
            "refs/heads/main.lock",
        ] {
            std::fs::write(git.join(name), "x").unwrap();
        }
        directory
    }

    #[test]
    fn only_objects_and_refs_stay() {
        let directory = repository();
        assert!(defuse(directory.path(), true).unwrap());
        let git = directory.path().join(".git");
        let mut left: Vec<_> = std::fs::read_dir(&git)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["HEAD", "index", "objects", "refs"]);
        assert!(!git.join("objects/info/alternates").exists());
        assert!(!git.join("refs/heads/main.lock").exists());
        assert!(defuse(directory.path(), false).unwrap());
        assert!(!git.join("index").exists());
    }

    #[test]
    fn links_cost_the_repository() {
        let directory = repository();
        let git = directory.path().join(".git");
        std::os::unix::fs::symlink("/etc", git.join("objects/ab")).unwrap();
        assert!(!defuse(directory.path(), true).unwrap());
        assert!(!git.exists());
        std::os::unix::fs::symlink("/etc", &git).unwrap();
        assert!(!defuse(directory.path(), true).unwrap());
        assert!(std::fs::symlink_metadata(&git).is_err() && Path::new("/etc").is_dir());
        assert!(!defuse(directory.path(), true).unwrap());
    }
}
