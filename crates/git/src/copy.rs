//! Copying files: by reflink where the file system shares blocks, else byte by byte.

use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

/// Threads that copy at the same time; more gain nothing on one disk.
const THREADS: usize = 8;
/// Below this many files per thread starting it costs more than it saves.
const FILES_PER_THREAD: usize = 64;

/// How the contents of files came across.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CopyMethod {
    /// The file system shares the blocks until one side is written.
    Reflink,
    /// Byte by byte; also when there was nothing to copy.
    #[default]
    Copy,
    /// Some files one way, some the other.
    Mixed,
}

impl std::fmt::Display for CopyMethod {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Reflink => "reflink",
            Self::Copy => "copy",
            Self::Mixed => "reflink and copy",
        })
    }
}

/// What a copy held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Regular files.
    pub files: usize,
    /// Symbolic links.
    pub links: usize,
    /// Directories below the top.
    pub directories: usize,
    /// Sockets, pipes and devices, which are left out.
    pub special_skipped: usize,
    /// Files that were gone when their turn came.
    pub vanished: usize,
    /// How the contents came across.
    pub method: CopyMethod,
}

/// Why a copy stopped. The half-made copy stays for the caller to remove.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A source file or directory cannot be read.
    #[error("cannot read `{}`; make it readable, or remove it or have git ignore it if the job does not need it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The target cannot be written.
    #[error("cannot write `{}`; is its directory writable?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The target's disk has no room.
    #[error("the disk of `{}` is full; free some space (`shipway clean` removes old pipelines) or choose another `--state-dir`", path.display())]
    DiskFull {
        /// The file that did not fit.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The target lies inside the source.
    #[error("cannot copy directory `{}` into itself, to `{}`; choose a target outside of it", from.display(), to.display())]
    IntoItself {
        /// The source.
        from: PathBuf,
        /// The target.
        to: PathBuf,
    },
}

impl CopyError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path, source },
            _ => Self::Write { path, source },
        }
    }
}

/// Copies the named files, links among them; their directories exist already in `to`.
pub(crate) fn copy_files(from: &Path, to: &Path, names: &[PathBuf]) -> Result<Copied, CopyError> {
    let reflink = Reflink::default();
    in_parallel(names.len(), |index| {
        copy_file(&from.join(&names[index]), &to.join(&names[index]), &reflink)
    })
}

/// Does `copy` for every index below `count`, with several threads where there are many, and
/// adds up what came of it. Ends at the first failure.
pub(crate) fn in_parallel(
    count: usize,
    copy: impl Fn(usize) -> Result<Outcome, CopyError> + Sync,
) -> Result<Copied, CopyError> {
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        let mut tally = Tally::default();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return tally;
            }
            match copy(index) {
                Ok(outcome) => tally.count(&outcome),
                Err(error) => {
                    next.store(count, Ordering::Relaxed);
                    if let Ok(mut failure) = failure.lock() {
                        failure.get_or_insert(error);
                    }
                }
            }
        }
    };
    // Asked for only when needed: on Linux the answer takes several file reads.
    let threads = match count / FILES_PER_THREAD {
        0 | 1 => 1,
        wanted => {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            wanted.min(THREADS).min(processors * 2)
        }
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        tally.add(work());
        for helper in helpers {
            // A panic of a helper is ours.
            tally.add(
                helper
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
    });
    match failure
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        Some(failure) => Err(failure),
        None => Ok(tally.into_copied()),
    }
}

/// Whether the file system was seen to refuse reflinks, so that not every file tries in vain.
#[derive(Debug, Default)]
pub(crate) struct Reflink {
    refused: AtomicBool,
}

/// What became of one file.
pub(crate) enum Outcome {
    Reflinked,
    Copied,
    Linked,
    Special,
    Vanished,
}

/// Copies one file or link.
pub(crate) fn copy_file(from: &Path, to: &Path, reflink: &Reflink) -> Result<Outcome, CopyError> {
    let metadata = match std::fs::symlink_metadata(from) {
        Err(error) if is_gone(&error) => return Ok(Outcome::Vanished),
        metadata => metadata.map_err(|error| CopyError::read(from, error))?,
    };
    if metadata.is_symlink() {
        let target = std::fs::read_link(from).map_err(|error| CopyError::read(from, error))?;
        symlink(target, to).map_err(|error| CopyError::write(to, error))?;
        return Ok(Outcome::Linked);
    }
    if metadata.is_dir() {
        // It was a file when it was listed.
        return Ok(Outcome::Vanished);
    }
    if !metadata.is_file() {
        return Ok(Outcome::Special);
    }
    match copy_contents(from, to, &metadata, reflink) {
        Err(CopyError::Read { source, .. }) if is_gone(&source) => Ok(Outcome::Vanished),
        outcome => outcome,
    }
}

fn copy_contents(
    from: &Path,
    to: &Path,
    metadata: &Metadata,
    reflink: &Reflink,
) -> Result<Outcome, CopyError> {
    let write = |error| CopyError::write(to, error);
    let kept = Kept::of(metadata);
    if !reflink.refused.load(Ordering::Relaxed) {
        if reflink_copy::reflink(from, to).is_ok() {
            let target = File::open(to).map_err(write)?;
            kept.apply(&target).map_err(write)?;
            return Ok(Outcome::Reflinked);
        }
        reflink.refused.store(true, Ordering::Relaxed);
    }
    let mut source = File::open(from).map_err(|error| CopyError::read(from, error))?;
    let mut target = kept.create(to).map_err(write)?;
    std::io::copy(&mut source, &mut target).map_err(|error| match error.kind() {
        // A directory that took the file's place, or a disk that cannot be read.
        ErrorKind::IsADirectory => CopyError::read(from, error),
        _ => CopyError::write(to, error),
    })?;
    kept.apply(&target).map_err(write)?;
    Ok(Outcome::Copied)
}

/// The file, or a directory above it, is not there any more.
pub(crate) fn is_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// What a copy keeps of a file or directory besides its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// Without set-user-id and its like: a copy belongs to whoever runs the job.
    mode: u32,
    modified: Option<SystemTime>,
}

impl Kept {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.permissions().mode() & 0o777,
            modified: metadata.modified().ok(),
        }
    }

    /// Makes the file, open for writing, with its mode as far as the umask lets it.
    pub(crate) fn create(self, path: &Path) -> std::io::Result<File> {
        File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(self.mode)
            .open(path)
    }

    /// Whether this is the time of a copy.
    pub(crate) fn is_time_of(self, metadata: &Metadata) -> bool {
        self.modified.is_none() || self.modified == metadata.modified().ok()
    }

    /// Gives a finished copy its time and mode.
    pub(crate) fn apply(self, target: &File) -> std::io::Result<()> {
        if let Some(modified) = self.modified {
            target.set_times(FileTimes::new().set_modified(modified))?;
        }
        // Asking costs less than setting what is so already.
        if target.metadata()?.permissions().mode() & 0o7777 == self.mode {
            return Ok(());
        }
        target.set_permissions(Permissions::from_mode(self.mode))
    }
}

#[derive(Default)]
struct Tally {
    copied: Copied,
    reflinked: usize,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Reflinked => {
                self.copied.files += 1;
                self.reflinked += 1;
            }
            Outcome::Copied => self.copied.files += 1,
            Outcome::Linked => self.copied.links += 1,
            Outcome::Special => self.copied.special_skipped += 1,
            Outcome::Vanished => self.copied.vanished += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.copied.files += other.copied.files;
        self.copied.links += other.copied.links;
        self.copied.special_skipped += other.copied.special_skipped;
        self.copied.vanished += other.copied.vanished;
        self.reflinked += other.reflinked;
    }

    fn into_copied(self) -> Copied {
        let method = match self.reflinked {
            0 => CopyMethod::Copy,
            all if all == self.copied.files => CopyMethod::Reflink,
            _ => CopyMethod::Mixed,
        };
        Copied {
            method,
            ..self.copied
        }
    }
}
