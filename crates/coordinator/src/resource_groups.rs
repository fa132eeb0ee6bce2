//! Resource groups of projects: which waiting job gets the resource next.

use shipway_pipeline::{Claimant, Event, JobId, ProcessMode, Status, next_in_group};
use shipway_store::ResourceGroupRow;

use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::live::Live;

impl Coordinator {
    /// Gives free resources to the jobs whose turn it is.
    pub(crate) async fn hand_on_resources(&self) -> Result<(), Error> {
        if self.hosting.is_none() {
            return Ok(());
        }
        for group in self.store.awaited_resource_groups().await? {
            self.hand_on(&group).await?;
        }
        Ok(())
    }

    /// Who gives the resource notes first to whom, so that of two servers one gives it. One
    /// that died in between has left a holder that still waits, who gets it now.
    async fn hand_on(&self, group: &ResourceGroupRow) -> Result<(), Error> {
        let rows = self.store.claimants(group.id).await?;
        let left = rows.iter().find(|row| {
            Some(row.job_id.0) == group.holder && row.status == Status::WaitingForResource
        });
        let claimants: Vec<Claimant> = (rows.iter())
            .map(|row| Claimant {
                pipeline: row.pipeline_id,
                job: row.job_id,
                status: row.status,
            })
            .collect();
        let mode = ProcessMode::from_name(&group.process_mode).unwrap_or_default();
        let next = match left {
            Some(row) => Some(row.job_id),
            None => next_in_group(mode, &claimants),
        };
        let Some(row) = rows.iter().find(|row| Some(row.job_id) == next) else {
            return Ok(());
        };
        if left.is_none() && !self.give(group, row.job_id).await? {
            return Ok(());
        }
        let job = row.job_id;
        let assigned = |live: &Live| Ok(vec![Event::Assigned(live.current(job)?)]);
        match self.advance(row.pipeline_id, &assigned, &[]).await {
            // It was cancelled in the meantime: the next round finds another.
            Err(Error::NoJob(_) | Error::Illegal(_)) => Ok(()),
            done => done.map(drop),
        }
    }

    async fn give(&self, group: &ResourceGroupRow, job: JobId) -> Result<bool, Error> {
        let mut transaction = self.store.begin().await?;
        let given = transaction.give_resource(group.id, group.holder, job);
        let given = given.await?;
        transaction.commit().await?;
        Ok(given)
    }
}
