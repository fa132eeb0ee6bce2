//! Where the project is: its root, its configuration and its state.

use std::path::{Component, Path, PathBuf};

use shipway_coordinator::slug;
use shipway_git::{Facts, Repository};

use crate::args::ProjectArgs;
use crate::error::Fault;

/// GitLab's default configuration file.
pub(crate) const DEFAULT_FILE: &str = ".gitlab-ci.yml";
/// The directory of logs, artifacts, caches and the database, in the project's root.
pub(crate) const STATE_DIR: &str = ".shipway";

/// A project on this machine.
#[derive(Debug)]
pub(crate) struct Project {
    /// The repository it is in.
    pub(crate) repository: Repository,
    /// Its root: the repository's top, or the directory of a project inside a bigger one.
    pub(crate) root: PathBuf,
    /// Path of the configuration from the root.
    pub(crate) file: PathBuf,
    /// Where its state is kept.
    pub(crate) state_dir: PathBuf,
}

impl Project {
    /// Finds the project that `args` speaks of.
    ///
    /// Its root is the nearest directory with the configuration, from the starting directory
    /// up to the repository's top; so an example inside a bigger repository is a project of
    /// its own, and a command works from any directory below.
    pub(crate) fn find(args: &ProjectArgs) -> Result<Self, Fault> {
        let repository = Repository::discover(&args.directory).map_err(Fault::usage)?;
        let start = args.directory.canonicalize().map_err(|cause| {
            Fault::usage_text(format!("cannot read {}: {cause}", args.directory.display()))
        })?;
        let file = args.file.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let top = repository.top();
        let root = if file.is_absolute() {
            top
        } else {
            (start.ancestors())
                .take_while(|directory| directory.starts_with(top))
                .find(|directory| directory.join(&file).is_file())
                .unwrap_or(top)
        };
        let root = root.to_owned();
        let file = match file.strip_prefix(&root) {
            Ok(inside) => inside.to_owned(),
            Err(_) => file,
        };
        let state_dir = args
            .state_dir
            .clone()
            .unwrap_or_else(|| root.join(STATE_DIR));
        let state_dir = resolved(&state_dir).map_err(|cause| {
            Fault::usage_text(format!("cannot use {}: {cause}", state_dir.display()))
        })?;
        Ok(Self {
            repository,
            root,
            file,
            state_dir,
        })
    }

    /// The facts of a ref, or of `HEAD`. A project inside a bigger repository has a path below
    /// that repository's, so that two of them do not share one.
    pub(crate) fn facts(&self, reference: Option<&str>) -> Result<Facts, Fault> {
        let mut facts = self.repository.facts(reference).map_err(Fault::usage)?;
        if let Ok(below) = self.root.strip_prefix(self.repository.top()) {
            for name in below.iter() {
                let name = slug(&name.to_string_lossy());
                facts.project.path = format!("{}/{name}", facts.project.path);
            }
        }
        Ok(facts)
    }

    /// The configuration's path for messages and for `CI_CONFIG_PATH`.
    pub(crate) fn file_name(&self) -> String {
        self.file.to_string_lossy().into_owned()
    }
}

/// The absolute path without `..` and links, of a directory that may not exist yet.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            let rest = absolute.strip_prefix(ancestor).unwrap_or(Path::new(""));
            // What does not exist has no links, so `..` is just one step back there.
            return Ok(rest.components().fold(real, |mut path, component| {
                match component {
                    Component::ParentDir => {
                        path.pop();
                    }
                    other => path.push(other),
                }
                path
            }));
        }
    }
    Ok(absolute)
}

/// Where jobs get their directories.
///
/// Not below the project: tools look for their configuration in the directories above the
/// one they run in (pytest, cargo, git, eslint), and would find the user's.
pub(crate) fn builds_dir(root: &Path, state_dir: &Path, own_state: bool) -> PathBuf {
    if own_state {
        return state_dir.join("builds");
    }
    use etcetera::BaseStrategy;
    let cache = match etcetera::choose_base_strategy() {
        Ok(strategy) => strategy.cache_dir(),
        Err(_) => std::env::temp_dir(),
    };
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let name: String = (name.chars())
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    cache
        .join("shipway")
        .join("builds")
        .join(format!("{name}-{:08x}", hash(root)))
}

/// FNV-1a: stable between versions of the program, which the standard hasher is not.
fn hash(path: &Path) -> u32 {
    use std::os::unix::ffi::OsStrExt;
    (path.as_os_str().as_bytes().iter()).fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
