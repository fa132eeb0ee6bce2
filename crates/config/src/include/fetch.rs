//! From an entry of `include` to the texts it names, each with what its own includes are
//! resolved against.

use super::component::{self, Address};
use super::entry::Entry;
use super::scope::{Scope, inside_project};
use super::{Loader, integrity, wildcard};
use crate::{
    Diagnostic, OtherProject, OtherProjectError, ProjectRequest, RemoteError, Severity,
    SourceError, Span,
};
use serde_json::json;
use std::rc::Rc;

/// What the names of templates end in.
const TEMPLATE: &str = ".gitlab-ci.yml";

/// A file that was included.
pub(super) struct Fetched<'l> {
    /// As it was asked for, in messages.
    pub(super) location: String,
    /// With the project it is from.
    pub(super) place: String,
    pub(super) text: String,
    pub(super) scope: Rc<Scope<'l>>,
}

impl<'l> Loader<'l> {
    /// The files of an entry; `None` where any cannot be had. Those of others may be left out:
    /// their faults are warnings then.
    pub(super) fn fetch(
        &mut self,
        entry: &Entry<'_>,
        scope: &Rc<Scope<'l>>,
    ) -> Option<Vec<Fetched<'l>>> {
        let before = self.diagnostics.len();
        let found = self.fetch_all(entry, scope);
        let is_of_others = entry.kind != "local";
        if found.is_some() || !is_of_others || self.stopped || !self.source.leaves_out_missing() {
            return found;
        }
        self.is_partial = true;
        for fault in &mut self.diagnostics[before..] {
            fault.severity = Severity::Warning;
            fault.label = Some("is left out".to_owned());
        }
        Some(Vec::new())
    }

    fn fetch_all(&mut self, entry: &Entry<'_>, scope: &Rc<Scope<'l>>) -> Option<Vec<Fetched<'l>>> {
        match entry.kind {
            "local" if !scope.has_project() => {
                let shown = scope.shown(&entry.target);
                let text = format!("Local file `{shown}` does not have project!");
                self.fault(entry.span, text).hint = Some(
                    "a file from another host or a template includes nothing of the project"
                        .to_owned(),
                );
                None
            }
            "local" if wildcard::is_wildcard(&entry.target) => self.wildcard(entry, scope),
            "local" => Some(vec![self.local(&entry.target, entry.span, scope)?]),
            "project" => self.project(entry, scope),
            "component" => Some(vec![self.component(entry, scope)?]),
            "remote" => Some(vec![self.remote(entry, scope)?]),
            "template" => Some(vec![self.template(entry, scope)?]),
            kind => {
                self.unsupported(&format!("include:{kind}"), entry.span);
                None
            }
        }
    }

    fn wildcard(&mut self, entry: &Entry<'_>, scope: &Rc<Scope<'l>>) -> Option<Vec<Fetched<'l>>> {
        let wanted = entry.target.trim_start_matches('/');
        let listing = scope.paths.own();
        let found = wildcard::matching(wanted, &listing);
        if found.is_empty() {
            let wanted = scope.shown(wanted);
            let text = format!("Local file `{wanted}` does not have any matching files!");
            self.fault(entry.span, text).hint = Some(
                "`*` stays in one folder, `**` crosses folders, `**/` needs at least one"
                    .to_owned(),
            );
            return None;
        }
        // Every file is tried, so that all that are wrong are told.
        let files: Vec<_> = found
            .iter()
            .map(|path| self.local(path, entry.span, scope))
            .collect();
        files.into_iter().collect()
    }

    /// A file of the project in which the include stands.
    fn local(&mut self, written: &str, at: Span, scope: &Rc<Scope<'l>>) -> Option<Fetched<'l>> {
        let path = written.strip_prefix('/').unwrap_or(written);
        let shown = scope.shown(path);
        self.admit(&scope.shown(written), written, at)?;
        let text = match scope.read(path) {
            Ok(text) => text,
            Err(SourceError::NotFound) => {
                let near = self.near(path, scope);
                self.fault(at, format!("Local file `{shown}` does not exist!"))
                    .hint = near;
                return None;
            }
            Err(error) => {
                let text = format!("Local file `{shown}` cannot be included: {error}");
                self.fault(at, text);
                return None;
            }
        };
        let text = self.filled(text, format!("Local file `{shown}` is empty!"), at)?;
        Some(Fetched {
            place: scope.place(&shown),
            location: shown,
            text,
            scope: scope.clone(),
        })
    }

    /// Files of another project, all of one commit.
    fn project(&mut self, entry: &Entry<'_>, scope: &Rc<Scope<'l>>) -> Option<Vec<Fetched<'l>>> {
        let request = ProjectRequest {
            host: None,
            path: &entry.target,
            git_ref: entry.git_ref.as_deref(),
            reader: scope.reader,
        };
        let name = scope.shown(request.path);
        let git_ref = scope.shown(request.git_ref.unwrap_or("HEAD"));
        let project = match self.source.project(&request) {
            Ok(project) => project,
            Err(error) => {
                self.no_project(&error, &name, &git_ref, entry.span);
                return None;
            }
        };
        let label = match request.git_ref {
            Some(_) => format!("{name}@{git_ref}:"),
            None => format!("{name}:"),
        };
        let other = Rc::new(scope.other(project, label));
        let files: Vec<_> = entry
            .files
            .iter()
            .map(|(path, at)| self.project_file(path, *at, &name, &other))
            .collect();
        files.into_iter().collect()
    }

    fn project_file(
        &mut self,
        written: &str,
        at: Span,
        project: &str,
        other: &Rc<Scope<'l>>,
    ) -> Option<Fetched<'l>> {
        let path = written.strip_prefix('/').unwrap_or(written);
        let shown = other.shown(path);
        self.admit(&shown, path, at)?;
        let text = match other.read(path) {
            Ok(text) => text,
            Err(SourceError::NotFound) => {
                let text = format!("Project `{project}` file `{shown}` does not exist!");
                let near = self.near(path, other);
                self.fault(at, text).hint = near;
                return None;
            }
            Err(error) => {
                let text =
                    format!("Project `{project}` file `{shown}` cannot be included: {error}");
                self.fault(at, text);
                return None;
            }
        };
        let empty = format!("Project `{project}` file `{shown}` is empty!");
        let text = self.filled(text, empty, at)?;
        Some(Fetched {
            place: other.place(&shown),
            location: shown,
            text,
            scope: other.clone(),
        })
    }

    fn no_project(&mut self, error: &OtherProjectError, name: &str, git_ref: &str, at: Span) {
        let (text, hint) = match error {
            OtherProjectError::Ref => (
                format!("Project `{name}` reference `{git_ref}` does not exist!"),
                None,
            ),
            OtherProjectError::Source(SourceError::Refused { reason, hint }) => (
                format!("Project `{name}` cannot be read: {reason}"),
                Some(hint.clone()),
            ),
            OtherProjectError::Source(error) => {
                (format!("Project `{name}` cannot be read: {error}"), None)
            }
            OtherProjectError::Project | OtherProjectError::Host => (
                format!(
                    "Project `{name}` not found or access denied! Make sure any includes in the \
                     pipeline configuration are correctly defined."
                ),
                None,
            ),
        };
        self.fault(at, text).hint = hint;
    }

    fn component(&mut self, entry: &Entry<'_>, scope: &Rc<Scope<'l>>) -> Option<Fetched<'l>> {
        let at = entry.span;
        let shown = scope.shown(&entry.target);
        if !scope.has_project() {
            let text = "Unable to use components outside of a project context";
            self.fault(at, text.to_owned());
            return None;
        }
        self.count(at)?;
        let Some(address) = Address::parse(&entry.target) else {
            let text = format!("Component '{shown}' - the component path is not supported");
            self.fault(at, text).hint =
                Some("write `HOST/GROUP/PROJECT/COMPONENT@VERSION`".to_owned());
            return None;
        };
        let (tag, project) = match self.version(&address, scope) {
            Ok(found) => found,
            Err(error) => {
                self.no_component(&error, &shown, at);
                return None;
            }
        };
        let sha = project.sha.clone();
        let version = tag.or_else(|| {
            let is_release = component::is_release(address.version);
            is_release.then(|| address.version.to_owned())
        });
        let label = format!("{}@{}:", address.project, address.version);
        let mut inside = scope.other(project, scope.shown(&label));
        inside.component = Some(json!({
            "name": address.name,
            "sha": sha,
            "version": version,
            "reference": address.version,
        }));
        for path in address.paths() {
            let text = match inside.read(&path) {
                Ok(text) => text,
                Err(SourceError::NotFound) => continue,
                Err(error) => {
                    self.fault(at, format!("Component '{shown}' - {error}"));
                    return None;
                }
            };
            let empty = format!("Component '{shown}' - content not found");
            let text = self.filled(text, empty, at)?;
            return Some(Fetched {
                place: inside.place(&path),
                location: shown,
                text,
                scope: Rc::new(inside),
            });
        }
        let [one, other] = address.paths();
        self.fault(at, format!("Component '{shown}' - content not found"))
            .hint = Some(format!(
            "`{}` has neither `{one}` nor `{other}` at this version",
            address.project
        ));
        None
    }

    /// The project of a component at its version, and the tag where it was chosen among the
    /// releases. What fits none is a tag, a branch or a commit.
    fn version(
        &self,
        address: &Address<'_>,
        scope: &Scope<'l>,
    ) -> Result<(Option<String>, OtherProject), OtherProjectError> {
        let mut request = ProjectRequest {
            host: Some(address.host),
            path: address.project,
            git_ref: Some(address.version),
            reader: scope.reader,
        };
        let tags = match address.asks_for_newest() {
            true => self.source.tags_of(&request)?,
            false => Vec::new(),
        };
        let newest = component::newest(address.version, &tags);
        if newest.is_some() {
            request.git_ref = newest;
        }
        let project = self.source.project(&request)?;
        Ok((newest.map(str::to_owned), project))
    }

    fn no_component(&mut self, error: &OtherProjectError, shown: &str, at: Span) {
        let (text, hint) = match error {
            OtherProjectError::Host => ("the component path is not supported".to_owned(), None),
            OtherProjectError::Project => (
                "content not found".to_owned(),
                Some("there is no such project, or it may not be read".to_owned()),
            ),
            OtherProjectError::Ref => (
                "content not found".to_owned(),
                Some(
                    "the project has no such version: a commit, tag or branch, or `1`, `1.2` \
                     or `~latest` where tags like `1.2.3` are there"
                        .to_owned(),
                ),
            ),
            OtherProjectError::Source(SourceError::Refused { reason, hint }) => {
                (reason.clone(), Some(hint.clone()))
            }
            OtherProjectError::Source(error) => (error.to_string(), None),
        };
        self.fault(at, format!("Component '{shown}' - {text}")).hint = hint;
    }

    fn remote(&mut self, entry: &Entry<'_>, scope: &Rc<Scope<'l>>) -> Option<Fetched<'l>> {
        let url = &entry.target;
        let shown = scope.shown(url);
        let file = url.split_once("://").map_or("", |(_, rest)| rest);
        self.admit(&shown, file, entry.span)?;
        if !["http://", "https://"]
            .iter()
            .any(|start| url.starts_with(start))
        {
            let text = format!("Remote file `{shown}` does not have a valid address!");
            self.fault(entry.span, text).hint =
                Some("an address begins with `https://` or `http://`".to_owned());
            return None;
        }
        let text = match self.source.remote(url, entry.max_age) {
            Ok(text) => text,
            Err(RemoteError { reason, hint }) => {
                let text = format!("Remote file `{shown}` could not be fetched because {reason}!");
                self.fault(entry.span, text).hint = hint.map(|hint| scope.shown(&hint));
                return None;
            }
        };
        if let Some((wanted, at)) = &entry.integrity {
            let found = integrity::of(text.as_bytes());
            if found != *wanted {
                let text = format!("Remote file `{shown}` failed integrity check!");
                let fault = self.fault(*at, text);
                fault.label = Some("is of another content".to_owned());
                fault.hint = Some(format!("the file that came is `{found}`"));
                return None;
            }
        }
        let empty = format!("Remote file `{shown}` is empty!");
        let text = self.filled(text, empty, entry.span)?;
        Some(Fetched {
            place: shown.clone(),
            location: shown,
            text,
            scope: Rc::new(scope.outside()),
        })
    }

    fn template(&mut self, entry: &Entry<'_>, scope: &Rc<Scope<'l>>) -> Option<Fetched<'l>> {
        let shown = scope.shown(&entry.target);
        self.admit(&shown, &entry.target, entry.span)?;
        let inside = inside_project(&entry.target).filter(|_| entry.target.ends_with(TEMPLATE));
        let Some(name) = inside else {
            let text = format!("Template file `{shown}` is not a valid location!");
            self.fault(entry.span, text).hint =
                Some(format!("the names of templates end in `{TEMPLATE}`"));
            return None;
        };
        let text = match self.source.template(&name) {
            Ok(text) => text,
            Err(error) => {
                let (text, hint) = match error {
                    SourceError::NotFound => {
                        (format!("Template file `{shown}` does not exist!"), None)
                    }
                    SourceError::Refused { reason, hint } => (
                        format!("Template file `{shown}` cannot be included: {reason}"),
                        Some(hint),
                    ),
                    error => (
                        format!("Template file `{shown}` cannot be included: {error}"),
                        None,
                    ),
                };
                self.fault(entry.span, text).hint = hint;
                return None;
            }
        };
        let empty = format!("Template file `{shown}` is empty!");
        let text = self.filled(text, empty, entry.span)?;
        Some(Fetched {
            place: format!("template:{shown}"),
            location: shown,
            text,
            scope: Rc::new(scope.outside()),
        })
    }

    /// Lets a file in if it is called as one of YAML and the limits allow one more.
    fn admit(&mut self, shown: &str, path: &str, at: Span) -> Option<()> {
        if self.stopped {
            return None;
        }
        if !has_yaml_extension(path) {
            let text = format!("Included file `{shown}` does not have YAML extension!");
            self.fault(at, text).label = Some("must end in .yml or .yaml".to_owned());
            return None;
        }
        self.count(at)
    }

    fn count(&mut self, at: Span) -> Option<()> {
        if self.stopped {
            return None;
        }
        if self.included >= self.limits.include_files {
            self.stopped = true;
            let text = format!(
                "Maximum of {} nested includes are allowed!",
                self.limits.include_files
            );
            self.fault(at, text).hint =
                Some("a file may include itself through others; break the circle".to_owned());
            return None;
        }
        if let Some(limit) = self.source.out_of_time() {
            self.stopped = true;
            let text = "Request timed out when fetching configuration files.".to_owned();
            let fault = self.fault(at, text);
            fault.label = Some(format!("not within {} seconds", limit.as_secs()));
            fault.hint = Some("include fewer files, or files from nearer".to_owned());
            return None;
        }
        self.included += 1;
        Some(())
    }

    /// The text, unless it is blank or one too many.
    fn filled(&mut self, text: String, empty: String, at: Span) -> Option<String> {
        if text.trim().is_empty() {
            self.fault(at, empty);
            return None;
        }
        self.included_bytes = self.included_bytes.saturating_add(text.len());
        if self.included_bytes > self.limits.include_bytes {
            self.stopped = true;
            let text = format!(
                "Total size of combined CI/CD configuration is too big: included files may have \
                 {} bytes together",
                self.limits.include_bytes
            );
            self.fault(at, text);
            return None;
        }
        Some(text)
    }

    fn near(&self, path: &str, scope: &Scope<'l>) -> Option<String> {
        let listing = scope.paths.own();
        let near = crate::suggest(path, listing.iter().map(String::as_str));
        Some(match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the path starts at the root of the project".to_owned(),
        })
    }

    pub(super) fn fault(&mut self, at: Span, text: String) -> &mut Diagnostic {
        self.diagnostics
            .push(Diagnostic::error(text, at).keyword("include"));
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }
}

fn has_yaml_extension(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    [".yml", ".yaml"].iter().any(|extension| {
        name.len()
            .checked_sub(extension.len())
            .filter(|stem| *stem > 0)
            .and_then(|stem| name.get(stem..))
            .is_some_and(|end| end.eq_ignore_ascii_case(extension))
    })
}
