//! Stage `get_sources`: what the job finds in its project directory.

use std::path::Path;
use std::sync::Arc;

use shipway_git::{Copied, CopyMethod, Renewed, Tree};

use crate::control::Request;
use crate::directory::{self, DirectoryError, SnapshotCopy};
use crate::executor::Executor;
use crate::failure::Failure;
use crate::job::Job;
use crate::runner::Sources;
use crate::stage::{Stage, blocking, executor_failure};
use crate::sticky::Sticky;

/// `GIT_STRATEGY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// What an earlier job left is brought up to date.
    Fetch,
    /// Everything is fetched anew.
    Clone,
    /// The directory stays as it is.
    None,
    /// The directory is emptied.
    Empty,
}

impl Job<'_> {
    pub(crate) fn strategy(&self) -> Strategy {
        match self.variables.get("GIT_STRATEGY").as_str() {
            "none" => Strategy::None,
            "empty" => Strategy::Empty,
            "clone" => Strategy::Clone,
            "" if !self.payload.allow_git_fetch => Strategy::Clone,
            _ => Strategy::Fetch,
        }
    }

    pub(crate) async fn get_sources<E: Executor>(
        &mut self,
        executor: &mut E,
    ) -> Result<(), Failure> {
        let strategy = self.strategy();
        let heading = match (self.sources, strategy) {
            (Sources::Directory { .. }, Strategy::Fetch | Strategy::Clone) => {
                "Getting sources from a snapshot of the work tree"
            }
            _ => "Getting source from Git repository",
        };
        self.log.open_section("get_sources", heading).await;
        let result = self.fetch_sources(executor, strategy).await;
        self.log.close_section("get_sources").await;
        result
    }

    async fn fetch_sources<E: Executor>(
        &mut self,
        executor: &mut E,
        strategy: Strategy,
    ) -> Result<(), Failure> {
        if strategy == Strategy::None {
            if self.directory()?.copy.is_some() {
                // Another job's copy is none of its business.
                self.clear_project().await?;
            }
            self.log.line("Skipping Git repository setup").await;
            return Ok(());
        }
        if let Some(last) = self.workspace_of().await? {
            self.log
                .line(&format!(
                    "Workspace of the pipeline as job `{last}` left it; sources are not fetched again"
                ))
                .await;
            return self.mark_workspace();
        }
        self.run_hook(executor, "pre_get_sources_script").await?;
        match (strategy, self.sources) {
            (Strategy::Fetch | Strategy::Clone, Sources::Directory { snapshot, .. }) => {
                let to_others = executor.runs_as_other_user();
                self.copy(Arc::clone(snapshot), to_others).await?;
            }
            (Strategy::Fetch, Sources::Git) => self.fetch_git(false).await?,
            (Strategy::Clone, Sources::Git) => self.fetch_git(true).await?,
            _ => {
                self.clear_project().await?;
                self.log
                    .line("Skipping Git repository setup and creating an empty build directory")
                    .await;
            }
        }
        self.run_hook(executor, "post_get_sources_script").await?;
        self.mark_workspace()
    }

    /// The job that was last in the workspace of this pipeline, where its sources can be used
    /// as they are. A strategy that empties the directory is heeded all the same.
    async fn workspace_of(&mut self) -> Result<Option<String>, Failure> {
        let (Some(sticky), Ok(directory)) = (self.sticky, self.directory()) else {
            return Ok(None);
        };
        let mark = directory.sources_mark();
        // A local run has a single pipeline and a snapshot that never changes.
        let stays = sticky == Sticky::Pipeline || matches!(self.sources, Sources::Directory { .. });
        let strategy = self.variables.get("GIT_STRATEGY");
        let last = blocking(move || {
            let last = std::fs::read_to_string(&mark).ok();
            // Until this job has its sources nobody can rely on them.
            let _ = std::fs::remove_file(&mark);
            last
        })
        .await;
        Ok(last.filter(|_| stays && matches!(strategy.as_str(), "" | "fetch")))
    }

    /// Says in the workspace that its sources are there.
    fn mark_workspace(&self) -> Result<(), Failure> {
        if self.sticky.is_none() {
            return Ok(());
        }
        let mark = self.directory()?.sources_mark();
        let name = &self.payload.job_info.name;
        std::fs::write(&mark, name)
            .map_err(|source| Failure::system(&DirectoryError::Create { path: mark, source }))
    }

    /// Makes what an earlier job left of the snapshot like new, or copies it anew.
    async fn copy(&mut self, snapshot: Arc<Tree>, to_others: bool) -> Result<(), Failure> {
        let directory = self.directory_mut()?;
        let (project, earlier) = (directory.project.clone(), directory.copy.take());
        let (provided, copy) = blocking(move || {
            let provided = provide(&snapshot, &project, earlier)?;
            if to_others {
                directory::open_to_everyone(&project).map_err(|error| Failure::system(&error))?;
            }
            // A copy that cannot be looked at is removed after the job.
            let marks = snapshot.look(&project).ok();
            let copy = marks.map(|marks| SnapshotCopy {
                tree: snapshot,
                marks,
            });
            Ok((provided, copy))
        })
        .await?;
        self.directory_mut()?.copy = copy;
        self.log.line(&provided.to_string()).await;
        Ok(())
    }

    /// Empties the project directory.
    async fn clear_project(&mut self) -> Result<(), Failure> {
        let directory = self.directory_mut()?;
        directory.copy = None;
        let project = directory.project.clone();
        blocking(move || directory::clear(&project))
            .await
            .map_err(|error| Failure::system(&error))
    }

    /// Runs a hook of the job's and of the runner's configuration, which encloses it.
    async fn run_hook<E: Executor>(&mut self, executor: &mut E, name: &str) -> Result<(), Failure> {
        let scripts = &self.config.scripts;
        let (before, after) = match name {
            "pre_get_sources_script" => (scripts.pre_get_sources.clone(), None),
            _ => (None, scripts.post_get_sources.clone()),
        };
        let of_job = self
            .payload
            .hooks
            .iter()
            .filter(|hook| hook.name == name)
            .flat_map(|hook| hook.script.iter().cloned());
        let commands: Vec<String> = before.into_iter().chain(of_job).chain(after).collect();
        if commands.is_empty() {
            return Ok(());
        }
        let stage = Stage {
            commands: &commands,
            sections: name,
            announcement: None,
            status: "running",
            deadline: self.deadline,
            stop_on: Request::Cancel,
            failure_shell: None,
        };
        let end = self.run_stage(executor, stage).await?;
        self.check(end, self.deadline)?;
        executor.reclaim().await.map_err(executor_failure)?;
        Ok(())
    }
}

/// How the snapshot came into the project directory.
enum Provided {
    Renewed(Renewed),
    Copied(Copied),
}

impl std::fmt::Display for Provided {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Renewed(renewed) => write!(
                formatter,
                "Kept {} files of the job before, copied {} and removed {}",
                (renewed.copied.files + renewed.copied.links).saturating_sub(renewed.again),
                renewed.again,
                renewed.removed
            ),
            Self::Copied(copied) => {
                let how = match copied.method {
                    CopyMethod::Copy => "",
                    _ => ", sharing blocks with the snapshot",
                };
                write!(formatter, "Copied {} files{how}", copied.files)
            }
        }
    }
}

fn provide(
    snapshot: &Arc<Tree>,
    project: &Path,
    earlier: Option<SnapshotCopy>,
) -> Result<Provided, Failure> {
    let renewed = earlier
        .filter(|earlier| Arc::ptr_eq(&earlier.tree, snapshot))
        .and_then(|earlier| snapshot.renew(project, &earlier.marks).ok());
    if let Some(renewed) = renewed {
        return Ok(Provided::Renewed(renewed));
    }
    // Links that an earlier job or a hook left in there would lead the copy astray.
    directory::clear(project).map_err(|error| Failure::system(&error))?;
    let copied = snapshot.copy_to(project);
    copied
        .map(Provided::Copied)
        .map_err(|error| Failure::system(&error))
}
