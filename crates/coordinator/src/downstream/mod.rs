//! Jobs that start other pipelines, and what becomes of them as those go on.
//!
//! Nothing here remembers: each round looks at the rows, on a nudge by a step of a pipeline
//! that has to do with another, and in a server also by the clock. What a crash leaves undone,
//! the next round does.

mod artifact;
mod child;
mod family;
mod project;
mod variables;

use std::sync::Arc;

use shipway_config::variables::{Collection, Variable};
use shipway_config::{Job, Strategy, Trigger};
use shipway_pipeline::{Event, JobId, PipelineId, Status, follow};
use shipway_store::{BridgeRow, DownstreamRow, PipelineRow};

use crate::claim::reason_only;
use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::live::Live;
use crate::payload::Shared;

pub use family::Child;
pub(crate) use project::{OWNER, REPORTER, visible_project};

/// GitLab's name of the reason when the other configuration is wrong or empty.
const CREATION_FAILED: &str = "downstream_pipeline_creation_failed";

/// Rounds in one go: each may start pipelines whose trigger jobs are the next round's.
const ROUNDS: usize = 100;

/// Why a trigger job started nothing.
#[derive(Debug)]
pub(crate) struct Refused {
    /// GitLab's name of the failure reason.
    reason: &'static str,
    /// What a person reads in the job's log.
    text: String,
}

impl Refused {
    fn new(reason: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { reason, text }
    }
}

/// A trigger job whose turn it is, with all that its pipeline gives on.
struct Bridge {
    job: JobId,
    spec: Arc<Job>,
    row: PipelineRow,
    shared: Arc<Shared>,
    /// The job's variables, expanded.
    known: Collection,
    /// Where the new pipeline will hang.
    link: Link,
}

/// Which job a pipeline comes of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) job: JobId,
    pub(crate) upstream: PipelineId,
    pub(crate) root: PipelineId,
    /// The job's project.
    pub(crate) project: i64,
}

impl Link {
    /// What the new pipeline is told of the one above.
    pub(crate) fn variables(self) -> [Variable; 3] {
        [
            ("CI_UPSTREAM_PIPELINE_ID", self.upstream.0),
            ("CI_UPSTREAM_PROJECT_ID", self.project),
            ("CI_UPSTREAM_JOB_ID", self.job.0),
        ]
        .map(|(key, id)| Variable::new(key, id.to_string()))
    }

    pub(crate) fn row(self, pipeline: PipelineId) -> DownstreamRow {
        DownstreamRow {
            pipeline_id: pipeline,
            job_id: self.job,
            upstream_id: self.upstream,
            root_id: self.root,
        }
    }
}

impl Coordinator {
    /// Does what steps of pipelines mean for others: starts downstream pipelines, lets their
    /// trigger jobs follow them, hands on the resources of groups. Until nothing is left. Returns whether there was anything to look at.
    ///
    /// # Errors
    /// When the store fails; what is left undone is done when it is asked again.
    pub async fn settle(&self) -> Result<bool, Error> {
        for round in 0..ROUNDS {
            let nudged = self.nudges.take();
            if nudged.is_empty() {
                return Ok(round > 0);
            }
            for pipeline in nudged {
                self.settle_one(pipeline).await?;
            }
            self.hand_on_resources().await?;
        }
        Ok(true)
    }

    /// As [`Self::settle`], for all pipelines there are.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn settle_all(&self) -> Result<(), Error> {
        for bridge in self.store.unsettled_bridges().await? {
            self.settle_bridge(&bridge).await?;
        }
        self.hand_on_resources().await?;
        self.settle().await.map(drop)
    }

    /// Until a step of a pipeline means something for another.
    pub async fn nudged(&self) {
        self.nudges.arrived().await;
    }

    /// Notes that a step of this pipeline may mean something for others.
    pub(crate) fn nudge(&self, live: &Live) {
        let jobs = live.state.jobs.iter();
        let grouped = live.state.shared_groups;
        let mut jobs = jobs.map(|job| job.bridge || (grouped && job.resource_group.is_some()));
        if live.shared.upstream.is_some() || jobs.any(|concerns| concerns) {
            self.nudges.add(live.id());
        }
    }

    async fn settle_one(&self, pipeline: PipelineId) -> Result<(), Error> {
        let above = self.store.upstream(pipeline).await?;
        for pipeline in above
            .map(|row| row.upstream_id)
            .into_iter()
            .chain([pipeline])
        {
            for bridge in self.store.bridges_of(pipeline).await? {
                self.settle_bridge(&bridge).await?;
            }
        }
        Ok(())
    }

    async fn settle_bridge(&self, row: &BridgeRow) -> Result<(), Error> {
        let spec = {
            let live = match self.load(row.pipeline_id).await {
                Ok(live) => live,
                // Another process runs it.
                Err(Error::Held(_)) => return Ok(()),
                Err(error) => return Err(error),
            };
            match live.index(row.job_id) {
                Some(index) => Arc::clone(live.spec(index)),
                None => return Ok(()),
            }
        };
        let Some(trigger) = &spec.trigger else {
            return Ok(());
        };
        let strategy = match trigger {
            Trigger::Child { strategy, .. } | Trigger::Project { strategy, .. } => *strategy,
            Trigger::Mirror { .. } => Some(Strategy::Mirror),
        };
        match (row.status, row.downstream_status, trigger) {
            (status, Some(downstream), _) => {
                let wanted = follow(strategy, downstream);
                if wanted == status || !follows(status) {
                    return Ok(());
                }
                self.followed(row, wanted).await
            }
            (Status::Pending, None, Trigger::Child { .. } | Trigger::Project { .. }) => {
                let bridge = self.bridge(row, spec).await?;
                match self.start_downstream(&bridge).await? {
                    Ok(downstream) => {
                        let started = self.store.pipeline(downstream).await?;
                        let status = started.map_or(Status::Failed, |row| row.status);
                        self.followed(row, follow(strategy, status)).await
                    }
                    Err(refused) => self.fail_bridge(row, &refused).await,
                }
            }
            (status, None, Trigger::Mirror { .. }) if follows(status) => {
                let bridge = self.bridge(row, Arc::clone(&spec)).await?;
                match self.mirrored(&bridge, trigger).await? {
                    Ok(status) if status == row.status => Ok(()),
                    Ok(status) => self.followed(row, status).await,
                    Err(refused) if row.status == Status::Pending => {
                        self.fail_bridge(row, &refused).await
                    }
                    Err(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// What the job needs to start something. Its variables are those it would run with.
    async fn bridge(&self, row: &BridgeRow, spec: Arc<Job>) -> Result<Bridge, Error> {
        let (pipeline, shared) = {
            let live = self.load(row.pipeline_id).await?;
            (live.row.clone(), Arc::clone(&live.shared))
        };
        let link = self.link(row.job_id, row.pipeline_id).await?;
        let known = self.bridge_variables(row).await?;
        Ok(Bridge {
            job: row.job_id,
            spec,
            shared,
            known,
            link,
            row: pipeline,
        })
    }

    /// Where a pipeline hangs that a job starts.
    pub(crate) async fn link(&self, job: JobId, upstream: PipelineId) -> Result<Link, Error> {
        let row = self.store.pipeline(upstream).await?;
        let row = row.ok_or(Error::NoPipeline(upstream.0))?;
        let above = self.store.upstream(upstream).await?;
        Ok(Link {
            job,
            upstream,
            root: above.map_or(upstream, |row| row.root_id),
            // The only project of a local run.
            project: row.project_id.map_or(1, |project| project.0),
        })
    }

    async fn start_downstream(
        &self,
        bridge: &Bridge,
    ) -> Result<Result<PipelineId, Refused>, Error> {
        let Some(trigger) = &bridge.spec.trigger else {
            return Err(Error::NoJob(bridge.job));
        };
        if let Some(reason) = self.refuses(bridge, trigger).await? {
            let text = format!("The pipeline is not started: {}.", reason.replace('_', " "));
            return Ok(Err(Refused::new(reason, text)));
        }
        match trigger {
            Trigger::Child {
                include, forward, ..
            } => self.start_child(bridge, include, *forward).await,
            Trigger::Project {
                project,
                branch,
                inputs,
                forward,
                ..
            } => {
                let branch = branch.as_deref();
                let wanted = project::Wanted {
                    project,
                    branch,
                    inputs,
                };
                self.start_in_project(bridge, &wanted, *forward).await
            }
            Trigger::Mirror { .. } => Err(Error::NoJob(bridge.job)),
        }
    }

    async fn followed(&self, row: &BridgeRow, status: Status) -> Result<(), Error> {
        let job = row.job_id;
        let events = |live: &Live| {
            let index = live.current(job)?;
            match live.state.jobs[index].status {
                now if now == status || !follows(now) => Err(Error::NoJob(job)),
                _ => Ok(vec![Event::Followed { job: index, status }]),
            }
        };
        gone_is_fine(self.advance(row.pipeline_id, &events, &[]).await)
    }

    async fn fail_bridge(&self, row: &BridgeRow, refused: &Refused) -> Result<(), Error> {
        let job = row.job_id;
        let failed = |live: &Live| {
            Ok(vec![Event::Failed {
                job: live.current(job)?,
                reason: refused.reason.to_owned(),
                exit_code: None,
            }])
        };
        let text = format!("{}\n", refused.text);
        let logs = self.store.logs();
        let known = logs.length(row.pipeline_id, job)?;
        logs.append(row.pipeline_id, job, known, text.as_bytes())?;
        let extra = [(job, reason_only(refused.reason))];
        gone_is_fine(self.advance(row.pipeline_id, &failed, &extra).await)
    }
}

/// Whether a trigger job of this status goes as another pipeline does. One that a person
/// cancelled stays so; one whose turn has not come has no other pipeline.
fn follows(status: Status) -> bool {
    !matches!(status, Status::Created | Status::Skipped | Status::Canceled)
}

/// The job ended or was tried again in the meantime, which is another round's matter.
fn gone_is_fine(done: Result<Vec<Event>, Error>) -> Result<(), Error> {
    match done {
        Err(Error::NoJob(_) | Error::Illegal(_)) => Ok(()),
        done => done.map(drop),
    }
}
