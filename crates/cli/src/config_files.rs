//! The configuration and its includes, read from the disk or from a commit.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shipway_config::{
    Config, FileId, Files, Limits, LoadContext, Loaded, OtherProject, OtherProjectError,
    ProjectRequest, RemoteError, Source, SourceError,
};

use shipway_coordinator::PipelineFiles;
use shipway_git::{FileAt, GitError, Repository};

use crate::commit_files::{CommitFiles, unreadable};
use crate::error::Fault;
use crate::includes::Includes;
use crate::project::DEFAULT_FILE;

/// The file that is standard input.
pub(crate) const INPUT: &str = "-";

/// Files of a project, for `include: local`.
#[derive(Clone)]
pub(crate) struct ProjectFiles {
    tree: Tree,
    limit: u64,
    history: Option<History>,
    includes: Option<Arc<Includes>>,
}

/// Where the files of a project are.
#[derive(Clone)]
enum Tree {
    /// Below this directory.
    Disk(PathBuf),
    /// In the repository.
    Commit(CommitFiles),
}

/// What the files are compared with for `changes`.
#[derive(Clone)]
pub(crate) struct History {
    /// The repository of the project.
    pub(crate) repository: Repository,
    /// The project's folder in it, with a `/` behind; empty for the top.
    pub(crate) folder: String,
    /// The commit the pipeline is for; `None`: the work tree.
    pub(crate) commit: Option<String>,
    /// What that commit followed; `None` where GitLab compares with nothing.
    pub(crate) before: Option<String>,
}

impl ProjectFiles {
    pub(crate) fn new(root: &Path, limits: &Limits) -> Self {
        Self::of(Tree::Disk(root.to_owned()), limits)
    }

    /// The files of a commit.
    pub(crate) fn at(commit: CommitFiles, limits: &Limits) -> Self {
        Self::of(Tree::Commit(commit), limits)
    }

    fn of(tree: Tree, limits: &Limits) -> Self {
        Self {
            tree,
            limit: limits.yaml_bytes as u64,
            history: None,
            includes: None,
        }
    }

    /// Lets them include what is not theirs.
    pub(crate) fn with_includes(mut self, includes: Includes) -> Self {
        self.includes = Some(Arc::new(includes));
        self
    }

    pub(crate) fn with_history(mut self, history: History) -> Self {
        self.history = Some(history);
        self
    }

    /// The configuration itself; its path may lead out of the project, where a person named it.
    fn main(&self, path: &Path) -> Result<String, SourceError> {
        match &self.tree {
            Tree::Disk(root) => self.read(&root.join(path)),
            // Nothing outside of the repository belongs to a commit.
            Tree::Commit(_) if path.is_absolute() => self.read(path),
            Tree::Commit(commit) => commit.local(&path.to_string_lossy()),
        }
    }

    fn read(&self, path: &Path) -> Result<String, SourceError> {
        use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
        let unreadable = |cause: std::io::Error| match cause.kind() {
            NotFound | NotADirectory | IsADirectory => SourceError::NotFound,
            _ => SourceError::Unreadable(cause.to_string()),
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        // One byte more than allowed tells a file at the limit from one beyond it.
        file.take(self.limit + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > self.limit {
            return Err(SourceError::TooLarge {
                limit: self.limit as usize,
            });
        }
        String::from_utf8(bytes).map_err(|_| SourceError::NotText)
    }
}

impl PipelineFiles for ProjectFiles {
    fn open(&self, path: &str, limit: u64) -> io::Result<Option<Box<dyn Read>>> {
        let root = match &self.tree {
            Tree::Disk(root) => root,
            Tree::Commit(commit) => {
                return match commit.read(path, limit).map_err(io::Error::other)? {
                    FileAt::Missing => Ok(None),
                    FileAt::TooLarge => Err(io::ErrorKind::FileTooLarge.into()),
                    FileAt::Content(bytes) => Ok(Some(Box::new(io::Cursor::new(bytes)))),
                };
            }
        };
        match std::fs::File::open(root.join(path)) {
            Ok(file) if file.metadata()?.is_file() => Ok(Some(Box::new(file.take(limit)))),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Edits that are not committed count for nothing.
    fn last_change(&self, path: &str) -> io::Result<Option<String>> {
        let Some(history) = &self.history else {
            return Ok(None);
        };
        let commit = history.commit.as_deref().unwrap_or("HEAD");
        let path = format!("{}{path}", history.folder);
        let found = history.repository.last_change(commit, &path);
        found.map_err(io::Error::other)
    }
}

impl Source for ProjectFiles {
    /// A path that leaves the project, by `..` or by a symbolic link, does not exist.
    fn local(&self, path: &str) -> Result<String, SourceError> {
        let root = match &self.tree {
            Tree::Disk(root) => root,
            Tree::Commit(commit) => return commit.local(path),
        };
        let full = root.join(path.trim_start_matches('/'));
        let real = full.canonicalize().map_err(|_| SourceError::NotFound)?;
        let root = root.canonicalize().map_err(|_| SourceError::NotFound)?;
        if !real.starts_with(&root) {
            return Err(SourceError::NotFound);
        }
        self.read(&real)
    }

    fn list(&self) -> Vec<String> {
        let root = match &self.tree {
            Tree::Disk(root) => root,
            Tree::Commit(commit) => return commit.list(),
        };
        let mut found = Vec::new();
        let mut queue = vec![root.clone()];
        while let Some(directory) = queue.pop() {
            let Ok(entries) = std::fs::read_dir(&directory) else {
                continue;
            };
            for entry in entries.flatten() {
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                let path = entry.path();
                if kind.is_dir() && entry.file_name() != ".git" && entry.file_name() != ".shipway" {
                    queue.push(path);
                } else if kind.is_file()
                    && let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str)
                {
                    found.push(name.to_owned());
                }
            }
        }
        found.sort();
        found
    }

    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        let Some(history) = &self.history else {
            return Ok(None);
        };
        let changes = history.changes(compare_to).map_err(unreadable)?;
        if changes.is_none() && compare_to.is_some() {
            return Err(SourceError::NotFound);
        }
        Ok(changes)
    }

    fn project(&self, request: &ProjectRequest<'_>) -> Result<OtherProject, OtherProjectError> {
        match &self.includes {
            Some(includes) => includes.project(request),
            None => Err(OtherProjectError::Project),
        }
    }

    fn tags_of(&self, request: &ProjectRequest<'_>) -> Result<Vec<String>, OtherProjectError> {
        match &self.includes {
            Some(includes) => includes.tags_of(request),
            None => Err(OtherProjectError::Project),
        }
    }

    /// How old an answer may be is what the lock file decides here.
    fn remote(&self, url: &str, _max_age: Option<Duration>) -> Result<String, RemoteError> {
        match &self.includes {
            Some(includes) => includes.remote(url),
            None => Err(RemoteError::new("files of other hosts cannot be had here")),
        }
    }

    fn template(&self, name: &str) -> Result<String, SourceError> {
        match &self.includes {
            Some(includes) => includes.template(name),
            None => Err(SourceError::NotFound),
        }
    }

    fn leaves_out_missing(&self) -> bool {
        self.includes.as_ref().is_some_and(|one| one.is_partial)
    }

    fn out_of_time(&self) -> Option<Duration> {
        self.includes.as_ref()?.out_of_time()
    }
}

impl History {
    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, GitError> {
        let base = match compare_to {
            None => self.before.clone(),
            Some(name) => {
                let own = self.commit.as_deref().unwrap_or("HEAD");
                self.repository.merge_base(name, own)?
            }
        };
        let Some(base) = base else {
            return Ok(None);
        };
        let paths = self
            .repository
            .changed_paths(&base, self.commit.as_deref())?;
        Ok(paths.map(|paths| {
            let inside = paths.iter();
            inside
                .filter_map(|path| path.strip_prefix(&self.folder))
                .map(str::to_owned)
                .collect()
        }))
    }
}

/// Reads and checks a configuration; `place` is what a person calls where it is. A file `-` is
/// standard input.
pub(crate) fn load_for(
    files: &ProjectFiles,
    file: &Path,
    place: &str,
    context: &LoadContext,
) -> Result<Loaded, Fault> {
    let limits = Limits::default();
    let is_input = file == Path::new(INPUT);
    let text = if is_input {
        files.read(Path::new("/dev/stdin"))
    } else {
        files.main(file)
    };
    let name = if is_input {
        "standard input".into()
    } else {
        file.to_string_lossy()
    };
    let text = text.map_err(|error| match error {
        SourceError::NotFound => missing(file, place),
        error => Fault::usage_text(format!("cannot read {name} in {place}: {error}")),
    })?;
    Ok(shipway_config::load_for(
        &name, &text, files, &limits, context,
    ))
}

fn missing(file: &Path, place: &str) -> Fault {
    let fault = Fault::usage_text(format!("there is no {} in {place}", file.display()));
    if file.file_name().is_some_and(|name| name == DEFAULT_FILE) {
        fault.hint(
            "write one, name another with `--file`, or name the project with `-C DIR`; \
             a job needs no more than `test: {script: make test}`",
        )
    } else {
        fault.hint("the path is relative to the project's root")
    }
}

/// A configuration without faults and the files it came from.
pub(crate) struct Checked {
    pub(crate) config: Config,
    pub(crate) files: Files,
}

impl Checked {
    /// `file:line:column` of a value, or just the main file where that is not known.
    pub(crate) fn place(&self, path: &[&str]) -> String {
        match self.config.origin(path) {
            Some(span) => {
                let file = self.files.path(span.file);
                format!("{file}:{}:{}", span.line, span.column)
            }
            None => self.files.path(FileId::default()).to_owned(),
        }
    }
}

/// Prints what is wrong; the configuration where nothing is.
pub(crate) fn report(loaded: Loaded, color: bool) -> Result<Checked, Fault> {
    for diagnostic in &loaded.diagnostics {
        anstream::eprintln!(
            "{}",
            shipway_config::render(diagnostic, &loaded.files, color)
        );
    }
    let files = loaded.files;
    let config = loaded.config.ok_or_else(Fault::printed)?;
    Ok(Checked { config, files })
}
