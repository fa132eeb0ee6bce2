//! Why a job waits: in one sentence, which tag, protected ref or paused runner stands in the
//! way.

use shipway_pipeline::{Candidate, Status, Wanted, why_stuck};
use shipway_store::{JobRow, ProjectId, RunnerRow};

use crate::candidate::candidate;
use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::settings::ProjectSettings;

/// A runner that was heard of within this time is online; as on GitLab.
const ONLINE: i64 = 2 * 60 * 60 * 1_000_000;

/// A runner that was heard of at this time or later is online now.
pub fn online_since() -> i64 {
    now().saturating_sub(ONLINE)
}

/// Whether a runner was heard of lately.
pub fn is_online(runner: &RunnerRow) -> bool {
    (runner.contacted_at).is_some_and(|at| now().saturating_sub(at) < ONLINE)
}

impl Coordinator {
    /// Why a pending job is not taken; nothing when a runner may take it, or when it does not
    /// wait for one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn why_stuck(&self, job: &JobRow) -> Result<Option<String>, Error> {
        let (Status::Pending, Some(project)) = (job.status, job.project_id) else {
            return Ok(None);
        };
        let Some(wanted) = self.wanted_in(project).await? else {
            return Ok(None);
        };
        let wanted = Wanted {
            tags: serde_json::from_str(&job.tags).unwrap_or_default(),
            protected: job.protected,
            ..wanted
        };
        Ok(why_stuck(&wanted, &self.candidates(project).await?))
    }

    /// The runners that a project's jobs may run on, tags and the like aside.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn candidates(&self, project: ProjectId) -> Result<Vec<Candidate>, Error> {
        let rows = self.store.runners_for_project(project).await?;
        // A runner of projects was found because it has this one.
        let candidate = |row: &RunnerRow| candidate(row, &[project], is_online(row));
        Ok(rows.iter().map(candidate).collect())
    }

    /// What all jobs of a project ask for; none when the project is gone.
    pub(crate) async fn wanted_in(&self, project: ProjectId) -> Result<Option<Wanted>, Error> {
        let Some(row) = self.store.project(project).await? else {
            return Ok(None);
        };
        let settings = ProjectSettings::of(&row);
        let groups = self
            .store
            .namespace_with_ancestors(row.namespace_id)
            .await?;
        Ok(Some(Wanted {
            project: project.0,
            groups: groups.iter().map(|group| group.id.0).collect(),
            no_instance_runners: !settings.shared_runners_enabled,
            no_group_runners: !settings.group_runners_enabled,
            ..Wanted::default()
        }))
    }
}
