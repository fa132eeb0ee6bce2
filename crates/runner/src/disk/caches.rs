//! Archives of caches.

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use super::measure::{self, Places};
use super::plan::{Item, Kind, State};
use crate::archive::read_comment;
use crate::cache::{ARCHIVE, COMMENT, VERSION};

/// Deeper than any key below any project.
const DEEPEST: usize = 80;

/// Notes that a job has just had this archive.
pub(crate) fn note_use(archive: &Path) {
    let file = File::options().append(true).open(archive);
    let noted = file.and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = noted {
        tracing::debug!(%error, archive = %archive.display(), "cache.use_not_noted");
    }
}

/// All archives below a cache directory that a runner wrote, which their comments say. They
/// can always go: a job that reads one keeps its open file.
pub(super) fn list(caches: &Path, places: &mut Places) -> Vec<Item> {
    let place = places.of(caches);
    let mut items = Vec::new();
    let mut waiting = vec![(caches.to_owned(), 0)];
    while let Some((path, depth)) = waiting.pop() {
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() && depth < DEEPEST {
                waiting.push((entry.path(), depth + 1));
            }
            let is_ours = metadata.is_file()
                && entry.file_name() == ARCHIVE
                && read_comment(&entry.path())
                    .is_some_and(|comment| comment.starts_with(COMMENT.as_bytes()));
            if is_ours {
                items.push(Item {
                    kind: Kind::Cache,
                    name: entry.path().display().to_string(),
                    bytes: measure::blocks(&metadata),
                    last_used: measure::written(&metadata),
                    state: State::Idle,
                    place,
                });
            }
        }
    }
    items
}

/// Removes an archive, unless it was used since `item` was listed. Whether it is gone.
pub(super) fn remove(caches: &Path, item: &Item) -> std::io::Result<bool> {
    let archive = Path::new(&item.name);
    if measure::written(&std::fs::metadata(archive)?) != item.last_used {
        return Ok(false);
    }
    std::fs::remove_file(archive)?;
    let _ = std::fs::remove_file(archive.with_file_name(VERSION));
    let above = archive.ancestors().skip(1);
    for above in above.take_while(|above| *above != caches) {
        if std::fs::remove_dir(above).is_err() {
            break;
        }
    }
    Ok(true)
}
