//! What a pipeline becomes when things happen to it. Nothing is executed: every step is
//! [`State::apply`], the function that decides for real runs too.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{Event, IllegalTransition, State, Status};

/// Attempts and waves of one simulation; a pipeline that has not come to rest then never does.
const MAX_WAVES: usize = 10_000;
/// The failure reason of a simulated failure. GitLab's `drop` without a reason has it too.
const REASON: &str = "unknown_failure";

/// What is done to a pipeline in one step.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Transition {
    /// The event's name, one of [`EVENTS`].
    pub event: String,
    /// To which jobs, one after the other. `None`: to the pipeline.
    #[serde(default)]
    pub jobs: Option<Vec<String>>,
    /// The state it should lead to, where the script says so.
    #[serde(default)]
    pub expect: Option<Picture>,
}

/// The events of a script.
pub const EVENTS: [&str; 6] = ["success", "drop", "run", "cancel", "play", "retry"];

/// The statuses at one moment: of the newest attempts only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Of the pipeline.
    pub pipeline: Status,
    /// Of the stages that have jobs.
    pub stages: IndexMap<String, Status>,
    /// Of the jobs.
    pub jobs: IndexMap<String, Status>,
}

impl Picture {
    /// The statuses of a state.
    pub fn of(state: &State) -> Self {
        let stages = state.stages.iter();
        let jobs = state.jobs.iter();
        Self {
            pipeline: state.pipeline,
            stages: stages.map(|one| (one.name.clone(), one.status)).collect(),
            jobs: jobs.map(|one| (one.name.clone(), one.status)).collect(),
        }
    }

    /// What differs from what was expected, a line each; empty where nothing does.
    pub fn differences(&self, expected: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.pipeline != expected.pipeline {
            lines.push(format!(
                "the pipeline is {}, expected {}",
                self.pipeline, expected.pipeline
            ));
        }
        let groups = [
            ("stage", &self.stages, &expected.stages),
            ("job", &self.jobs, &expected.jobs),
        ];
        for (kind, found, expected) in groups {
            for (name, status) in found {
                match expected.get(name) {
                    Some(other) if other == status => {}
                    Some(other) => {
                        lines.push(format!("{kind} {name} is {status}, expected {other}"));
                    }
                    None => lines.push(format!("{kind} {name} is {status}, expected to be absent")),
                }
            }
            for (name, status) in expected {
                if !found.contains_key(name) {
                    lines.push(format!("{kind} {name} does not exist, expected {status}"));
                }
            }
        }
        lines
    }
}

/// Why a step of a script cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulateError {
    /// No such event.
    #[error(
        "step {step}: `{event}` is not an event; events are {}",
        EVENTS.join(", ")
    )]
    UnknownEvent {
        /// The step's number, from 1.
        step: usize,
        /// The word.
        event: String,
    },
    /// The event needs jobs.
    #[error("step {step}: `{event}` needs `jobs`; without them there are only cancel and retry")]
    NoJobs {
        /// The step's number, from 1.
        step: usize,
        /// The event.
        event: String,
    },
    /// The pipeline has no such job.
    #[error("step {step}: the pipeline has no job `{job}`{}", did_you_mean(similar.as_deref()))]
    UnknownJob {
        /// The step's number, from 1.
        step: usize,
        /// The name.
        job: String,
        /// One that is like it.
        similar: Option<String>,
    },
    /// The event is not possible in the job's status.
    #[error("step {step}: {reason}")]
    Impossible {
        /// The step's number, from 1.
        step: usize,
        /// Why.
        reason: IllegalTransition,
    },
    /// The pipeline never comes to rest.
    #[error("the pipeline does not come to rest within {MAX_WAVES} waves of jobs")]
    Endless,
}

fn did_you_mean(similar: Option<&str>) -> String {
    similar.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Creates the pipeline of `state`, lets the steps of a script happen, and returns the picture
/// after the creation and after each step.
///
/// # Errors
/// The first step that cannot be done.
pub fn simulate(
    mut state: State,
    transitions: &[Transition],
) -> Result<Vec<Picture>, SimulateError> {
    let mut pictures = vec![begin(&mut state)?];
    for (index, transition) in transitions.iter().enumerate() {
        let step = index + 1;
        let events = events(&state, transition, step)?;
        apply(&mut state, &events, step)?;
        pictures.push(Picture::of(&state));
    }
    Ok(pictures)
}

/// How the jobs of [`rehearse`] end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Jobs that fail, each time they are tried; all others succeed.
    pub fail: Vec<String>,
    /// Manual jobs that a person plays as soon as that is possible.
    pub play: Vec<String>,
}

/// One wave of a rehearsal: jobs that run at the same time, and what comes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Wave {
    /// The jobs that ran and succeeded.
    pub succeeded: Vec<String>,
    /// The jobs that ran and failed.
    pub failed: Vec<String>,
    /// The statuses behind it.
    #[serde(flatten)]
    pub state: Picture,
}

/// Lets a whole pipeline run as if with enough runners, the named jobs failing, until nothing
/// happens by itself any more. The first wave is the creation.
///
/// # Errors
/// Names that no job has.
pub fn rehearse(mut state: State, outcomes: &Outcomes) -> Result<Vec<Wave>, SimulateError> {
    for name in outcomes.fail.iter().chain(&outcomes.play) {
        find(&state, name, 1)?;
    }
    let mut waves = vec![Wave {
        state: begin(&mut state)?,
        ..Wave::default()
    }];
    let mut played = Vec::new();
    while waves.len() < MAX_WAVES {
        let mut events = Vec::new();
        for (index, job) in state.jobs.iter().enumerate() {
            match job.status {
                Status::Pending if outcomes.fail.contains(&job.name) => events.push(failed(index)),
                Status::Pending => events.push(Event::Succeeded(index)),
                Status::Scheduled => events.push(Event::Due(index)),
                Status::Manual if outcomes.play.contains(&job.name) && !played.contains(&index) => {
                    played.push(index);
                    events.push(Event::Play(index));
                }
                _ => {}
            }
        }
        if events.is_empty() {
            return Ok(waves);
        }
        let mut wave = Wave::default();
        for event in events {
            // A job that an earlier one of this wave cancelled does not end any more.
            let step = waves.len();
            let done = apply(&mut state, std::slice::from_ref(&event), step);
            match (done, event) {
                (Ok(()), Event::Succeeded(job)) => {
                    wave.succeeded.push(state.jobs[job].name.clone());
                }
                (Ok(()), Event::Failed { job, .. }) => {
                    wave.failed.push(state.jobs[job].name.clone());
                }
                _ => {}
            }
        }
        wave.state = Picture::of(&state);
        waves.push(wave);
    }
    Err(SimulateError::Endless)
}

fn begin(state: &mut State) -> Result<Picture, SimulateError> {
    apply(state, &[Event::Process], 0)?;
    Ok(Picture::of(state))
}

fn apply(state: &mut State, events: &[Event], step: usize) -> Result<(), SimulateError> {
    state
        .apply(events)
        .map(|_| ())
        .map_err(|reason| SimulateError::Impossible { step, reason })
}

fn failed(job: usize) -> Event {
    Event::Failed {
        job,
        reason: REASON.to_owned(),
        exit_code: None,
    }
}

fn find(state: &State, name: &str, step: usize) -> Result<usize, SimulateError> {
    state.job(name).ok_or_else(|| {
        let names = state.jobs.iter().map(|job| job.name.as_str());
        SimulateError::UnknownJob {
            step,
            job: name.to_owned(),
            similar: shipway_config::suggest(name, names).map(str::to_owned),
        }
    })
}

fn events(
    state: &State,
    transition: &Transition,
    step: usize,
) -> Result<Vec<Event>, SimulateError> {
    let event = transition.event.as_str();
    if !EVENTS.contains(&event) {
        return Err(SimulateError::UnknownEvent {
            step,
            event: event.to_owned(),
        });
    }
    let Some(names) = &transition.jobs else {
        return match event {
            "retry" => Ok(vec![Event::RetryPipeline]),
            "cancel" => Ok(vec![Event::CancelPipeline]),
            _ => Err(SimulateError::NoJobs {
                step,
                event: event.to_owned(),
            }),
        };
    };
    let jobs = names.iter().map(|name| find(state, name, step));
    jobs.map(|job| {
        let job = job?;
        Ok(match event {
            "success" => Event::Succeeded(job),
            "drop" => failed(job),
            "run" => Event::Started(job),
            "cancel" => Event::Cancel(job),
            "play" => Event::Play(job),
            _ => Event::Retry(job),
        })
    })
    .collect()
}
