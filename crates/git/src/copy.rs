//! Copying files: by reflink where the file system shares blocks, else byte by byte.

use std::fs::{File, FileTimes, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

/// Copies everything in directory `from` into directory `to`, which is made if needed.
///
/// Modes and times of files and directories are kept. Symbolic links stay links and are never
/// followed. Sockets, pipes and devices are counted and left out.
///
/// # Errors
///
/// At the first file that cannot be read or written, with its name.
pub fn copy_tree(from: &Path, to: &Path) -> Result<Copied, CopyError> {
    refuse_into_itself(from, to)?;
    let mut names = Vec::new();
    let mut directories = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(directory) = pending.pop() {
        let source = from.join(&directory);
        let read = |error| CopyError::read(&source, error);
        for entry in std::fs::read_dir(&source).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = directory.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => pending.push(name),
                Ok(_) => names.push(name),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(CopyError::read(&entry.path(), error)),
            }
        }
        let target = to.join(&directory);
        std::fs::create_dir_all(&target).map_err(|error| CopyError::write(&target, error))?;
        directories.push(directory);
    }
    let mut copied = copy_files(from, to, &names)?;
    copied.directories = directories.len() - 1;
    // Deepest first and after the files: a directory may be read-only, and writing into one
    // changes its time.
    for directory in directories.iter().rev() {
        let (source, target) = (from.join(directory), to.join(directory));
        let metadata = match std::fs::symlink_metadata(&source) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata.map_err(|error| CopyError::read(&source, error))?,
        };
        File::open(&target)
            .and_then(|directory| keep_metadata(&directory, &metadata))
            .map_err(|error| CopyError::write(&target, error))?;
    }
    Ok(copied)
}

fn refuse_into_itself(from: &Path, to: &Path) -> Result<(), CopyError> {
    let from = from
        .canonicalize()
        .map_err(|error| CopyError::read(from, error))?;
    let absolute = std::path::absolute(to).map_err(|error| CopyError::write(to, error))?;
    // The target need not exist yet; its nearest existing parent says where it will be.
    let real = absolute.ancestors().find_map(|parent| {
        let rest = absolute.strip_prefix(parent).ok()?;
        Some(parent.canonicalize().ok()?.join(rest))
    });
    match real {
        Some(to) if to.starts_with(&from) => Err(CopyError::IntoItself { from, to }),
        _ => Ok(()),
    }
}

/// Copies the named files, links among them; their directories exist already in `to`.
pub(crate) fn copy_files(from: &Path, to: &Path, names: &[PathBuf]) -> Result<Copied, CopyError> {
    let copier = Copier {
        from,
        to,
        names,
        next: AtomicUsize::new(0),
        reflink: AtomicBool::new(true),
        failure: Mutex::new(None),
    };
    // Asked for only when needed: on Linux the answer takes several file reads.
    let threads = match names.len() / FILES_PER_THREAD {
        0 | 1 => 1,
        wanted => {
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            wanted.min(THREADS).min(processors * 2)
        }
    };
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads)
            .map(|_| scope.spawn(|| copier.work()))
            .collect();
        tally.add(copier.work());
        for helper in helpers {
            // A panic of a helper is ours.
            tally.add(
                helper
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
    });
    match copier
        .failure
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        Some(failure) => Err(failure),
        None => Ok(tally.into_copied()),
    }
}

/// One copy, shared by its threads.
struct Copier<'a> {
    from: &'a Path,
    to: &'a Path,
    names: &'a [PathBuf],
    next: AtomicUsize,
    /// Cleared at the first refusal, so that not every file tries in vain.
    reflink: AtomicBool,
    failure: Mutex<Option<CopyError>>,
}

/// What became of one file.
enum Outcome {
    Reflinked,
    Copied,
    Linked,
    Special,
    Vanished,
}

impl Copier<'_> {
    fn work(&self) -> Tally {
        let mut tally = Tally::default();
        while let Some(name) = self.names.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            match self.copy(&self.from.join(name), &self.to.join(name)) {
                Ok(outcome) => tally.count(&outcome),
                Err(error) => {
                    self.next.store(self.names.len(), Ordering::Relaxed);
                    if let Ok(mut failure) = self.failure.lock() {
                        failure.get_or_insert(error);
                    }
                }
            }
        }
        tally
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<Outcome, CopyError> {
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
        match self.contents(from, to, &metadata) {
            Err(CopyError::Read { source, .. }) if is_gone(&source) => Ok(Outcome::Vanished),
            outcome => outcome,
        }
    }

    fn contents(&self, from: &Path, to: &Path, metadata: &Metadata) -> Result<Outcome, CopyError> {
        let write = |error| CopyError::write(to, error);
        if self.reflink.load(Ordering::Relaxed) {
            if reflink_copy::reflink(from, to).is_ok() {
                let target = File::open(to).map_err(write)?;
                keep_metadata(&target, metadata).map_err(write)?;
                return Ok(Outcome::Reflinked);
            }
            self.reflink.store(false, Ordering::Relaxed);
        }
        let mut source = File::open(from).map_err(|error| CopyError::read(from, error))?;
        let mut target = File::create(to).map_err(write)?;
        std::io::copy(&mut source, &mut target).map_err(|error| match error.kind() {
            // A directory that took the file's place, or a disk that cannot be read.
            ErrorKind::IsADirectory => CopyError::read(from, error),
            _ => CopyError::write(to, error),
        })?;
        keep_metadata(&target, metadata).map_err(write)?;
        Ok(Outcome::Copied)
    }
}

/// The file, or a directory above it, is not there any more.
fn is_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn keep_metadata(target: &File, metadata: &Metadata) -> std::io::Result<()> {
    if let Ok(modified) = metadata.modified() {
        target.set_times(FileTimes::new().set_modified(modified))?;
    }
    // Without set-user-id and its like: a copy belongs to whoever runs the job.
    let mode = metadata.permissions().mode() & 0o777;
    target.set_permissions(Permissions::from_mode(mode))
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
