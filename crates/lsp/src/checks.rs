//! The thread that reads configurations: one at a time, the newest state of each.

use crate::ProjectFiles;
use crossbeam_channel::{Receiver, Sender};
use shipway_config::{
    Limits, LoadContext, Loaded, OtherProject, OtherProjectError, ProjectRequest, RemoteError,
    Source, SourceError,
};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A configuration to be read.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) pipeline: Pipeline,
    /// The texts in the editor, which count before those on the disk.
    pub(crate) open: HashMap<PathBuf, Open>,
}

/// A text in the editor.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) text: Arc<str>,
    pub(crate) version: i32,
}

/// A configuration: the first file and where its includes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pipeline {
    /// The root of the project.
    pub(crate) root: PathBuf,
    /// The path of the first file from there.
    pub(crate) file: String,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) pipeline: Pipeline,
    pub(crate) open: HashMap<PathBuf, Open>,
    /// The text says why nothing could be read.
    pub(crate) loaded: Result<Arc<Loaded>, String>,
}

/// Starts the thread. It ends when no more checks can come.
pub(crate) fn start(files: ProjectFiles) -> (Sender<Check>, Receiver<Checked>) {
    let (sender, checks) = crossbeam_channel::unbounded::<Check>();
    let (results, receiver) = crossbeam_channel::unbounded();
    std::thread::spawn(move || {
        for check in checks {
            let loaded = catch_unwind(AssertUnwindSafe(|| load(&check, &files)));
            let loaded = loaded.unwrap_or_else(|_| Err("internal error".to_owned()));
            let checked = Checked {
                pipeline: check.pipeline,
                open: check.open,
                loaded: loaded.map(Arc::new),
            };
            if results.send(checked).is_err() {
                return;
            }
        }
    });
    (sender, receiver)
}

fn load(check: &Check, files: &ProjectFiles) -> Result<Loaded, String> {
    let Pipeline { root, file } = &check.pipeline;
    let source = Overlay {
        root,
        open: &check.open,
        disk: files(root)?,
    };
    let text = source.local(file).map_err(|error| error.to_string())?;
    let (limits, context) = (Limits::default(), LoadContext::default());
    let mut loaded = shipway_config::load_for(file, &text, &source, &limits, &context);
    let doubts = loaded.config.as_ref();
    let doubts = doubts.map(|config| config.doubts(&loaded.files));
    loaded.diagnostics.extend(doubts.unwrap_or_default());
    Ok(loaded)
}

/// The project with the texts in the editor over the files on the disk.
struct Overlay<'a> {
    root: &'a Path,
    open: &'a HashMap<PathBuf, Open>,
    disk: Box<dyn Source>,
}

impl Source for Overlay<'_> {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        let full = crate::uri::real(&self.root.join(path.trim_start_matches('/')));
        match self.open.get(&full).filter(|_| full.starts_with(self.root)) {
            Some(open) => Ok(open.text.to_string()),
            None => self.disk.local(path),
        }
    }

    fn list(&self) -> Vec<String> {
        let mut paths = self.disk.list();
        let open = self.open.keys();
        let new = open.filter_map(|path| path.strip_prefix(self.root).ok()?.to_str());
        for path in new {
            if !paths.iter().any(|known| known == path) {
                paths.push(path.to_owned());
            }
        }
        paths
    }

    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        self.disk.changes(compare_to)
    }

    fn list_of(
        &self,
        project: &str,
        git_ref: Option<&str>,
    ) -> Result<Vec<String>, OtherProjectError> {
        self.disk.list_of(project, git_ref)
    }

    fn project(&self, request: &ProjectRequest<'_>) -> Result<OtherProject, OtherProjectError> {
        self.disk.project(request)
    }

    fn tags_of(&self, request: &ProjectRequest<'_>) -> Result<Vec<String>, OtherProjectError> {
        self.disk.tags_of(request)
    }

    fn remote(&self, url: &str, max_age: Option<Duration>) -> Result<String, RemoteError> {
        self.disk.remote(url, max_age)
    }

    fn template(&self, name: &str) -> Result<String, SourceError> {
        self.disk.template(name)
    }

    fn out_of_time(&self) -> Option<Duration> {
        self.disk.out_of_time()
    }
}
