//! Stage `get_sources`: what the job finds in its project directory.

use std::path::Path;

use shipway_git::CopyMethod;

use crate::control::Request;
use crate::directory;
use crate::executor::Executor;
use crate::failure::Failure;
use crate::job::Job;
use crate::runner::Sources;
use crate::source::JobSource;
use crate::stage::{Stage, blocking, executor_failure};

/// `GIT_STRATEGY`, as far as it makes a difference here: every job's directory is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    Fetch,
    None,
    Empty,
}

impl<S: JobSource> Job<'_, S> {
    pub(crate) fn strategy(&self) -> Strategy {
        match self.variables.get("GIT_STRATEGY").as_str() {
            "none" => Strategy::None,
            "empty" => Strategy::Empty,
            _ => Strategy::Fetch,
        }
    }

    pub(crate) async fn get_sources<E: Executor>(
        &mut self,
        executor: &mut E,
    ) -> Result<(), Failure> {
        let strategy = self.strategy();
        let heading = match (self.sources, strategy) {
            (Sources::Directory { .. }, Strategy::Fetch) => {
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
            (Strategy::Fetch, Sources::Directory { path, .. }) => self.copy(path).await?,
            _ => {
                self.log
                    .line("Skipping Git repository setup and creating an empty build directory")
                    .await;
            }
        }
        self.run_hook(executor, "post_get_sources_script").await
    }

    async fn copy(&mut self, snapshot: &Path) -> Result<(), Failure> {
        let (from, to) = (snapshot.to_owned(), self.directory()?.project.clone());
        let copied = blocking(move || shipway_git::copy_tree(&from, &to))
            .await
            .map_err(|error| Failure::system(&error))?;
        let how = match copied.method {
            CopyMethod::Copy => "",
            _ => ", sharing blocks with the snapshot",
        };
        self.log
            .line(&format!("Copied {} files{how}", copied.files))
            .await;
        Ok(())
    }

    /// Runs a hook of the job's. What it leaves in the project directory does not stay when
    /// it comes before the sources: links in there would lead the copy astray.
    async fn run_hook<E: Executor>(&mut self, executor: &mut E, name: &str) -> Result<(), Failure> {
        let commands: Vec<String> = self
            .payload
            .hooks
            .iter()
            .filter(|hook| hook.name == name)
            .flat_map(|hook| hook.script.iter().cloned())
            .collect();
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
        if name == "pre_get_sources_script" {
            let project = self.directory()?.project.clone();
            blocking(move || directory::clear(&project))
                .await
                .map_err(|error| Failure::system(&error))?;
        }
        Ok(())
    }
}
