//! A copy of everything while it is in use, and making a store of such a copy.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use shipway_pipeline::PipelineId;

use crate::check::{CheckDepth, CheckError, Fault};
use crate::disk::{make_directory, sync};
use crate::error::StoreError;
use crate::store::{Durability, Options, Store};

/// The database's file in a backup, and where a store has it that was not told otherwise.
const DATABASE: &str = "shipway.db";
/// The directories beside it.
const LOGS: &str = "logs";
const ARTIFACTS: &str = "artifacts";

/// A backup could not be made or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is something already where it should go.
    #[error("`{}` is there already; choose a new directory", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// It is no backup.
    #[error("`{}` is no backup: it has no `{DATABASE}`", path.display())]
    NoBackup {
        /// The directory.
        path: PathBuf,
    },
    /// The database in it is not sound.
    #[error("the database of the backup `{}` is damaged: {}; take another backup", path.display(), faults.join("; "))]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What is wrong.
        faults: Vec<String>,
    },
    /// A file cannot be copied.
    #[error("cannot copy to `{}`; is there room, and is it writable?", path.display())]
    File {
        /// The copy.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database cannot be copied.
    #[error("cannot copy the database")]
    Store(#[from] StoreError),
    /// The copy cannot be checked.
    #[error("cannot check the copy")]
    Check(#[from] CheckError),
}

/// What a backup has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    /// The database; not one of PostgreSQL, which `pg_dump` has to copy before.
    pub database: bool,
    /// How many logs.
    pub logs: usize,
    /// How many files of artifacts; none when they are in a bucket.
    pub artifacts: Option<usize>,
    /// Bytes of all files but the database.
    pub bytes: u64,
    /// What was wrong with the store already, and is so in the copy.
    pub faults: Vec<Fault>,
}

impl Store {
    /// Writes a copy of the database, as it is at this instant, to the new file `to`. Only of
    /// a database file: one of PostgreSQL is copied with PostgreSQL's own `pg_dump`.
    ///
    /// # Errors
    /// [`StoreError::NoFile`] for PostgreSQL; otherwise when the copy cannot be written, or
    /// `to` exists already.
    pub async fn copy_database(&self, to: &Path) -> Result<(), StoreError> {
        let readers = self.file()?;
        let to = to.to_string_lossy();
        // In one read transaction: writers go on meanwhile.
        let done = sqlx::query("VACUUM INTO $1")
            .bind(to.as_ref())
            .execute(readers)
            .await;
        done.map(drop).map_err(|error| self.fault(error))
    }

    /// Copies database, logs and artifacts, while they are in use, to the new directory `to`,
    /// which appears when it is complete. It is as the database was at one instant: logs may be
    /// longer than that, and what was removed meanwhile is removed from the copy. The file of
    /// keys ([`SecretKeys`](crate::SecretKeys)) is not in it.
    ///
    /// # Errors
    /// [`BackupError`]; there is no directory `to` then.
    pub async fn backup(&self, to: &Path) -> Result<Backup, BackupError> {
        if to.symlink_metadata().is_ok() {
            let path = to.to_owned();
            return Err(BackupError::Exists { path });
        }
        let mut name = std::ffi::OsString::from(".partial-");
        name.push(to.file_name().unwrap_or_default());
        let partial = to.with_file_name(name);
        remove(&partial)?;
        let done = self.copy_all(&partial).await;
        if done.is_err() {
            remove(&partial).ok();
            return done;
        }
        let named = sync(&partial, Durability::Machine)
            .and_then(|()| std::fs::rename(&partial, to))
            .and_then(|()| sync(parent(to), Durability::Machine));
        named.map_err(fault(to))?;
        done
    }

    async fn copy_all(&self, to: &Path) -> Result<Backup, BackupError> {
        make_directory(to, Durability::Machine).map_err(fault(to))?;
        // First the rows: files are written before them.
        let database = to.join(DATABASE);
        let mut backup = Backup::default();
        match self.copy_database(&database).await {
            Ok(()) => backup.database = true,
            Err(StoreError::NoFile { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let (from, into) = (self.logs().directory().to_owned(), to.join(LOGS));
        let logs = copy_tree(from, into, |name| name.ends_with(".log")).await?;
        (backup.logs, backup.bytes) = logs;
        if let Some(folder) = self.blobs().folder() {
            let is_whole = |name: &str| !name.starts_with(crate::blobs::PARTIAL_PREFIX);
            let copied = copy_tree(folder.to_owned(), to.join(ARTIFACTS), is_whole).await?;
            backup.artifacts = Some(copied.0);
            backup.bytes += copied.1;
        }
        if backup.database {
            let mut options = Options {
                durability: Durability::Machine,
                keys: self.keys().clone(),
                ..Options::default()
            };
            if self.blobs().folder().is_none() {
                options.objects = self.objects().clone();
            }
            let copy = Self::open_with(to, options).await?;
            backup.faults = self.forget_removed(&copy).await?;
            copy.close().await;
            sync(&database, Durability::Machine).map_err(fault(&database))?;
        }
        Ok(backup)
    }

    /// Removes from the copy what was removed here while its files were copied. Returns what is
    /// wrong here too.
    async fn forget_removed(&self, copy: &Self) -> Result<Vec<Fault>, BackupError> {
        let mut left = Vec::new();
        for fault in copy.check(CheckDepth::Sizes).await? {
            let mut transaction = copy.begin().await?;
            match &fault {
                Fault::Artifact { id, .. } if !self.has_artifact(*id).await? => {
                    transaction.delete_artifact(*id).await?;
                }
                Fault::Package { id, .. } if !self.has_package_file(*id).await? => {
                    transaction.delete_package_file(*id).await?;
                }
                Fault::Log { pipeline, .. } if self.pipeline(*pipeline).await?.is_none() => {
                    forget_pipeline(&mut transaction, *pipeline).await?;
                }
                _ => {
                    left.push(fault);
                    continue;
                }
            }
            transaction.commit().await?;
        }
        Ok(left)
    }

    /// Makes the data directory `into` of a backup: what [`Store::backup`] made, or a directory
    /// with a database, logs and artifacts like it. Of PostgreSQL only the files are restored.
    ///
    /// # Errors
    /// [`BackupError::Exists`] when `into` has data already, [`BackupError::Damaged`];
    /// `into` has no data then, but where moving them failed half way.
    pub async fn restore(from: &Path, into: &Path) -> Result<(), BackupError> {
        for name in [DATABASE, LOGS, ARTIFACTS] {
            let path = into.join(name);
            if path.symlink_metadata().is_ok() {
                return Err(BackupError::Exists { path });
            }
        }
        if ![DATABASE, LOGS].iter().any(|name| from.join(name).exists()) {
            let path = from.to_owned();
            return Err(BackupError::NoBackup { path });
        }
        make_directory(into, Durability::Machine).map_err(fault(into))?;
        let partial = into.join(".restoring");
        remove(&partial)?;
        make_directory(&partial, Durability::Machine).map_err(fault(&partial))?;
        for name in [LOGS, ARTIFACTS] {
            copy_tree(from.join(name), partial.join(name), |_| true).await?;
        }
        let database = from.join(DATABASE);
        if database.exists() {
            let to = partial.join(DATABASE);
            std::fs::copy(&database, &to)
                .and_then(|_| sync(&to, Durability::Machine))
                .map_err(fault(&to))?;
            let faults = crate::check::file_faults(&to).await?;
            if !faults.is_empty() {
                remove(&partial)?;
                let path = from.to_owned();
                return Err(BackupError::Damaged { path, faults });
            }
        }
        // The rows come last, when everything that they name is there.
        for name in [LOGS, ARTIFACTS, DATABASE] {
            let (part, whole) = (partial.join(name), into.join(name));
            match std::fs::rename(&part, &whole) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(fault(&whole)(error));
                }
                _ => {}
            }
        }
        remove(&partial)?;
        sync(into, Durability::Machine).map_err(fault(into))
    }
}

async fn forget_pipeline(
    transaction: &mut crate::Transaction,
    pipeline: PipelineId,
) -> Result<(), StoreError> {
    match transaction.delete_pipeline(pipeline).await {
        // With another of its logs.
        Err(StoreError::NotFound { .. }) => Ok(()),
        done => done,
    }
}

fn fault(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(fault(path)(error)),
        _ => Ok(()),
    }
}

/// Copies the plain files below a directory that are `wanted` by their name; what vanishes
/// meanwhile is left out. Returns how many, and their bytes.
async fn copy_tree(
    from: PathBuf,
    to: PathBuf,
    wanted: fn(&str) -> bool,
) -> Result<(usize, u64), BackupError> {
    let path = to.clone();
    let copied = tokio::task::spawn_blocking(move || copy_below(&from, &to, wanted)).await;
    copied.unwrap_or_else(|error| Err(fault(&path)(std::io::Error::other(error))))
}

fn copy_below(
    from: &Path,
    to: &Path,
    wanted: fn(&str) -> bool,
) -> Result<(usize, u64), BackupError> {
    let (mut files, mut bytes) = (0, 0);
    let mut pending = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = pending.pop() {
        let listing = match std::fs::read_dir(&from) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            listing => listing.map_err(fault(&from))?,
        };
        make_directory(&to, Durability::Machine).map_err(fault(&to))?;
        for entry in listing {
            let entry = entry.map_err(fault(&from))?;
            let (path, copy) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type().map_err(fault(&path))?;
            if kind.is_dir() {
                pending.push((path, copy));
            } else if kind.is_file() && wanted(&entry.file_name().to_string_lossy()) {
                match std::fs::copy(&path, &copy) {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    copied => bytes += copied.map_err(fault(&copy))?,
                }
                sync(&copy, Durability::Machine).map_err(fault(&copy))?;
                files += 1;
            }
        }
        sync(&to, Durability::Machine).map_err(fault(&to))?;
    }
    Ok((files, bytes))
}
