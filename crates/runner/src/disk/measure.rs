//! What trees take and what file systems have.

use std::collections::HashSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::plan::Place;

/// Bytes of the blocks below `path`, itself included. Links are not followed, and a file with
/// several names counts once; what files share by copy-on-write counts for each. What cannot be
/// read counts nothing.
pub(super) fn tree(path: &Path) -> u64 {
    let mut bytes = 0;
    let mut seen = HashSet::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        let is_new = metadata.nlink() < 2
            || metadata.is_dir()
            || seen.insert((metadata.dev(), metadata.ino()));
        if is_new {
            bytes += blocks(&metadata);
        }
        if metadata.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            waiting.extend(entries.map(|entry| entry.path()));
        }
    }
    bytes
}

/// Bytes of a file's blocks, which are 512 bytes each.
pub(super) fn blocks(metadata: &Metadata) -> u64 {
    metadata.blocks() * 512
}

/// When a file was last written, in seconds since 1970.
pub(super) fn written(metadata: &Metadata) -> u64 {
    u64::try_from(metadata.mtime()).unwrap_or_default()
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// The file systems of a machine, each once.
#[derive(Debug, Default)]
pub(super) struct Places {
    devices: Vec<u64>,
    pub(super) places: Vec<Place>,
}

impl Places {
    /// The number of the file system that a path is on; none where there is no such path.
    pub(super) fn of(&mut self, path: &Path) -> Option<usize> {
        let device = std::fs::metadata(path).ok()?.dev();
        if let Some(place) = self.devices.iter().position(|known| *known == device) {
            return Some(place);
        }
        let statistics = nix::sys::statvfs::statvfs(path).ok()?;
        let free = statistics
            .blocks_available()
            .saturating_mul(statistics.fragment_size());
        self.devices.push(device);
        self.places.push(Place {
            path: PathBuf::from(path),
            free,
        });
        Some(self.places.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_two_names_counts_once_and_links_lead_nowhere() {
        let top = tempfile::tempdir().unwrap();
        let path = |name: &str| top.path().join(name);
        std::fs::create_dir(path("tree")).unwrap();
        let empty = tree(&path("tree"));
        std::fs::write(path("tree/file"), vec![1; 100_000]).unwrap();
        let one = tree(&path("tree"));
        assert!(one >= empty + 100_000, "{one}");
        std::fs::hard_link(path("tree/file"), path("tree/again")).unwrap();
        std::fs::write(path("outside"), vec![1; 1_000_000]).unwrap();
        std::os::unix::fs::symlink(path("outside"), path("tree/link")).unwrap();
        assert!(tree(&path("tree")) < one + 50_000);
        assert_eq!(tree(&path("nowhere")), 0);
    }

    #[test]
    fn a_file_system_is_listed_once() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("a")).unwrap();
        let mut places = Places::default();
        assert_eq!(places.of(top.path()), Some(0));
        assert_eq!(places.of(&top.path().join("a")), Some(0));
        assert_eq!(places.of(&top.path().join("b")), None);
        assert_eq!(places.places.len(), 1);
    }
}
