//! Schedules: when the next run is, and making the pipelines that are due.

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use shipway_config::InputValues;
use shipway_config::variables::Variable;
use shipway_pipeline::{PipelineId, Source};
use shipway_store::{ScheduleId, ScheduleRow, UserState};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::start::{PipelineRequest, Started};

/// Schedules that are dealt with in one round.
const ROUND: i64 = 100;

/// In microseconds.
const MINUTE: i64 = 60_000_000;
/// In microseconds.
const DAY: i64 = 24 * 60 * MINUTE;

/// Why a schedule has no next run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields of cron.
    #[error("`{cron}` is not a cron line: {reason}; `0 4 * * *` is every day at four")]
    Syntax {
        /// What was given.
        cron: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An unknown time zone.
    #[error("`{0}` is not a time zone; use a name like `UTC` or `Europe/Berlin`")]
    TimeZone(String),
    /// No such time will come.
    #[error("`{0}` never comes")]
    Never(String),
}

/// A variable of a schedule, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleVariable {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// The job gets a file with the value.
    #[serde(default)]
    pub file: bool,
    /// References in the value are not expanded.
    #[serde(default)]
    pub raw: bool,
}

/// What the pipelines of a schedule are given, as its row keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScheduleValues {
    /// Variables.
    pub variables: Vec<ScheduleVariable>,
    /// Values for the inputs of the configuration.
    #[serde(default)]
    pub inputs: InputValues,
}

impl ScheduleValues {
    /// Reads a schedule's row.
    pub fn of(row: &ScheduleRow) -> Self {
        // Rows from before there were inputs are the list of the variables.
        serde_json::from_slice(&row.variables).unwrap_or_else(|_| Self {
            variables: serde_json::from_slice(&row.variables).unwrap_or_default(),
            inputs: InputValues::new(),
        })
    }

    /// What a row keeps.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The first time after `after` that a cron line names, both in microseconds since 1970.
///
/// # Errors
/// When the line or the time zone is wrong, or the time never comes.
pub fn next_run(cron: &str, time_zone: &str, after: i64) -> Result<i64, CronError> {
    let zone = TimeZone::get(time_zone).map_err(|_| CronError::TimeZone(time_zone.to_owned()))?;
    let syntax = |reason: String| CronError::Syntax {
        cron: cron.to_owned(),
        reason,
    };
    let fields = cron.split_whitespace().count();
    if fields != 5 && !cron.trim_start().starts_with('@') {
        return Err(syntax(format!("it has {fields} fields and not 5")));
    }
    let line: Cron = cron
        .parse()
        .map_err(|error: croner::errors::CronError| syntax(error.to_string()))?;
    let after = Timestamp::from_microsecond(after).unwrap_or(Timestamp::MAX);
    let after = Zoned::new(after, zone);
    let next = line.find_next_occurrence(&after, false);
    next.map(|time| time.timestamp().as_microsecond())
        .map_err(|_| CronError::Never(cron.to_owned()))
}

impl Coordinator {
    /// Makes the pipelines of the schedules that are due. Each run is claimed before its
    /// pipeline is made, so that of several servers one makes it; a run that a dying server
    /// had claimed is left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn run_due_schedules(&self) -> Result<Vec<PipelineId>, Error> {
        let mut made = Vec::new();
        for due in self.store.due_schedules(now(), ROUND).await? {
            let Some(schedule) = self.claim_run(due.id).await? else {
                continue;
            };
            match self.run_schedule(&schedule).await {
                Ok(Some(pipeline)) => made.push(pipeline),
                Ok(None) => {}
                // One schedule that fails does not keep the others from running.
                Err(error) => {
                    tracing::warn!(schedule = schedule.id.0, %error, "schedule.failed");
                }
            }
        }
        Ok(made)
    }

    /// The schedule, if it is still due; its next run is set.
    async fn claim_run(&self, id: ScheduleId) -> Result<Option<ScheduleRow>, Error> {
        let now = now();
        let mut transaction = self.store.begin().await?;
        let mut row = transaction.schedule(id).await?;
        if !row.active || row.next_run_at.is_none_or(|at| at > now) {
            return Ok(None);
        }
        let earliest = now + self.schedule_gap();
        row.next_run_at = next_run(&row.cron, &row.timezone, earliest).ok();
        transaction.update_schedule(&row).await?;
        transaction.commit().await?;
        Ok(Some(row))
    }

    /// Microseconds in which a schedule does not run again after a run: the runs that a day may
    /// have are spread over it. Cron counts minutes, so that one less than asked for is enough.
    fn schedule_gap(&self) -> i64 {
        let limits = self.hosting.as_ref().map(|hosting| &hosting.limits);
        let runs = limits.map_or(0, |limits| limits.schedule_runs_per_day);
        match i64::try_from(runs) {
            Ok(0) | Err(_) => 0,
            Ok(runs) => (DAY / runs - MINUTE).max(0),
        }
    }

    /// Makes the pipeline of a schedule now, as its owner; `None` when the schedule's ref is
    /// gone, its owner may not act any more, or the rules let no job in.
    ///
    /// # Errors
    /// When the repository or the store fails.
    pub async fn run_schedule(&self, schedule: &ScheduleRow) -> Result<Option<PipelineId>, Error> {
        let Some(project) = self.store.project(schedule.project_id).await? else {
            return Ok(None);
        };
        let owner = self.store.user(schedule.owner_id).await?;
        let Some(owner) = owner.filter(|owner| owner.state == UserState::Active) else {
            return Ok(None);
        };
        let Some((reference, sha)) = self.find_ref(&project, &schedule.ref_name).await? else {
            return Ok(None);
        };
        let values = ScheduleValues::of(schedule);
        let request = PipelineRequest {
            project,
            user: Some(owner),
            reference,
            sha,
            before_sha: None,
            source: Source::Schedule,
            about: vec![Variable::new(
                "CI_PIPELINE_SCHEDULE_DESCRIPTION",
                &schedule.description,
            )],
            variables: (values.variables.into_iter()).map(Variable::from).collect(),
            inputs: values.inputs,
            skip: false,
        };
        let Started::Pipeline(pipeline) = self.start_pipeline(&request).await? else {
            return Ok(None);
        };
        let mut transaction = self.store.begin().await?;
        let mut row = transaction.schedule(schedule.id).await?;
        row.last_pipeline_id = Some(pipeline.id.0);
        transaction.update_schedule(&row).await?;
        transaction.commit().await?;
        Ok(Some(pipeline.id))
    }
}

impl From<ScheduleVariable> for Variable {
    fn from(variable: ScheduleVariable) -> Self {
        Self {
            file: variable.file,
            raw: variable.raw,
            ..Self::new(variable.key, variable.value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn the_next_time() {
        let table = [
            (
                "0 4 * * *",
                "UTC",
                "2026-01-01T04:00:00Z",
                "2026-01-02T04:00:00Z",
            ),
            (
                "*/15 * * * *",
                "UTC",
                "2026-01-01T00:00:01Z",
                "2026-01-01T00:15:00Z",
            ),
            (
                "0 9 * * mon-fri",
                "Europe/Berlin",
                "2026-07-03T12:00:00Z",
                "2026-07-06T07:00:00Z",
            ),
            (
                "0 0 29 2 *",
                "UTC",
                "2026-01-01T00:00:00Z",
                "2028-02-29T00:00:00Z",
            ),
            (
                "0 0 * * 7",
                "UTC",
                "2026-01-01T00:00:00Z",
                "2026-01-04T00:00:00Z",
            ),
        ];
        for (cron, zone, after, expected) in table {
            assert_eq!(
                next_run(cron, zone, at(after)),
                Ok(at(expected)),
                "{cron} {zone}"
            );
        }
    }

    #[test]
    fn lines_that_name_no_time() {
        for (cron, zone) in [
            ("", "UTC"),
            ("* * * *", "UTC"),
            ("* * * * * *", "UTC"),
            ("61 * * * *", "UTC"),
            ("a b c d e", "UTC"),
            ("0 0 31 2 *", "UTC"),
            ("0 0 * * *", "Moon/Crater"),
        ] {
            assert!(next_run(cron, zone, 0).is_err(), "{cron} {zone}");
        }
    }
}
