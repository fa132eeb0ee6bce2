//! Caches on this machine: one zip archive per project and key.
//!
//! An archive is written beside the old one and renamed over it, so a job that is killed
//! while it saves, or two that save at once, leave a whole archive. No trouble with a cache
//! fails a job, and none is silent.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use shipway_protocol::CacheSpec;
use tempfile::NamedTempFile;

use crate::archive::{self, WriteError};
use crate::artifacts::compression_level;
use crate::control::Request;
use crate::directory::project_path;
use crate::disk::note_use;
use crate::failure::Failure;
use crate::files::{self, Stop, Wanted};
use crate::job::Job;
use crate::transfer::Transfer;

/// The name of every archive.
pub(crate) const ARCHIVE: &str = "cache.zip";
/// The name of the file beside an archive that says which object of a bucket it is.
pub(crate) const VERSION: &str = "cache.version";
/// How the comment of every archive begins.
pub(crate) const COMMENT: &str = "shipway-cache-1 ";
/// Its permissions.
pub(crate) const ARCHIVE_MODE: u32 = 0o640;
/// Ending of archives that are being written.
pub(crate) const UNFINISHED: &str = ".part";
/// An unfinished archive this old belongs to a process that died.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What a cache's policy lets a job do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Policy {
    pull: bool,
    push: bool,
}

impl Job<'_> {
    /// Stage `restore_cache`.
    pub(crate) async fn restore_caches(&mut self) -> Result<(), Failure> {
        let payload = self.payload;
        let specs = payload.cache.iter().filter(|spec| has_files(spec));
        let transfers = specs.map(Transfer::Restore).collect();
        self.transfer_all("restore_cache", "Restoring cache", transfers)
            .await
    }

    pub(crate) async fn restore_cache(&mut self, spec: &CacheSpec) -> Result<(), Failure> {
        let Some(key) = self.cache_key(&spec.key).await else {
            self.log
                .line("Skipping cache extraction due to empty cache key")
                .await;
            return Ok(());
        };
        if !self.cache_policy(spec).await?.pull {
            self.log
                .line(&format!("Not downloading cache {key} due to policy"))
                .await;
            return Ok(());
        }
        let mut keys = vec![key];
        for fallback in &spec.fallback_keys {
            if !fallback.is_empty() {
                keys.extend(self.cache_key(fallback).await);
            }
        }
        let fallback = self.variables.get("CACHE_FALLBACK_KEY");
        if fallback
            .trim_end_matches(['.', ' '])
            .ends_with("-protected")
        {
            self.log
                .warning(&format!(
                    "CACHE_FALLBACK_KEY \"{fallback}\" not allowed to end in \"-protected\""
                ))
                .await;
        } else if !fallback.is_empty() {
            keys.extend(self.cache_key(&fallback).await);
        }
        for key in keys {
            self.log.line(&format!("Checking cache for {key}...")).await;
            if self.extract_cache(&key).await? {
                self.log.line("Successfully extracted cache").await;
                return Ok(());
            }
            self.log.line("Failed to extract cache").await;
        }
        Ok(())
    }

    /// Whether there was such an archive and all of it was unpacked.
    async fn extract_cache(&mut self, key: &str) -> Result<bool, Failure> {
        let path = self.cache_directory(key)?.join(ARCHIVE);
        #[cfg(feature = "s3")]
        if !self.fetch_shared(key, &path).await? {
            return Ok(false);
        }
        if !path.exists() {
            self.log
                .line(&format!("No cache for {key} on this machine"))
                .await;
            return Ok(false);
        }
        let (directory, limits) = (
            self.directory()?.project.clone(),
            self.config.extract_limits,
        );
        let extracted = self
            .file_work(Request::Cancel, move |stop| {
                note_use(&path);
                archive::extract(&path, &directory, limits, stop)
            })
            .await?;
        if let Err(error) = &extracted {
            self.log.warning(&error.to_string()).await;
        }
        Ok(extracted.is_ok())
    }

    /// Stage `archive_cache` or `archive_cache_on_failure`.
    pub(crate) async fn save_caches(&mut self, success: bool) -> Result<(), Failure> {
        // It may be back since the caches were restored.
        #[cfg(feature = "s3")]
        {
            self.bucket_is_away = false;
        }
        let payload = self.payload;
        let specs = payload
            .cache
            .iter()
            .filter(|spec| has_files(spec) && spec.when.applies(success));
        let (name, heading) = match success {
            true => ("archive_cache", "Saving cache for successful job"),
            false => ("archive_cache_on_failure", "Saving cache for failed job"),
        };
        let transfers = specs.map(Transfer::Save).collect();
        self.transfer_all(name, heading, transfers).await
    }

    pub(crate) async fn save_cache(&mut self, spec: &CacheSpec) -> Result<(), Failure> {
        let Some(key) = self.cache_key(&spec.key).await else {
            self.log
                .line("Skipping cache archiving due to empty cache key")
                .await;
            return Ok(());
        };
        if !self.cache_policy(spec).await?.push {
            self.log
                .line(&format!("Not uploading cache {key} due to policy"))
                .await;
            return Ok(());
        }
        self.log.line(&format!("Creating cache {key}...")).await;
        let root = self.directory()?.project.clone();
        let wanted = Wanted {
            paths: spec
                .paths
                .iter()
                .map(|path| self.variables.expand(path))
                .collect(),
            exclude: Vec::new(),
            untracked: spec.untracked,
            what: "cache",
            project: self.paths.project.clone(),
        };
        let selection = {
            let root = root.clone();
            self.file_work(Request::Abort, move |stop| {
                files::select(&root, &wanted, stop)
            })
            .await?
        };
        self.say(&selection.notes).await;
        if selection.paths.is_empty() {
            self.log.line("No files to cache").await;
            return Ok(());
        }
        let directory = self.cache_directory(&key)?;
        #[cfg(feature = "s3")]
        let archive = directory.join(ARCHIVE);
        let level = compression_level(&self.variables.get("CACHE_COMPRESSION_LEVEL"), 1);
        let saved = self
            .file_work(Request::Abort, move |stop| {
                save(&root, &selection.paths, &directory, level, stop)
            })
            .await?;
        #[cfg(feature = "s3")]
        if let Ok(saved) = &saved {
            self.send_shared(&key, &archive, *saved == Saved::Written)
                .await?;
        }
        match saved {
            Ok(Saved::Written) => self.log.line("Created cache").await,
            Ok(Saved::Unchanged) => {
                self.log.line("Archive is up to date!").await;
                self.log.line("Created cache").await;
            }
            Err(error) => {
                self.log.warning(&error.to_string()).await;
                self.log.line("Failed to create cache").await;
            }
        }
        Ok(())
    }

    /// The key as a relative path; `None` when nothing is left of it.
    async fn cache_key(&mut self, key: &str) -> Option<String> {
        let expanded = self.variables.expand(key);
        let raw = match expanded.as_str() {
            "" => format!(
                "{}/{}",
                self.payload.job_info.name,
                self.variables.get("CI_COMMIT_REF_NAME")
            ),
            _ => expanded,
        };
        let clean = sanitize(&raw);
        if clean != raw {
            self.log
                .warning(&format!("cache key \"{raw}\" sanitized to \"{clean}\""))
                .await;
        }
        (!clean.is_empty()).then_some(clean)
    }

    async fn cache_policy(&mut self, spec: &CacheSpec) -> Result<Policy, Failure> {
        let name = self.variables.expand(&spec.policy);
        if let Some(policy) = policy(&name) {
            return Ok(policy);
        }
        self.log
            .error(&format!(
                "unknown cache policy {name}; it is pull-push, pull or push"
            ))
            .await;
        Err(Failure::Helper)
    }

    fn cache_directory(&self, key: &str) -> Result<PathBuf, Failure> {
        let project = project_path(&self.payload.job_info.project_full_path)
            .map_err(|error| Failure::system(&error))?;
        Ok(self.config.cache_dir.join(project).join(key))
    }
}

fn has_files(spec: &CacheSpec) -> bool {
    spec.untracked || !spec.paths.is_empty()
}

fn policy(name: &str) -> Option<Policy> {
    let (pull, push) = match name {
        "" | "pull-push" => (true, true),
        "pull" => (true, false),
        "push" => (false, true),
        _ => return None,
    };
    Some(Policy { pull, push })
}

/// A key as a path below a root it cannot leave.
fn sanitize(key: &str) -> String {
    let mut decoded = key.replace('\\', "/");
    for (code, character) in [("%2f", "/"), ("%2F", "/"), ("%2e", "."), ("%2E", ".")] {
        decoded = decoded.replace(code, character);
    }
    let mut names: Vec<&str> = Vec::new();
    for name in decoded.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    while let Some(last) = names.pop() {
        let trimmed = last.trim_end();
        if !trimmed.is_empty() {
            names.push(trimmed);
            break;
        }
    }
    names.join("/").replace('\0', "")
}

/// What saving came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saved {
    Written,
    /// The archive holds these files already.
    Unchanged,
}

/// Why a cache was not saved.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error("cannot write to {}: {source}", path.display())]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Archive(#[from] WriteError),
}

fn save(
    root: &Path,
    paths: &[PathBuf],
    directory: &Path,
    level: i64,
    stop: &Stop,
) -> Result<Saved, SaveError> {
    let failed = |source| SaveError::Directory {
        path: directory.to_owned(),
        source,
    };
    let archive = directory.join(ARCHIVE);
    let state = fingerprint(root, paths);
    if archive::read_comment(&archive).as_deref() == Some(state.as_bytes()) {
        note_use(&archive);
        return Ok(Saved::Unchanged);
    }
    std::fs::create_dir_all(directory).map_err(failed)?;
    remove_abandoned(directory);
    let file: NamedTempFile = tempfile::Builder::new()
        .suffix(UNFINISHED)
        .tempfile_in(directory)
        .map_err(failed)?;
    archive::write_zip(root, paths, file.as_file(), level, &state, stop)?;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(ARCHIVE_MODE))
        .map_err(failed)?;
    // It is no object of a bucket any more, and must not look like one.
    let _ = std::fs::remove_file(directory.join(VERSION));
    file.persist(&archive)
        .map_err(|error| failed(error.error))?;
    Ok(Saved::Written)
}

/// Removes what killed processes left. That of living ones is younger.
fn remove_abandoned(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let unfinished = entry.file_name().to_string_lossy().ends_with(UNFINISHED);
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|modified| SystemTime::now().duration_since(modified).ok());
        if unfinished && age.is_some_and(|age| age > ABANDONED_AFTER) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Changes when a file of the set comes, goes, or gets another size, time, mode or target.
fn fingerprint(root: &Path, paths: &[PathBuf]) -> String {
    use std::os::unix::ffi::OsStrExt;
    // FNV-1a with 128 bits: it must only be the same from one version to the next.
    let mut hash = Fnv(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
    for path in paths {
        let full = root.join(path);
        let Ok(metadata) = std::fs::symlink_metadata(&full) else {
            continue;
        };
        hash.write(path.as_os_str().as_bytes());
        hash.write(&[0]);
        hash.write(&metadata.mode().to_le_bytes());
        if metadata.is_symlink() {
            let target = std::fs::read_link(&full).unwrap_or_default();
            hash.write(target.as_os_str().as_bytes());
        } else if metadata.is_file() {
            hash.write(&metadata.len().to_le_bytes());
            hash.write(&metadata.mtime().to_le_bytes());
        }
    }
    format!("{COMMENT}{:032x}", hash.0)
}

struct Fnv(u128);

impl Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013B);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_below_the_project() {
        for (key, expected) in [
            ("default", "default"),
            ("a/b", "a/b"),
            ("a/../../b", "b"),
            ("../../etc", "etc"),
            ("a\\b", "a/b"),
            ("a%2Fb%2e", "a/b."),
            ("%2e%2e/x", "x"),
            ("..", ""),
            ("key  ", "key"),
            ("a/ ", "a"),
            ("/abs", "abs"),
            ("a b/c", "a b/c"),
        ] {
            assert_eq!(sanitize(key), expected, "{key:?}");
        }
    }

    #[test]
    fn policies_are_known_by_name() {
        for (name, pull, push) in [
            ("", true, true),
            ("pull-push", true, true),
            ("pull", true, false),
            ("push", false, true),
        ] {
            assert_eq!(policy(name), Some(Policy { pull, push }));
        }
        assert_eq!(policy("Pull"), None);
    }

    #[test]
    fn a_save_that_fails_keeps_the_old_archive() {
        let top = tempfile::tempdir().unwrap();
        let (root, cache) = (top.path().join("root"), top.path().join("cache"));
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("file"), "1").unwrap();
        let paths = ["file".into()];
        let written = save(&root, &paths, &cache, 1, &Stop::default());
        assert_eq!(written.unwrap(), Saved::Written);
        let old = std::fs::read(cache.join(ARCHIVE)).unwrap();
        assert_eq!(
            save(&root, &paths, &cache, 1, &Stop::default()).unwrap(),
            Saved::Unchanged
        );
        std::fs::write(root.join("file"), "22").unwrap();
        let stop = Stop::default();
        stop.ask();
        assert!(save(&root, &paths, &cache, 1, &stop).is_err());
        assert_eq!(std::fs::read(cache.join(ARCHIVE)).unwrap(), old);
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 1);
        assert_eq!(
            save(&root, &paths, &cache, 1, &Stop::default()).unwrap(),
            Saved::Written
        );
    }
}
