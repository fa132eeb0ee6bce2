//! Tests that failed on a project's default branch.

use std::collections::HashMap;

use shipway_pipeline::JobId;

use crate::error::StoreError;
use crate::ids::ProjectId;
use crate::sql::{Query, query};
use crate::store::Store;
use crate::transaction::Transaction;

const INSERT: &str = "INSERT INTO test_failures (job_id, test, project_id, failed_at) \
    VALUES ($1, $2, $3, $4) ON CONFLICT (job_id, test) DO NOTHING";

const SINCE: &str =
    "SELECT test FROM test_failures WHERE project_id = $1 AND failed_at > $2 AND test IN";

const DELETE_BEFORE: &str = "DELETE FROM test_failures WHERE failed_at <= $1";

/// Tests of one question.
const AT_ONCE: usize = 1000;

impl Store {
    /// How often each of these tests failed after `since`; those that did not are not in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_test_failures(
        &self,
        project: ProjectId,
        since: i64,
        tests: &[String],
    ) -> Result<HashMap<String, u64>, StoreError> {
        let mut counts = HashMap::new();
        for chunk in tests.chunks(AT_ONCE) {
            let head = vec![project.into(), since.into()];
            let find = Query::list(SINCE, head, chunk.iter().map(Into::into));
            let rows: Vec<(String,)> = self.all(find).await?;
            for (test,) in rows {
                *counts.entry(test).or_default() += 1;
            }
        }
        Ok(counts)
    }
}

impl Transaction {
    /// Notes tests of a job that failed.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn insert_test_failures(
        &mut self,
        project: ProjectId,
        job: JobId,
        at: i64,
        tests: &[String],
    ) -> Result<(), StoreError> {
        for test in tests {
            let insert = query(INSERT).bind(job.0).bind(test);
            self.execute(insert.bind(project).bind(at)).await?;
        }
        Ok(())
    }

    /// Forgets the failures up to a time, and returns how many there were.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_test_failures(&mut self, up_to: i64) -> Result<u64, StoreError> {
        self.execute(query(DELETE_BEFORE).bind(up_to)).await
    }
}
