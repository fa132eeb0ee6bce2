//! The stages in which archives come and go: one section of the log, one entry after the other.

use shipway_protocol::{ArtifactSpec, CacheSpec, Dependency};

use crate::failure::Failure;
use crate::job::Job;

/// One entry of such a stage.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Transfer<'a> {
    /// A cache into the project directory.
    Restore(&'a CacheSpec),
    /// A cache out of it.
    Save(&'a CacheSpec),
    /// Another job's artifacts into the project directory.
    Download(&'a Dependency),
    /// Artifacts out of it.
    Upload(&'a ArtifactSpec),
}

impl Transfer<'_> {
    /// Whether the entries after this one are of use when it failed: reports tell of a job
    /// also where its archive is missing.
    fn others_go_on(self) -> bool {
        matches!(self, Self::Upload(_))
    }
}

impl Job<'_> {
    /// Does all of `transfers` in the section `name`; without any there is no section. The
    /// first failure is the stage's, unless a later one ends the job.
    pub(crate) async fn transfer_all(
        &mut self,
        name: &str,
        heading: &str,
        transfers: Vec<Transfer<'_>>,
    ) -> Result<(), Failure> {
        if transfers.is_empty() {
            return Ok(());
        }
        self.log.open_section(name, heading).await;
        let mut result = Ok(());
        for transfer in transfers {
            let done = match transfer {
                Transfer::Restore(spec) => self.restore_cache(spec).await,
                Transfer::Save(spec) => self.save_cache(spec).await,
                Transfer::Download(dependency) => self.download_with_attempts(dependency).await,
                Transfer::Upload(spec) => self.upload(spec).await,
            };
            let Err(failure) = done else {
                continue;
            };
            let ends = failure.halts() || !transfer.others_go_on();
            if result.is_ok() || failure.halts() {
                result = Err(failure);
            }
            if ends {
                break;
            }
        }
        self.log.close_section(name).await;
        result
    }
}
