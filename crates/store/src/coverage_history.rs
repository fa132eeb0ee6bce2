//! What coverage the jobs of a branch had from day to day.

use crate::error::StoreError;
use crate::ids::ProjectId;
use crate::sql::query;
use crate::store::Store;

/// Jobs that are looked at.
const MOST: i64 = 100_000;

/// The newest come first, so that of too many the oldest are missing.
const COVERED: &str = "SELECT jobs.name, jobs.finished_at, jobs.coverage FROM jobs \
    JOIN pipelines ON pipelines.id = jobs.pipeline_id \
    WHERE pipelines.project_id = $1 AND pipelines.ref_name = $2 AND pipelines.ref_kind = 'branch' \
    AND jobs.coverage IS NOT NULL AND jobs.finished_at >= $3 AND jobs.finished_at < $4 \
    ORDER BY jobs.id DESC LIMIT $5";

/// A job with its coverage.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct CoveredJob {
    /// What it is called.
    pub name: String,
    /// When it ended.
    pub finished_at: i64,
    /// Per cent.
    pub coverage: f64,
}

impl Store {
    /// The jobs of a branch with coverage that ended from `from` on and before `to`, the newest
    /// first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn covered_jobs(
        &self,
        project: ProjectId,
        branch: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<CoveredJob>, StoreError> {
        let find = query(COVERED).bind(project).bind(branch);
        self.all(find.bind(from).bind(to).bind(MOST)).await
    }
}
