//! Files a job made, found by globs and opened without trusting the job.
//!
//! Nothing outside the project directory is read: `..` and absolute paths are refused, and
//! symbolic links are taken as links, never followed, not even on the way to a file.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;

use crate::glob::{Glob, Segment};

/// Asks file work that runs on another thread to end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What globs found, and what is to be said about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Paths relative to the project directory, sorted, directories before what is in them.
    pub paths: Vec<PathBuf>,
    /// Lines for the log, in the order of the globs.
    pub notes: Vec<Note>,
}

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// How much was found.
    Info(String),
    /// What was not found, or refused.
    Warning(String),
}

/// What to look for, every text expanded already.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Globs.
    pub paths: Vec<String>,
    /// Globs taken out again.
    pub exclude: Vec<String>,
    /// Adds what git does not track.
    pub untracked: bool,
    /// `artifact` or `cache`, for messages.
    pub what: &'static str,
    /// The project directory as the job sees it: absolute globs below it are fine.
    pub project: String,
}

/// Finds files below the project directory `root`.
pub(crate) fn select(root: &Path, wanted: &Wanted, stop: &Stop) -> Selection {
    let mut notes = Vec::new();
    let mut exclude = Vec::new();
    for pattern in &wanted.exclude {
        match inside(pattern, &wanted.project).map(|pattern| Glob::parse(&pattern)) {
            Some(Ok(glob)) => exclude.push(glob),
            Some(Err(error)) => notes.push(Note::Warning(error.to_string())),
            None => {}
        }
    }
    let mut walk = Walk {
        root,
        exclude: &exclude,
        stop,
        found: BTreeSet::new(),
        links: BTreeSet::new(),
    };
    for pattern in &wanted.paths {
        let before = walk.found.len();
        let Some(relative) = inside(pattern, &wanted.project) else {
            notes.push(Note::Warning(format!(
                "{pattern}: {} path is not a subpath of project directory: {}",
                wanted.what, wanted.project
            )));
            continue;
        };
        let glob = match Glob::parse(&relative) {
            Ok(glob) => glob,
            Err(error) => {
                notes.push(Note::Warning(error.to_string()));
                continue;
            }
        };
        for segments in &glob.alternatives {
            walk.glob(Path::new(""), segments);
        }
        for link in std::mem::take(&mut walk.links) {
            notes.push(Note::Warning(format!(
                "{pattern}: {} is a symbolic link; what is behind it is not read",
                link.display()
            )));
        }
        notes.push(match walk.found.len() - before {
            0 => Note::Warning(format!(
                "{pattern}: no matching files. Ensure that the {} path is relative to the working directory ({})",
                wanted.what, wanted.project
            )),
            count => Note::Info(format!(
                "{pattern}: found {count} matching {} files and directories",
                wanted.what
            )),
        });
    }
    if wanted.untracked {
        let before = walk.found.len();
        match untracked_files(root) {
            Ok(paths) => {
                for path in paths {
                    walk.add_checked(&path);
                }
                notes.push(Note::Info(format!(
                    "untracked: found {} files",
                    walk.found.len() - before
                )));
            }
            Err(reason) => notes.push(Note::Warning(format!("untracked: {reason}"))),
        }
    }
    Selection {
        paths: walk.found.into_iter().collect(),
        notes,
    }
}

/// A glob relative to the project directory, or `None` when it leads out of it.
fn inside(pattern: &str, project: &str) -> Option<String> {
    let relative = match pattern.strip_prefix('/') {
        None => pattern,
        Some(_) => {
            let rest = pattern.strip_prefix(project)?;
            if !rest.is_empty() && !rest.starts_with('/') {
                return None;
            }
            rest
        }
    };
    let mut names: Vec<&str> = Vec::new();
    for name in relative.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

struct Walk<'a> {
    root: &'a Path,
    exclude: &'a [Glob],
    stop: &'a Stop,
    found: BTreeSet<PathBuf>,
    /// Links that a glob wanted to go through.
    links: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    /// Follows a glob from `directory`, which is a real directory.
    fn glob(&mut self, directory: &Path, segments: &[Segment]) {
        if self.stop.is_asked() {
            return;
        }
        let Some((first, rest)) = segments.split_first() else {
            self.add_below(directory);
            return;
        };
        match first {
            Segment::Literal(name) => self.step(&directory.join(name), rest),
            Segment::Wild(_) => {
                for path in self.entries(directory) {
                    if name_of(&path).is_some_and(|name| first.matches(&name)) {
                        self.step(&path, rest);
                    }
                }
            }
            Segment::AnyDirectories => {
                if rest.is_empty() {
                    self.add(directory);
                    return;
                }
                self.glob(directory, rest);
                for path in self.entries(directory) {
                    if self.is_directory(&path) {
                        self.glob(&path, segments);
                    }
                }
            }
        }
    }

    /// `path` fits so far; the rest of the glob applies below it.
    fn step(&mut self, path: &Path, rest: &[Segment]) {
        if rest.is_empty() {
            self.add(path);
        } else if self.is_directory(path) {
            self.glob(path, rest);
        } else if std::fs::symlink_metadata(self.root.join(path)).is_ok_and(|it| it.is_symlink()) {
            self.links.insert(path.to_owned());
        }
    }

    /// Adds a path that came from outside; every directory on its way must be a real one.
    fn add_checked(&mut self, path: &Path) {
        let parents_real = path
            .ancestors()
            .skip(1)
            .filter(|parent| !parent.as_os_str().is_empty())
            .all(|parent| self.is_directory(parent));
        let normal = path
            .components()
            .all(|component| matches!(component, std::path::Component::Normal(_)));
        if normal && parents_real {
            self.add(path);
        }
    }

    /// Adds a path, with everything below when it is a directory.
    fn add(&mut self, path: &Path) {
        let Ok(metadata) = std::fs::symlink_metadata(self.root.join(path)) else {
            return;
        };
        let kind = metadata.file_type();
        if kind.is_socket() || kind.is_fifo() || kind.is_block_device() || kind.is_char_device() {
            return;
        }
        let text = path.to_string_lossy();
        let excluded = self.exclude.iter().any(|glob| glob.matches(&text));
        if !excluded && !path.as_os_str().is_empty() {
            self.found.insert(path.to_owned());
        }
        if kind.is_dir() {
            self.add_below(path);
        }
    }

    fn add_below(&mut self, directory: &Path) {
        if self.stop.is_asked() {
            return;
        }
        for path in self.entries(directory) {
            self.add(&path);
        }
    }

    fn entries(&self, directory: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(self.root.join(directory))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| directory.join(entry.file_name()))
            .collect()
    }

    fn is_directory(&self, path: &Path) -> bool {
        std::fs::symlink_metadata(self.root.join(path)).is_ok_and(|metadata| metadata.is_dir())
    }
}

fn name_of(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// `git ls-files -o`, in a repository whose configuration the job may have written: what
/// could start a program is switched off, and the user's own configuration is not read.
fn untracked_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    use std::os::unix::ffi::OsStringExt;
    if std::fs::symlink_metadata(root.join(".git")).is_err() {
        return Err("the job's directory is no git repository".to_owned());
    }
    let output = std::process::Command::new("git")
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        .args(["-c", "safe.directory=*", "ls-files", "-o", "-z"])
        .current_dir(root)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap_or(root))
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git ls-files failed: {}", text.trim()));
    }
    Ok(output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| PathBuf::from(std::ffi::OsString::from_vec(name.to_vec())))
        .collect())
}

/// Opens a regular file for reading. A symbolic link is not followed, a pipe not waited for.
pub(crate) fn open_regular(path: &Path) -> std::io::Result<File> {
    let file = File::options()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str], paths: &[&str], exclude: &[&str]) -> (Vec<String>, Vec<Note>) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match file.strip_suffix('/') {
                Some(_) => std::fs::create_dir_all(path).unwrap(),
                None => std::fs::write(path, "").unwrap(),
            }
        }
        std::os::unix::fs::symlink("/etc", root.path().join("link")).unwrap();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let wanted = Wanted {
            paths: texts(paths),
            exclude: texts(exclude),
            untracked: false,
            what: "artifact",
            project: "/builds/g/p".to_owned(),
        };
        let selection = select(root.path(), &wanted, &Stop::default());
        let paths = selection
            .paths
            .iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        (paths, selection.notes)
    }

    #[test]
    fn globs_select_files() {
        let files = [
            "a.txt",
            "d/b.txt",
            "d/e/c.txt",
            "d/e/c.md",
            "empty/",
            ".dot/x",
        ];
        for (paths, exclude, expected) in [
            (&["a.txt"][..], &[][..], &["a.txt"][..]),
            (&["d/e"], &[], &["d/e", "d/e/c.md", "d/e/c.txt"]),
            (&["d/e/"], &["**/*.md"], &["d/e", "d/e/c.txt"]),
            (&["**/*.txt"], &[], &["a.txt", "d/b.txt", "d/e/c.txt"]),
            (&["*.txt", "a.txt"], &[], &["a.txt"]),
            (&["empty"], &[], &["empty"]),
            (&["/builds/g/p/d/b.txt"], &[], &["d/b.txt"]),
            (&["d/../a.txt"], &[], &["a.txt"]),
            (&["link"], &[], &["link"]),
            (&["d/**/*.txt"], &["d/e/**/*"], &["d/b.txt"]),
            (&["{a.txt,d/b.txt}"], &[], &["a.txt", "d/b.txt"]),
            (&["*/x"], &[], &[".dot/x"]),
            (&["d/*"], &["d/e"], &["d/b.txt", "d/e/c.md", "d/e/c.txt"]),
        ] {
            assert_eq!(
                found(&files, paths, exclude).0,
                expected,
                "{paths:?} {exclude:?}"
            );
        }
        assert_eq!(found(&files, &["."], &[]).0.len(), 10);
        assert_eq!(found(&files, &["**"], &[]).0.len(), 10);
    }

    #[test]
    fn what_leaves_the_project_is_refused() {
        for pattern in [
            "../x",
            "/etc/passwd",
            "a/../../x",
            "/builds/g/p2/x",
            "/builds/g/p/../x",
        ] {
            let (paths, notes) = found(&["x"], &[pattern], &[]);
            assert!(paths.is_empty());
            let expected = format!(
                "{pattern}: artifact path is not a subpath of project directory: /builds/g/p"
            );
            assert_eq!(notes, [Note::Warning(expected)]);
        }
    }

    #[test]
    fn nothing_is_read_through_a_link() {
        for pattern in ["link/passwd", "link/*", "*/passwd"] {
            let (paths, notes) = found(&[], &[pattern], &[]);
            assert!(paths.is_empty(), "{paths:?}");
            assert_eq!(
                notes[0],
                Note::Warning(format!(
                    "{pattern}: link is a symbolic link; what is behind it is not read"
                ))
            );
        }
        assert_eq!(found(&[], &["**/passwd"], &[]).0, [""; 0]);
    }

    #[test]
    fn what_is_not_there_is_said_as_gitlab_says_it() {
        let (_, notes) = found(&["a"], &["b", "a"], &[]);
        assert_eq!(
            notes,
            [
                Note::Warning(
                    "b: no matching files. Ensure that the artifact path is relative to the \
                     working directory (/builds/g/p)"
                        .into()
                ),
                Note::Info("a: found 1 matching artifact files and directories".into()),
            ]
        );
    }

    #[test]
    fn links_and_pipes_are_not_opened() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        std::fs::write(path("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        nix::unistd::mkfifo(&path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(open_regular(&path("file")).is_ok());
        for name in ["link", "pipe", "."] {
            assert!(open_regular(&path(name)).is_err(), "{name}");
        }
    }
}
