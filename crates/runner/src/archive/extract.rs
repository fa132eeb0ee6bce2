//! Unpacking zip archives that may be hostile.
//!
//! Every entry stays below the directory: names with `..` or a leading `/` are refused, and
//! so is an entry whose way leads through a symbolic link, which an earlier entry may have
//! made. Links themselves are made as they are: they may point anywhere (a virtual
//! environment's `python` does), because nothing here reads or writes through them.

use std::fs::{File, FileTimes, Permissions};
use std::io::{BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use zip::ZipArchive;
use zip::read::ZipFile;

use super::COPY_BYTES;
use crate::config::ExtractLimits;
use crate::files::Stop;

/// A link's target is longer than any system takes.
const MAX_LINK: u64 = 4096;

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extracted {
    /// Entries.
    pub entries: u64,
    /// Bytes of files.
    pub bytes: u64,
}

/// Why an archive was not, or not wholly, unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The file is no zip archive, or a damaged one.
    #[error("{} is not a readable zip archive: {source}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// An entry's name leads out of the directory.
    #[error("entry `{name}` leaves the directory; nothing of it is written")]
    Escape {
        /// The entry's name.
        name: String,
    },
    /// An entry's way leads through a symbolic link or a file.
    #[error("entry `{name}` goes through {}, which is not a directory", at.display())]
    NotADirectory {
        /// The entry's name.
        name: String,
        /// Where its way ends.
        at: PathBuf,
    },
    /// Too many entries.
    #[error(
        "the archive has {entries} entries, more than the limit of {limit} (extract_limits.entries)"
    )]
    Entries {
        /// How many there are.
        entries: u64,
        /// How many there may be.
        limit: u64,
    },
    /// Too many bytes.
    #[error("the archive unpacks to more than the limit of {limit} bytes (extract_limits.bytes)")]
    Bytes {
        /// How many there may be.
        limit: u64,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; is the disk full?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

/// Unpacks the zip archive at `path` into `directory`; existing files are replaced.
pub(crate) fn extract(
    path: &Path,
    directory: &Path,
    limits: ExtractLimits,
    stop: &Stop,
) -> Result<Extracted, ExtractError> {
    let unreadable = |source: std::io::Error| ExtractError::Archive {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut archive =
        ZipArchive::new(BufReader::new(file)).map_err(|error| unreadable(error.into()))?;
    let entries = archive.len() as u64;
    if entries > limits.entries {
        return Err(ExtractError::Entries {
            entries,
            limit: limits.entries,
        });
    }
    let mut room = limits.bytes;
    // Directories get their modes last: one without write permission is to be filled first.
    let mut directories = Vec::new();
    for index in 0..archive.len() {
        if stop.is_asked() {
            return Err(ExtractError::Stopped);
        }
        let mut entry = archive
            .by_index(index)
            .map_err(|error| unreadable(error.into()))?;
        let name = entry
            .name()
            .map_err(|error| unreadable(error.into()))?
            .into_owned();
        let target = place(directory, &name)?;
        if entry.is_dir() {
            make_directories(directory, &target, &name)?;
            directories.push((target, entry.unix_mode()));
            continue;
        }
        let parent = target.parent().unwrap_or(directory);
        make_directories(directory, parent, &name)?;
        remove_old(&target)?;
        if entry.is_symlink() {
            write_link(&mut entry, &target)?;
        } else {
            let mut sink = Sink {
                room: &mut room,
                limit: limits.bytes,
                stop,
            };
            write_file(&mut entry, &target, &mut sink)?;
        }
    }
    for (directory, mode) in directories.into_iter().rev() {
        if let Some(mode) = mode {
            let permissions = Permissions::from_mode(mode & 0o777);
            std::fs::set_permissions(&directory, permissions).map_err(write_error(&directory))?;
        }
    }
    Ok(Extracted {
        entries,
        bytes: limits.bytes - room,
    })
}

fn write_error(path: &Path) -> impl FnOnce(std::io::Error) -> ExtractError {
    let path = path.to_owned();
    move |source| ExtractError::Write { path, source }
}

/// Where an entry of that name goes.
fn place(directory: &Path, name: &str) -> Result<PathBuf, ExtractError> {
    let mut place = directory.to_owned();
    let escape = || ExtractError::Escape {
        name: name.escape_default().to_string(),
    };
    if name.contains('\0') {
        return Err(escape());
    }
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => place.push(part),
            Component::CurDir => {}
            _ => return Err(escape()),
        }
    }
    if place == directory && !name.ends_with('/') {
        return Err(escape());
    }
    Ok(place)
}

/// Makes the directories from `top` down to `path`, each of them a real one.
fn make_directories(top: &Path, path: &Path, name: &str) -> Result<(), ExtractError> {
    let relative = path.strip_prefix(top).unwrap_or(Path::new(""));
    let mut at = top.to_owned();
    for part in relative.components() {
        at.push(part);
        match std::fs::symlink_metadata(&at) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(ExtractError::NotADirectory {
                    name: name.to_owned(),
                    at,
                });
            }
            Err(_) => std::fs::create_dir(&at).map_err(write_error(&at))?,
        }
    }
    Ok(())
}

/// Removes a file or link that is to be replaced, so that it is never written through.
fn remove_old(path: &Path) -> Result<(), ExtractError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(write_error(path)(error)),
        _ => Ok(()),
    }
}

fn write_link<R: Read>(entry: &mut ZipFile<'_, R>, target: &Path) -> Result<(), ExtractError> {
    use std::os::unix::ffi::OsStringExt;
    let mut link = Vec::new();
    entry
        .take(MAX_LINK)
        .read_to_end(&mut link)
        .map_err(write_error(target))?;
    symlink(std::ffi::OsString::from_vec(link), target).map_err(write_error(target))
}

struct Sink<'a> {
    room: &'a mut u64,
    limit: u64,
    stop: &'a Stop,
}

fn write_file<R: Read>(
    entry: &mut ZipFile<'_, R>,
    target: &Path,
    sink: &mut Sink<'_>,
) -> Result<(), ExtractError> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(write_error(target))?;
    let mut buffer = vec![0; COPY_BYTES];
    // The size in the header is a claim; what counts is what comes out.
    loop {
        if sink.stop.is_asked() {
            return Err(ExtractError::Stopped);
        }
        let count = entry
            .read(&mut buffer)
            .map_err(|source| ExtractError::Archive {
                path: target.to_owned(),
                source,
            })?;
        if count == 0 {
            break;
        }
        *sink.room = sink
            .room
            .checked_sub(count as u64)
            .ok_or(ExtractError::Bytes { limit: sink.limit })?;
        file.write_all(&buffer[..count])
            .map_err(write_error(target))?;
    }
    let mode = entry.unix_mode().unwrap_or(0o644) & 0o777;
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(write_error(target))?;
    if let Some(seconds) = modified(entry) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(seconds));
        file.set_times(FileTimes::new().set_modified(time))
            .map_err(write_error(target))?;
    }
    Ok(())
}

fn modified<R: Read>(entry: &ZipFile<'_, R>) -> Option<u32> {
    entry.extra_data_fields().find_map(|field| match field {
        zip::ExtraField::ExtendedTimestamp(times) => times.mod_time(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::write_zip;
    use std::os::unix::fs::MetadataExt;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    enum Entry {
        File(&'static str, &'static str),
        Link(&'static str, &'static str),
    }
    use Entry::{File as F, Link as L};

    fn unpack(
        entries: &[Entry],
        limits: ExtractLimits,
    ) -> (tempfile::TempDir, Result<Extracted, ExtractError>) {
        let top = tempfile::tempdir().unwrap();
        let archive = top.path().join("archive.zip");
        let mut writer = ZipWriter::new(File::create(&archive).unwrap());
        for entry in entries {
            let options = SimpleFileOptions::default();
            match entry {
                F(name, content) => {
                    writer.start_file(*name, options).unwrap();
                    writer.write_all(content.as_bytes()).unwrap();
                }
                L(name, target) => writer.add_symlink(*name, *target, options).unwrap(),
            }
        }
        writer.finish().unwrap();
        let directory = top.path().join("out");
        std::fs::create_dir(&directory).unwrap();
        let result = extract(&archive, &directory, limits, &Stop::default());
        (top, result)
    }

    #[test]
    fn everything_comes_back_as_it_was() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| from.path().join(name);
        std::fs::create_dir_all(at("d/empty")).unwrap();
        std::fs::write(at("d/run ü.sh"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(at("d/run ü.sh"), Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(at("d"), Permissions::from_mode(0o550)).unwrap();
        symlink("/usr/bin/python3", at("python")).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_001);
        File::open(at("d/run ü.sh"))
            .unwrap()
            .set_modified(time)
            .unwrap();
        let archive = to.path().join("a.zip");
        let paths = ["d", "d/empty", "d/run ü.sh", "gone", "python"].map(PathBuf::from);
        let file = File::create(&archive).unwrap();
        write_zip(from.path(), &paths, &file, 5, "note", &Stop::default()).unwrap();
        assert_eq!(crate::archive::read_comment(&archive).unwrap(), b"note");
        let out = to.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let extracted =
            extract(&archive, &out, ExtractLimits::default(), &Stop::default()).unwrap();
        assert_eq!(
            extracted,
            Extracted {
                entries: 4,
                bytes: 10
            }
        );
        let script = std::fs::metadata(out.join("d/run ü.sh")).unwrap();
        assert_eq!(script.mode() & 0o777, 0o755);
        assert_eq!(script.mtime(), 1_700_000_001);
        assert_eq!(
            std::fs::metadata(out.join("d")).unwrap().mode() & 0o777,
            0o550
        );
        assert!(out.join("d/empty").is_dir());
        assert_eq!(
            std::fs::read_link(out.join("python")).unwrap(),
            Path::new("/usr/bin/python3")
        );
    }

    #[test]
    fn entries_that_leave_the_directory_are_refused() {
        for name in ["../evil", "a/../../evil", "/evil", "..", "a/.."] {
            let (top, result) = unpack(&[F("good", ""), F(name, "x")], ExtractLimits::default());
            assert!(
                matches!(result, Err(ExtractError::Escape { .. })),
                "{name}: {result:?}"
            );
            assert!(!top.path().join("evil").exists());
        }
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let (top, result) = unpack(
            &[L("link", ".."), F("link/evil", "x")],
            ExtractLimits::default(),
        );
        let error = result.unwrap_err();
        assert!(
            matches!(error, ExtractError::NotADirectory { .. }),
            "{error:?}"
        );
        assert!(!top.path().join("evil").exists());
    }

    #[test]
    fn a_file_replaces_a_link_of_the_same_name() {
        let top = tempfile::tempdir().unwrap();
        let (from, out) = (top.path().join("from"), top.path().join("out"));
        for directory in [&from, &out] {
            std::fs::create_dir(directory).unwrap();
        }
        std::fs::write(from.join("x"), "new").unwrap();
        std::fs::write(top.path().join("outside"), "old").unwrap();
        symlink("../outside", out.join("x")).unwrap();
        let archive = top.path().join("a.zip");
        let file = File::create(&archive).unwrap();
        write_zip(&from, &["x".into()], &file, 0, "", &Stop::default()).unwrap();
        extract(&archive, &out, ExtractLimits::default(), &Stop::default()).unwrap();
        assert_eq!(
            std::fs::read_to_string(top.path().join("outside")).unwrap(),
            "old"
        );
        assert_eq!(std::fs::read_to_string(out.join("x")).unwrap(), "new");
    }

    #[test]
    fn limits_are_named() {
        let limits = |entries, bytes| ExtractLimits { entries, bytes };
        let (_top, result) = unpack(&[F("a", "1"), F("b", "2")], limits(1, 100));
        assert!(
            result
                .unwrap_err()
                .to_string()
                .contains("extract_limits.entries")
        );
        let (_top, result) = unpack(&[F("a", "12345"), F("b", "67890")], limits(9, 9));
        assert!(
            result
                .unwrap_err()
                .to_string()
                .contains("extract_limits.bytes")
        );
        let (_top, result) = unpack(&[F("a", "12345"), F("b", "67890")], limits(2, 10));
        assert_eq!(
            result.unwrap(),
            Extracted {
                entries: 2,
                bytes: 10
            }
        );
    }

    #[test]
    fn what_is_no_archive_is_an_error() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("a.zip");
        for content in [&b""[..], b"PK", b"not a zip archive at all"] {
            std::fs::write(&path, content).unwrap();
            let result = extract(
                &path,
                top.path(),
                ExtractLimits::default(),
                &Stop::default(),
            );
            assert!(matches!(result, Err(ExtractError::Archive { .. })));
        }
    }
}
