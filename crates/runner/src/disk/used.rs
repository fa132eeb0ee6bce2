//! `<directory>.used`, beside a directory that is kept between jobs.
//!
//! It says that a runner made the directory, by its time when a job last had it, and as its
//! content how many bytes it took when it was last measured. A job empties it, so what changed
//! is measured again, and nothing else.

use std::path::{Path, PathBuf};

/// Ending of the files.
const ENDING: &str = ".used";
/// Deeper than any project's path: groups may be twenty deep.
const DEEPEST: usize = 40;

/// The mark of a directory.
fn mark_of(directory: &Path) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(ENDING);
    name.into()
}

/// Notes that a job has the directory now, or had it until now.
pub(crate) fn note(directory: &Path) -> std::io::Result<()> {
    let file = std::fs::File::create(mark_of(directory))?;
    // A file that was empty before keeps its time otherwise.
    file.set_modified(std::time::SystemTime::now())
}

/// Notes what the directory takes, without touching when it was used.
pub(super) fn note_size(directory: &Path, bytes: u64) -> std::io::Result<()> {
    let mark = mark_of(directory);
    let modified = std::fs::metadata(&mark)?.modified()?;
    std::fs::write(&mark, bytes.to_string())?;
    std::fs::File::options()
        .append(true)
        .open(&mark)?
        .set_modified(modified)
}

/// Forgets the directory.
pub(super) fn forget(directory: &Path) {
    let _ = std::fs::remove_file(mark_of(directory));
}

/// A directory with a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) directory: PathBuf,
    /// Seconds since 1970.
    pub(super) last_used: u64,
    /// As it was last measured; nothing where a job had it since.
    pub(super) bytes: Option<u64>,
}

/// What the mark of a directory says; nothing without one.
pub(super) fn read(directory: &Path) -> Option<Used> {
    let mark = mark_of(directory);
    let metadata = std::fs::symlink_metadata(&mark).ok()?;
    if !metadata.is_file() || metadata.len() > 20 {
        return None;
    }
    let text = std::fs::read_to_string(&mark).ok()?;
    Some(Used {
        directory: directory.to_owned(),
        last_used: super::measure::written(&metadata),
        bytes: text.parse().ok(),
    })
}

/// All marked directories below `top`, in no order. What is in a marked directory is the
/// job's: it is not looked into. Links are not followed.
pub(super) fn below(top: &Path) -> Vec<Used> {
    let mut found = Vec::new();
    let mut waiting = vec![(top.to_owned(), 0)];
    while let Some((path, depth)) = waiting.pop() {
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            match read(&entry.path()) {
                Some(used) => found.push(used),
                None if depth < DEEPEST => waiting.push((entry.path(), depth + 1)),
                None => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_directories_are_found_and_nothing_else() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        for directory in ["0/g/sub/p", "0/g/sub/p/inner", "0/q", "1/mine"] {
            std::fs::create_dir_all(path(directory)).unwrap();
        }
        std::fs::write(path("0/file"), "").unwrap();
        for directory in ["0/g/sub/p", "0/g/sub/p/inner", "0/q", "gone"] {
            note(&path(directory)).unwrap();
        }
        std::os::unix::fs::symlink(path("0"), path("2")).unwrap();
        let mut found: Vec<PathBuf> = below(top.path()).into_iter().map(|u| u.directory).collect();
        found.sort();
        assert_eq!(found, [path("0/g/sub/p"), path("0/q")]);
    }

    #[test]
    fn a_size_stays_until_the_next_job() {
        let top = tempfile::tempdir().unwrap();
        let directory = top.path().join("p");
        std::fs::create_dir(&directory).unwrap();
        assert_eq!(read(&directory), None);
        note(&directory).unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        let mark = std::fs::File::options()
            .append(true)
            .open(mark_of(&directory));
        mark.unwrap().set_modified(long_ago).unwrap();
        note_size(&directory, 42).unwrap();
        let used = read(&directory).unwrap();
        assert_eq!((used.last_used, used.bytes), (1000, Some(42)));
        note(&directory).unwrap();
        let used = read(&directory).unwrap();
        assert!(used.last_used > 1000 && used.bytes.is_none());
    }
}
