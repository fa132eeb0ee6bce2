//! What is known at a moment: the texts in the editor, and of each configuration the files it
//! is made of, as they were when it was read last.

use crate::checks::{Checked, Open, Pipeline};
use crate::document::Document;
use crate::uri;
use shipway_config::{Config, Files, Loaded};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// The path of the configuration from a project's root.
    file: String,
    open: HashMap<PathBuf, Opened>,
    read: HashMap<Pipeline, Read>,
}

/// A text in the editor.
#[derive(Debug)]
struct Opened {
    document: Arc<Document>,
    version: i32,
}

/// A configuration as it was read.
#[derive(Debug, Default)]
struct Read {
    members: Vec<Member>,
    /// The newest one without faults.
    sound: Option<Arc<Loaded>>,
}

/// A file of a configuration.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Where it is; `None` for what is not of this project.
    pub(crate) path: Option<PathBuf>,
    pub(crate) document: Arc<Document>,
    /// The place of the `include` that brought it: a member, and bytes of it.
    pub(crate) included_from: Option<(usize, Range<usize>)>,
}

/// A file and what it belongs to.
pub(crate) struct View<'w> {
    pub(crate) path: PathBuf,
    /// The root of the project.
    pub(crate) root: PathBuf,
    pub(crate) document: Arc<Document>,
    /// All files of the configuration, this one among them.
    pub(crate) members: Vec<Member>,
    /// The newest configuration without faults, and its files.
    pub(crate) sound: Option<(&'w Config, &'w Files)>,
}

impl Workspace {
    pub(crate) fn new(file: String) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    pub(crate) fn open(&mut self, path: PathBuf, text: Arc<str>, version: i32) {
        let document = Arc::new(Document::of(text));
        self.open.insert(path, Opened { document, version });
    }

    pub(crate) fn close(&mut self, path: &Path) {
        self.open.remove(path);
    }

    pub(crate) fn document(&self, path: &Path) -> Option<&Arc<Document>> {
        self.open.get(path).map(|open| &open.document)
    }

    /// The texts in the editor.
    pub(crate) fn texts(&self) -> HashMap<PathBuf, Open> {
        let texts = self.open.iter().map(|(path, opened)| {
            let open = Open {
                text: opened.document.text.clone(),
                version: opened.version,
            };
            (path.clone(), open)
        });
        texts.collect()
    }

    /// The configurations that a change of a file may concern.
    pub(crate) fn concerned(&self, path: &Path) -> Vec<Pipeline> {
        let mut found: Vec<Pipeline> = self
            .read
            .iter()
            .filter(|(pipeline, read)| pipeline.root.join(&pipeline.file) == path || read.has(path))
            .map(|(pipeline, _)| pipeline.clone())
            .collect();
        if found.is_empty() {
            found.extend(self.pipeline_of(path));
        }
        found
    }

    /// The configurations of open files, for when something else has changed on the disk.
    pub(crate) fn all(&self) -> Vec<Pipeline> {
        let mut found: Vec<Pipeline> = Vec::new();
        for path in self.open.keys() {
            for pipeline in self.concerned(path) {
                if !found.contains(&pipeline) {
                    found.push(pipeline);
                }
            }
        }
        found
    }

    /// The configuration that a file is the first one of, or else that of its project.
    fn pipeline_of(&self, path: &Path) -> Option<Pipeline> {
        let folders = path.ancestors().skip(1);
        let root = folders.clone().find(|folder| {
            let file = folder.join(&self.file);
            self.open.contains_key(&file) || file.is_file()
        });
        let root = root.or_else(|| folders.clone().find(|folder| folder.join(".git").exists()));
        let root = root.or_else(|| path.parent())?;
        // Templates and the like stand for themselves.
        let is_first = path == root.join(&self.file) || self.is_by_name(path);
        let file = if is_first {
            path.strip_prefix(root).ok()?.to_str()?.to_owned()
        } else if root.join(&self.file).is_file() || self.open.contains_key(&root.join(&self.file))
        {
            self.file.clone()
        } else {
            return None;
        };
        Some(Pipeline {
            root: root.to_owned(),
            file,
        })
    }

    fn is_by_name(&self, path: &Path) -> bool {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| {
            name.ends_with(".gitlab-ci.yml") || name.ends_with(".gitlab-ci.yaml")
        })
    }

    /// Takes over what was read. The files of it that an editor can show are the answer.
    pub(crate) fn take(&mut self, checked: &Checked) {
        let Ok(loaded) = &checked.loaded else {
            self.read.remove(&checked.pipeline);
            return;
        };
        let before = self.read.remove(&checked.pipeline).unwrap_or_default();
        let root = &checked.pipeline.root;
        let members = loaded.files.iter().map(|(id, name, text)| {
            let path = local(root, name, &checked.open);
            let known = path.as_ref().and_then(|path| self.open.get(path));
            let known = known.map(|open| &open.document).or_else(|| {
                let mut members = before.members.iter();
                let member = members.find(|member| member.path == path);
                member.map(|member| &member.document)
            });
            let document = match known.filter(|document| &*document.text == text) {
                Some(document) => document.clone(),
                None => Arc::new(Document::of(text.into())),
            };
            let from = loaded.files.included_from(id);
            Member {
                path,
                document,
                included_from: from.map(|span| (span.file.0 as usize, span.start..span.end)),
            }
        });
        let mut members: Vec<Member> = members.collect();
        // A fault may end the reading before the includes. Their names do not vanish while a
        // line is half typed.
        if loaded.config.is_none() {
            for member in before.members {
                let same = |known: &Member| match (&known.path, &member.path) {
                    (None, None) => known.document.text == member.document.text,
                    (one, other) => one == other,
                };
                if !members.iter().any(same) {
                    members.push(Member {
                        included_from: None,
                        ..member
                    });
                }
            }
        }
        let sound = match loaded.config.is_some() {
            true => Some(loaded.clone()),
            false => before.sound,
        };
        self.read
            .insert(checked.pipeline.clone(), Read { members, sound });
    }

    /// What is known about a file that is open.
    pub(crate) fn view(&self, path: &Path) -> Option<View<'_>> {
        let document = self.open.get(path)?.document.clone();
        let concerned = self.concerned(path);
        let read = concerned
            .iter()
            .filter_map(|pipeline| self.read.get(pipeline))
            .find(|read| read.has(path));
        let root = concerned.first().map(|pipeline| pipeline.root.clone());
        let mut members: Vec<Member> = read.map(|read| read.members.clone()).unwrap_or_default();
        for member in &mut members {
            // The text may have changed since.
            let open = member.path.as_ref().and_then(|path| self.open.get(path));
            if let Some(open) = open {
                member.document = open.document.clone();
            }
        }
        if members.is_empty() {
            if !self.is_by_name(path) && !path.ends_with(&self.file) {
                return None;
            }
            members.push(Member {
                path: Some(path.to_owned()),
                document: document.clone(),
                included_from: None,
            });
        }
        Some(View {
            path: path.to_owned(),
            root: root.or_else(|| Some(path.parent()?.to_owned()))?,
            document,
            members,
            sound: read.and_then(|read| {
                let loaded = read.sound.as_ref()?;
                Some((loaded.config.as_ref()?, &loaded.files))
            }),
        })
    }
}

impl Read {
    fn has(&self, path: &Path) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.path.as_deref() == Some(path))
    }
}

/// What is looked at when files are proposed, so that it takes no time.
const MAX_LISTED: usize = 5000;

impl View<'_> {
    /// The path of a file from the root of the project.
    pub(crate) fn below_root(&self, member: &Member) -> Option<String> {
        let path = member.path.as_ref()?.strip_prefix(&self.root).ok()?;
        Some(path.to_str()?.to_owned())
    }

    /// The files of YAML of the project, from its root.
    pub(crate) fn yaml_files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = std::collections::VecDeque::from([self.root.clone()]);
        let mut left = MAX_LISTED;
        while let Some(folder) = folders.pop_front() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                left -= 1;
                if left == 0 {
                    return found;
                }
                let (path, name) = (entry.path(), entry.file_name());
                let is_skipped = [".git", ".shipway", "node_modules", "target"]
                    .iter()
                    .any(|skipped| name == *skipped);
                let is_yaml = path
                    .extension()
                    .is_some_and(|extension| extension == "yml" || extension == "yaml");
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !is_skipped => folders.push_back(path),
                    Ok(kind) if kind.is_file() && is_yaml && path != self.path => {
                        let below = path.strip_prefix(&self.root).ok();
                        found.extend(below.and_then(Path::to_str).map(str::to_owned));
                    }
                    _ => {}
                }
            }
        }
        found
    }

    /// The entries that an entry extends, and those that they extend.
    pub(crate) fn bases(&self, entry: &str) -> HashSet<String> {
        let mut found = HashSet::new();
        let mut queue = vec![entry.to_owned()];
        while let Some(name) = queue.pop() {
            for Member { document, .. } in &self.members {
                let (outline, text) = (&document.outline, &document.text);
                let extends = outline
                    .entry(None, &name, text)
                    .and_then(|id| outline.entry(Some(id), "extends", text));
                let Some(extends) = extends else {
                    continue;
                };
                let values = std::iter::once(extends).chain(outline.children(Some(extends)));
                for base in values.filter_map(|id| outline.nodes[id].value.as_ref()) {
                    let base = base.text(text).into_owned();
                    if found.insert(base.clone()) {
                        queue.push(base);
                    }
                }
            }
        }
        found
    }
}

/// The path of a file of a load, where it is of the project: others have names that say where
/// they come from, such as addresses.
pub(crate) fn local(root: &Path, name: &str, open: &HashMap<PathBuf, Open>) -> Option<PathBuf> {
    let path = uri::real(&root.join(name));
    (open.contains_key(&path) || path.is_file()).then_some(path)
}
