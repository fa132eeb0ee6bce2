//! What people ask of a pipeline, and what time does to it.

use std::time::Duration;

use shipway_pipeline::{Event, JobId, PipelineId, Status};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::live::Live;

impl Coordinator {
    /// Cancels whatever of the pipeline is not finished; running jobs get to know it from
    /// their runner.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn cancel_pipeline(&self, pipeline: PipelineId) -> Result<(), Error> {
        let cancel = |_: &Live| Ok(vec![Event::CancelPipeline]);
        self.advance(pipeline, &cancel, &[]).await
    }

    /// Sets off a manual or delayed job, or retries a finished one.
    ///
    /// # Errors
    /// When the job's status does not allow it, or the store fails.
    pub async fn play(&self, job: JobId) -> Result<(), Error> {
        let pipeline = self.pipeline_of(job).await?;
        let play = |live: &Live| {
            let index = live.index(job).ok_or(Error::NoJob(job))?;
            Ok(vec![Event::Play(index)])
        };
        self.advance(pipeline, &play, &[]).await
    }

    /// Lets the delayed jobs become pending whose time has come, and says how long it is
    /// until the next one's.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start_due(&self, pipeline: PipelineId) -> Result<Option<Duration>, Error> {
        let now = now();
        let due: Vec<usize> = {
            let all = self.load(pipeline).await?;
            let live = all.get(&pipeline).ok_or(Error::Held(pipeline.0))?;
            let scheduled = live.jobs.iter().enumerate();
            scheduled
                .filter(|(_, row)| row.status == Status::Scheduled)
                .filter(|(_, row)| row.scheduled_at.is_none_or(|at| at <= now))
                .map(|(index, _)| index)
                .collect()
        };
        if !due.is_empty() {
            let events = |_: &Live| Ok(due.iter().map(|index| Event::Due(*index)).collect());
            self.advance(pipeline, &events, &[]).await?;
        }
        let all = self.load(pipeline).await?;
        let live = all.get(&pipeline).ok_or(Error::Held(pipeline.0))?;
        let next = (live.jobs.iter())
            .filter(|row| row.status == Status::Scheduled)
            .filter_map(|row| row.scheduled_at)
            .min();
        Ok(next.map(|at| Duration::from_micros(u64::try_from(at - now).unwrap_or_default())))
    }

    /// Cancels the pipelines that a process left behind when it died, and returns them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<Vec<PipelineId>, Error> {
        let mut recovered = Vec::new();
        for row in self.store.unfinished_pipelines().await? {
            // A pipeline that waits for a person was left on purpose.
            let waits = matches!(row.status, Status::Manual | Status::Scheduled);
            if waits || self.store.is_held(row.id) {
                continue;
            }
            let ended = |live: &Live| {
                let running = live.state.jobs.iter().enumerate();
                let running = running.filter(|(_, job)| job.status.is_executing());
                let mut events = vec![Event::CancelPipeline];
                events.extend(running.map(|(index, _)| Event::Canceled(index)));
                Ok(events)
            };
            match self.advance(row.id, &ended, &[]).await {
                Ok(()) => recovered.push(row.id),
                Err(Error::Held(_)) => {}
                Err(error) => return Err(error),
            }
            self.release(row.id).await;
        }
        Ok(recovered)
    }
}
