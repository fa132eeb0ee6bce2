//! A pipeline that this process works on: its rows and its state, as they are in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shipway_config::{AllowFailure, Job, When};
use shipway_pipeline::{Event, JobId, JobState, PipelineId, StageState, State};
use shipway_store::{Hold, JobRow, PipelineRow, StageRow};
use tokio::sync::{OwnedMappedMutexGuard, OwnedMutexGuard};

use crate::error::Error;
use crate::jobs_at_work::JobsAtWork;
use crate::payload::Shared;

/// Pipelines that are kept between two events. More are read anew when they are needed.
const KEPT: usize = 512;

/// A pipeline under way, kept here between two events instead of being read anew.
#[derive(Debug)]
pub(crate) struct Live {
    /// In a local run this process is the pipeline's only writer; released when the pipeline
    /// is let go. Without it the row's version tells whether somebody else wrote.
    pub(crate) hold: Option<Hold>,
    /// What is kept here is not what is stored: it is to be read anew.
    pub(crate) stale: bool,
    pub(crate) row: PipelineRow,
    pub(crate) shared: Arc<Shared>,
    /// The newest attempts, in the order of [`State::jobs`].
    pub(crate) jobs: Vec<JobRow>,
    /// The typed configurations of the jobs; those of another attempt are the same.
    specs: Vec<Arc<Job>>,
    pub(crate) state: State,
}

impl Live {
    pub(crate) fn new(
        hold: Option<Hold>,
        row: PipelineRow,
        variables: &[u8],
        stages: &[StageRow],
        jobs: Vec<JobRow>,
    ) -> Result<Self, Error> {
        let shared = Shared::read(&row.context, variables);
        let shared = shared.map_err(Error::stored("context", JobId(0)))?;
        let jobs: Vec<JobRow> = jobs.into_iter().filter(|job| !job.retried).collect();
        let specs: Vec<Arc<Job>> = (jobs.iter())
            .map(|job| spec(job).map(Arc::new))
            .collect::<Result<_, _>>()?;
        let state = State {
            pipeline: row.status,
            stages: (stages.iter())
                .map(|stage| StageState {
                    name: stage.name.clone(),
                    status: stage.status,
                })
                .collect(),
            jobs: (jobs.iter().zip(&specs))
                .map(|(job, spec)| job_state(job, spec))
                .collect(),
            cancel_on_job_failure: shared.cancel_on_job_failure,
            keep_going: shared.keep_going,
            shared_groups: false,
        };
        Ok(Self {
            hold,
            stale: false,
            row,
            shared: Arc::new(shared),
            jobs,
            specs,
            state,
        })
    }

    /// What [`Self::new`] would make of a pipeline that was just stored.
    pub(crate) fn born(
        hold: Option<Hold>,
        row: PipelineRow,
        shared: Shared,
        jobs: Vec<JobRow>,
        specs: Vec<Arc<Job>>,
        mut state: State,
    ) -> Self {
        // That of one without jobs is given.
        state.pipeline = row.status;
        Self {
            hold,
            stale: false,
            row,
            shared: Arc::new(shared),
            jobs,
            specs,
            state,
        }
    }

    pub(crate) fn id(&self) -> PipelineId {
        self.row.id
    }

    pub(crate) fn index(&self, job: JobId) -> Option<usize> {
        self.jobs.iter().position(|row| row.id == job)
    }

    /// The index of a job that is the newest attempt.
    pub(crate) fn current(&self, job: JobId) -> Result<usize, Error> {
        self.index(job).ok_or(Error::NoJob(job))
    }

    /// The name of a job that is the newest attempt.
    pub(crate) fn named(&self, job: JobId) -> Result<String, Error> {
        Ok(self.jobs[self.current(job)?].name.clone())
    }

    /// The typed configuration of a job.
    pub(crate) fn spec(&self, index: usize) -> &Arc<Job> {
        &self.specs[index]
    }
}

/// The typed configuration of a stored job.
pub(crate) fn spec(row: &JobRow) -> Result<Job, Error> {
    serde_json::from_str(&row.spec).map_err(Error::stored("configuration", row.id))
}

fn job_state(row: &JobRow, spec: &Job) -> JobState {
    let needs =
        (spec.needs.as_ref()).map(|needs| needs.iter().map(|need| need.job.clone()).collect());
    let allow_failure = match &spec.allow_failure {
        Some(AllowFailure::ExitCodes(codes)) if !row.status.is_completed() => {
            AllowFailure::ExitCodes(codes.clone())
        }
        _ => AllowFailure::Always(row.allow_failure),
    };
    JobState {
        name: row.name.clone(),
        stage: usize::try_from(row.stage).unwrap_or_default(),
        status: row.status,
        when: spec.when.unwrap_or(When::OnSuccess),
        allow_failure,
        needs,
        triggered: row.triggered,
        retry: spec.retry.clone(),
        resource_group: spec.resource_group.clone(),
        bridge: spec.trigger.is_some(),
        retries: u32::try_from(row.attempt - 1).unwrap_or_default(),
    }
}

/// Events of one pipeline, chosen by what it looks like. Called again when the pipeline
/// turned out to be another by then.
pub(crate) type Choose<'a> = &'a (dyn Fn(&Live) -> Result<Vec<Event>, Error> + Send + Sync);

/// A pipeline for one who works on it; nobody else does until this is dropped.
pub(crate) type Loaded = OwnedMappedMutexGuard<Option<Live>, Live>;

/// Where one pipeline is kept.
type Place = Arc<tokio::sync::Mutex<Option<Live>>>;

/// The pipelines that are kept. Each has a lock of its own, so that none waits for another.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    places: Mutex<HashMap<PipelineId, Place>>,
    /// The jobs at work.
    pub(crate) at_work: JobsAtWork,
}

impl Kept {
    /// The pipeline's place, for nobody else until it is dropped; empty where the pipeline is
    /// to be read first.
    pub(crate) async fn place(&self, pipeline: PipelineId) -> OwnedMutexGuard<Option<Live>> {
        let place = {
            let mut places = lock(&self.places);
            if places.len() >= KEPT && !places.contains_key(&pipeline) {
                places.retain(|_, place| is_in_use(place));
            }
            Arc::clone(places.entry(pipeline).or_default())
        };
        place.lock_owned().await
    }

    /// Forgets the pipeline, and releases it where it is held.
    pub(crate) fn remove(&self, pipeline: PipelineId) {
        lock(&self.places).remove(&pipeline);
        self.at_work.remove_pipeline(pipeline);
    }

    /// Forgets what is kept of a pipeline that is nobody's own; others may have it still, and
    /// learn from the row's version that they are late.
    pub(crate) fn forget(&self, pipeline: PipelineId) {
        lock(&self.places).remove(&pipeline);
    }
}

/// Somebody works on it, or only this process may.
fn is_in_use(place: &Place) -> bool {
    let held = |live: &Live| live.hold.is_some();
    Arc::strong_count(place) > 1
        || (place.try_lock()).is_ok_and(|live| live.as_ref().is_some_and(held))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use shipway_config::variables::Variable;
    use shipway_config::{Limits, NoFiles};
    use shipway_pipeline::{Context, Source};
    use shipway_store::Store;

    use super::*;
    use crate::coordinator::{Coordinator, NewRun};

    const CONFIGURATION: &str = r#"
stages: [build, test, deploy]
variables: {A: x, B: {value: $A, expand: false}}
workflow: {auto_cancel: {on_job_failure: all}}
build:
  stage: build
  script: [make]
  retry: 2
  artifacts: {paths: [out]}
unit: {needs: [build], script: [make test], allow_failure: {exit_codes: [3, 4]}, tags: [big]}
slow: {script: [make slow], allow_failure: true, parallel: 2}
later: {stage: deploy, script: [x], when: delayed, start_in: 5 minutes}
ship:
  stage: deploy
  script: [make ship]
  when: manual
  resource_group: production
  environment: {name: production/$A, url: "https://$CI_ENVIRONMENT_SLUG.example.org"}
always: {stage: deploy, script: [x], when: always, inherit: {variables: [A]}}
"#;

    #[tokio::test]
    async fn a_new_pipeline_is_kept_as_it_would_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).await.unwrap();
        let coordinator = Coordinator::new(store.clone());
        let loaded = shipway_config::load("ci.yml", CONFIGURATION, &NoFiles, &Limits::default());
        let mut context = Context {
            ref_name: "main".to_owned(),
            source: Source::Push,
            project_path: "group/app".to_owned(),
            ..Context::default()
        };
        context.outer.push(Variable::new("OUTER", "1"));
        let plan = shipway_pipeline::create(&loaded.config.unwrap(), &context, &NoFiles).unwrap();
        assert_eq!(plan.jobs.len(), 7);
        let run = NewRun::local(None, true);
        let id = coordinator.create_pipeline(&plan, &context, &run).await;
        let id = id.unwrap();

        let kept = coordinator.load(id).await.unwrap();
        let row = store.pipeline(id).await.unwrap().unwrap();
        let variables = store.pipeline_variables(id).await.unwrap();
        let (stages, jobs) = (store.stages(id).await, store.jobs(id).await);
        let read = Live::new(None, row, &variables, &stages.unwrap(), jobs.unwrap()).unwrap();
        assert_eq!(kept.row, read.row);
        assert_eq!(kept.shared, read.shared);
        assert_eq!(kept.jobs, read.jobs);
        assert_eq!(kept.specs, read.specs);
        assert_eq!(kept.state, read.state);
    }
}
