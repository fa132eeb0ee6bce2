//! A runner as far as it matters for which jobs it may take.

use shipway_pipeline::{Candidate, Reach};
use shipway_store::{ProjectId, RunnerKind, RunnerRow};

use crate::coordinator::Coordinator;
use crate::error::Error;

impl Coordinator {
    /// A runner with the projects that it is assigned to.
    pub(crate) async fn candidate(
        &self,
        runner: &RunnerRow,
        online: bool,
    ) -> Result<Candidate, Error> {
        let projects = match runner.kind {
            RunnerKind::Project => self.store.runner_projects(runner.id).await?,
            RunnerKind::Instance | RunnerKind::Group => Vec::new(),
        };
        Ok(candidate(runner, &projects, online))
    }
}

/// A runner as far as it matters for matching; `projects` are those that it is assigned to.
pub fn candidate(runner: &RunnerRow, projects: &[ProjectId], online: bool) -> Candidate {
    Candidate {
        name: runner.description.clone(),
        reach: match runner.kind {
            RunnerKind::Instance => Reach::Instance,
            RunnerKind::Group => Reach::Groups(runner.owner_id.into_iter().collect()),
            RunnerKind::Project => Reach::Projects(projects.iter().map(|id| id.0).collect()),
        },
        tags: serde_json::from_str(&runner.tags).unwrap_or_default(),
        run_untagged: runner.run_untagged,
        protected_only: runner.protected_only,
        paused: runner.paused,
        online,
    }
}
