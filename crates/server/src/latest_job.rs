//! The job that a link to artifacts by ref and name means.

use shipway_pipeline::Status;
use shipway_store::{JobRow, Page, PipelineFilter, ProjectRow, StoreError};

use crate::app::App;

/// Pipelines of a ref that are looked at.
const LOOKED_AT: i64 = 100;

impl App {
    /// The job of this name in the newest successful pipeline of the ref that has it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn latest_job(
        &self,
        project: &ProjectRow,
        reference: &str,
        name: &str,
    ) -> Result<Option<JobRow>, StoreError> {
        let filter = PipelineFilter {
            ref_name: Some(reference.to_owned()),
            status: Some(Status::Success),
            ..PipelineFilter::default()
        };
        let page = Page::first(LOOKED_AT);
        let found = self.store().pipelines_of_project(project.id, &filter, page);
        for pipeline in found.await?.rows {
            let mut jobs = self.store().jobs(pipeline.id).await?.into_iter();
            let job = jobs.find(|job| !job.retried && job.name == name);
            if job.is_some() {
                return Ok(job);
            }
        }
        Ok(None)
    }
}
