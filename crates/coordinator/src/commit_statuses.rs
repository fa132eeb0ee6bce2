//! What other systems say about a commit, GitLab's external commit statuses.
//!
//! Each belongs to a pipeline of the commit. It does not change the status of a pipeline that
//! has jobs of its own; where the commit has none, the statuses have a pipeline of the source
//! `external` to themselves, whose status is theirs: a single one, however many speak first at
//! the same time.

use shipway_pipeline::{PipelineId, Source, Status, StatusSet};
use shipway_store::{CommitStatusRow, NewCommitStatus, PipelineUpdate, ProjectRow, UserRow};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::notice::Notice;
use crate::start::PipelineRequest;

/// What somebody says about a commit.
#[derive(Debug, Clone)]
pub struct StatusReport {
    /// In which project.
    pub project: ProjectRow,
    /// Who says so.
    pub user: Option<UserRow>,
    /// The commit.
    pub sha: String,
    /// The full name of a branch or tag with the commit.
    pub reference: String,
    /// Whose status it is; of one name there is one in a pipeline.
    pub name: String,
    /// Where it stands.
    pub status: Status,
    /// Where people see more.
    pub target_url: Option<String>,
    /// A few words.
    pub description: Option<String>,
    /// Per cent.
    pub coverage: Option<f64>,
    /// A pipeline of the commit; none for a new one.
    pub pipeline: Option<PipelineId>,
}

impl Coordinator {
    /// Stores what is said about a commit.
    ///
    /// # Errors
    /// [`Error::NoCommit`], [`Error::NoPipeline`]; otherwise when the repository or the store
    /// fails.
    pub async fn report_status(&self, report: &StatusReport) -> Result<CommitStatusRow, Error> {
        let id = match report.pipeline {
            Some(id) => id,
            None => {
                let request = PipelineRequest {
                    project: report.project.clone(),
                    user: report.user.clone(),
                    reference: report.reference.clone(),
                    sha: report.sha.clone(),
                    before_sha: None,
                    source: Source::External,
                    about: Vec::new(),
                    variables: Vec::new(),
                    inputs: shipway_config::InputValues::new(),
                    skip: false,
                };
                self.create_external(&request, report.status).await?
            }
        };
        let at = now();
        let mut transaction = self.store().begin().await?;
        let pipeline = transaction.pipeline(id).await?;
        let row = transaction
            .set_commit_status(&NewCommitStatus {
                project_id: report.project.id,
                pipeline_id: id,
                sha: report.sha.clone(),
                ref_name: pipeline.ref_name.clone(),
                name: report.name.clone(),
                status: report.status,
                target_url: report.target_url.clone(),
                description: report.description.clone(),
                coverage: report.coverage,
                user_id: report.user.as_ref().map(|user| user.id),
                at,
            })
            .await?;
        let mut changed = None;
        if pipeline.source == Source::External.as_str() {
            let all = transaction.commit_statuses_of(id).await?;
            let set: StatusSet = all.iter().map(|row| (row.status, false)).collect();
            let status = set.status().unwrap_or(report.status);
            let started = status != Status::Pending && pipeline.started_at.is_none();
            let update = PipelineUpdate {
                started_at: started.then_some(at),
                finished_at: status.is_completed().then_some(at),
                coverage: report.coverage,
            };
            transaction.set_pipeline_status(id, status, &update).await?;
            changed = Some(status);
        }
        transaction.commit().await?;
        if let Some(status) = changed {
            self.release(id);
            self.publish(Notice::Pipeline {
                pipeline: id,
                status,
            });
        }
        Ok(row)
    }
}
