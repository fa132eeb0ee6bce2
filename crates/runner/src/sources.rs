//! Stage `get_sources`: what the job finds in its project directory.

use std::sync::Arc;

use shipway_git::{CopyMethod, Tree};

use crate::control::Request;
use crate::directory;
use crate::executor::Executor;
use crate::failure::Failure;
use crate::job::Job;
use crate::runner::Sources;
use crate::stage::{Stage, blocking, executor_failure};

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
            self.log.line("Skipping Git repository setup").await;
            return Ok(());
        }
        self.run_hook(executor, "pre_get_sources_script").await?;
        match (strategy, self.sources) {
            (Strategy::Fetch | Strategy::Clone, Sources::Directory { snapshot, .. }) => {
                self.copy(Arc::clone(snapshot)).await?;
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
        self.run_hook(executor, "post_get_sources_script").await
    }

    async fn copy(&mut self, snapshot: Arc<Tree>) -> Result<(), Failure> {
        let project = self.directory()?.project.clone();
        let copied = blocking(move || {
            // Links that an earlier job or a hook left in there would lead the copy astray.
            directory::clear(&project).map_err(|error| Failure::system(&error))?;
            let copied = snapshot.copy_to(&project);
            copied.map_err(|error| Failure::system(&error))
        })
        .await?;
        let how = match copied.method {
            CopyMethod::Copy => "",
            _ => ", sharing blocks with the snapshot",
        };
        self.log
            .line(&format!("Copied {} files{how}", copied.files))
            .await;
        Ok(())
    }

    /// Empties the project directory.
    async fn clear_project(&mut self) -> Result<(), Failure> {
        let project = self.directory()?.project.clone();
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
        };
        let end = self.run_stage(executor, stage).await?;
        self.check(end, self.deadline)?;
        executor.reclaim().await.map_err(executor_failure)?;
        Ok(())
    }
}
