//! How often a test failed lately on the default branch: whether a failure is this change's, or
//! has been there before (language inventory, 9.5).

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use shipway_store::{JobRow, ProjectRow, Transaction};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::reports::junit::TestCase;

/// Days that are looked back; GitLab's.
pub const RECENT_DAYS: i64 = 14;

/// Failures of a job that are noted; GitLab's.
pub(crate) const MOST_NOTED: usize = 200;

/// In microseconds.
const DAY: i64 = 24 * 3600 * 1_000_000;

/// How often tests failed, by [`RecentFailures::of`].
#[derive(Debug, Clone, Default)]
pub struct RecentFailures(HashMap<String, u64>);

impl RecentFailures {
    /// How often the test of a job did.
    pub fn of(&self, job: &str, case: &TestCase) -> u64 {
        let found = self.0.get(&test_id(job, &case.classname, &case.name));
        found.copied().unwrap_or_default()
    }
}

/// What a test is known by from pipeline to pipeline.
pub(crate) fn test_id(job: &str, class: &str, name: &str) -> String {
    let mut digest = Sha256::new();
    for part in [job, class, name] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    let bytes = digest.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Coordinator {
    /// How often the tests of a job that failed did so lately on the default branch.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recent_failures<'a>(
        &self,
        project: &ProjectRow,
        job: &str,
        failed: impl Iterator<Item = &'a TestCase>,
    ) -> Result<RecentFailures, Error> {
        let tests: Vec<String> = failed
            .map(|case| test_id(job, &case.classname, &case.name))
            .collect();
        let since = now() - RECENT_DAYS * DAY;
        let counts = self.store.count_test_failures(project.id, since, &tests);
        Ok(RecentFailures(counts.await?))
    }

    /// Forgets the failures that nobody asks for any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn forget_test_failures(&self) -> Result<u64, Error> {
        let mut transaction = self.store.begin().await?;
        let gone = transaction.delete_test_failures(now() - RECENT_DAYS * DAY);
        let gone = gone.await?;
        transaction.commit().await?;
        Ok(gone)
    }
}

/// Notes the tests of a job that failed, as classes and names, if it is one of the default
/// branch.
pub(crate) async fn note(
    transaction: &mut Transaction,
    job: &JobRow,
    failed: &[(String, String)],
) -> Result<(), Error> {
    let (Some(project), false) = (job.project_id, failed.is_empty()) else {
        return Ok(());
    };
    let pipeline = transaction.pipeline(job.pipeline_id).await?;
    let project = transaction.project(project).await?;
    let is_default = pipeline.ref_kind == "branch"
        && project.default_branch.as_deref() == Some(pipeline.ref_name.as_str());
    if !is_default {
        return Ok(());
    }
    let tests: Vec<String> = (failed.iter().take(MOST_NOTED))
        .map(|(class, name)| test_id(&job.name, class, name))
        .collect();
    Ok(transaction
        .insert_test_failures(project.id, job.id, now(), &tests)
        .await?)
}
