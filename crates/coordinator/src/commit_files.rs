//! What a pipeline of a server reads: the files of its commit, and through `include` those of
//! others.

use std::io::{self, Read};
use std::rc::Rc;
use std::time::Duration;

use shipway_config::{
    Limits, OtherProject, OtherProjectError, ProjectRequest, RemoteError, SourceError,
};
use shipway_git::hosting::{BareRepository, History, QueryError};
use tokio::runtime::Handle;

use crate::elsewhere::Elsewhere;
use crate::error::Error;
use crate::start::PipelineFiles;

/// The files of a commit, for a thread that may block.
pub(crate) struct CommitFiles {
    pub(crate) repository: BareRepository,
    pub(crate) commit: String,
    /// What the commit followed; `None` where GitLab compares with nothing.
    pub(crate) before: Option<String>,
    pub(crate) handle: Handle,
    /// Whatever is not of this commit.
    pub(crate) elsewhere: Elsewhere,
}

/// Files of a commit that are listed for includes with wildcards.
const LISTED_FILES: usize = 100_000;

impl CommitFiles {
    /// Another project's repository, and the name of what is read of it.
    fn other(
        &self,
        request: &ProjectRequest<'_>,
    ) -> Result<(BareRepository, Option<String>), OtherProjectError> {
        let found = self.elsewhere.project(request);
        let (repository, project) = self.handle.block_on(found)?;
        let name = request.git_ref.map(str::to_owned);
        Ok((repository, name.or(project.default_branch)))
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let read = self.repository.read_file(&self.commit, path, limit);
        Ok(self.handle.block_on(read)?)
    }

    fn changed(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, QueryError> {
        let repository = &self.repository;
        let base = match compare_to {
            None => self.before.clone(),
            Some(name) => match self.handle.block_on(repository.resolve(name))? {
                Some(commit) => self
                    .handle
                    .block_on(repository.merge_base(&commit, &self.commit))?,
                None => None,
            },
        };
        let Some(base) = base else {
            return Ok(None);
        };
        let changed = repository.changed_paths(&base, &self.commit, LISTED_FILES);
        Ok(self.handle.block_on(changed)?.map(|list| list.paths))
    }
}

impl PipelineFiles for CommitFiles {
    fn open(&self, path: &str, limit: u64) -> io::Result<Option<Box<dyn Read>>> {
        let content = self.read(path, limit).map_err(io::Error::other)?;
        Ok(content.map(|bytes| Box::new(io::Cursor::new(bytes)) as Box<dyn Read>))
    }

    fn last_change(&self, path: &str) -> io::Result<Option<String>> {
        let newest = History {
            path: Some(path.to_owned()),
            limit: 1,
            ..History::default()
        };
        let found = self.repository.history(&self.commit, &newest);
        let found = self.handle.block_on(found).map_err(io::Error::other)?;
        Ok(found.into_iter().next().map(|commit| commit.id))
    }
}

impl shipway_config::Source for CommitFiles {
    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        let changes = self
            .changed(compare_to)
            .map_err(|error| SourceError::Unreadable(error.to_string()))?;
        if changes.is_none() && compare_to.is_some() {
            return Err(SourceError::NotFound);
        }
        Ok(changes)
    }

    fn local(&self, path: &str) -> Result<String, SourceError> {
        let limit = Limits::default().yaml_bytes;
        let read =
            self.repository
                .read_file(&self.commit, path.trim_start_matches('/'), limit as u64);
        let bytes = match self.handle.block_on(read) {
            Ok(bytes) => bytes.ok_or(SourceError::NotFound)?,
            Err(QueryError::TooLarge { .. }) => {
                return Err(SourceError::TooLarge { limit });
            }
            Err(error) => return Err(SourceError::Unreadable(error.to_string())),
        };
        String::from_utf8(bytes).map_err(|_| SourceError::NotText)
    }

    fn list(&self) -> Vec<String> {
        let listed = self.repository.list_files(&self.commit, LISTED_FILES);
        match self.handle.block_on(listed) {
            Ok(list) => list.paths,
            Err(error) => {
                tracing::warn!(%error, "commit.files.unlisted");
                Vec::new()
            }
        }
    }

    fn project(&self, request: &ProjectRequest<'_>) -> Result<OtherProject, OtherProjectError> {
        let (repository, name) = self.other(request)?;
        let commit = self.handle.block_on(async {
            match name {
                Some(name) => repository.resolve(&name).await,
                None => Ok(None),
            }
        });
        let commit = commit.map_err(unreadable)?.ok_or(OtherProjectError::Ref)?;
        let files = Self {
            repository,
            commit: commit.clone(),
            before: None,
            handle: self.handle.clone(),
            elsewhere: self.elsewhere.clone(),
        };
        Ok(OtherProject {
            sha: Some(commit),
            files: Rc::new(files),
        })
    }

    fn tags_of(&self, request: &ProjectRequest<'_>) -> Result<Vec<String>, OtherProjectError> {
        let (repository, _) = self.other(request)?;
        let refs = self
            .handle
            .block_on(repository.refs())
            .map_err(unreadable)?;
        Ok(refs.tags.into_iter().map(|tag| tag.name).collect())
    }

    fn list_of(
        &self,
        project: &str,
        git_ref: Option<&str>,
    ) -> Result<Vec<String>, OtherProjectError> {
        let request = ProjectRequest {
            git_ref,
            ..ProjectRequest::new(project)
        };
        Ok(self.project(&request)?.files.list())
    }

    fn remote(&self, url: &str, max_age: Option<Duration>) -> Result<String, RemoteError> {
        self.elsewhere.remote(url, max_age)
    }

    fn template(&self, name: &str) -> Result<String, SourceError> {
        self.elsewhere.template(name)
    }

    fn out_of_time(&self) -> Option<Duration> {
        self.elsewhere.out_of_time()
    }
}

fn unreadable(error: impl std::fmt::Display) -> SourceError {
    SourceError::Unreadable(error.to_string())
}
