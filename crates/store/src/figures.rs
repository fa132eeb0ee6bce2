//! How much there is to do, and who is there to do it: for whoever watches a server.

use crate::error::StoreError;
use crate::sql::query;
use crate::store::Store;

/// Each is a look into an index, but for the runners, of which there are few.
const FIGURES: &str = "SELECT \
    (SELECT count(*) FROM jobs WHERE status = 'pending' AND project_id IS NOT NULL) AS pending, \
    (SELECT count(*) FROM jobs WHERE status IN ('running', 'canceling') \
        AND project_id IS NOT NULL) AS running, \
    (SELECT count(*) FROM runners) AS runners, \
    (SELECT count(*) FROM runners WHERE contacted_at >= $1 AND NOT paused) AS online";

/// Numbers of jobs and runners at one instant, of all servers that share the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Figures {
    /// Jobs that wait for a runner.
    pub pending: i64,
    /// Jobs that are with a runner.
    pub running: i64,
    /// Runners.
    pub runners: i64,
    /// Runners that are not paused and were heard of lately.
    pub online: i64,
}

impl Store {
    /// The figures; online is who was heard of at `since` or later, in microseconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn figures(&self, since: i64) -> Result<Figures, StoreError> {
        let found = self.optional(query(FIGURES).bind(since)).await?;
        Ok(found.unwrap_or_default())
    }
}
