//! How much a server's projects may ask for. Each limit has a name, under which a person sets it
//! and an error tells of it.

use std::collections::BTreeMap;

use shipway_pipeline::Plan;

/// The limits of a server. 0 is none, as in GitLab's settings, but for the sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// Jobs of one pipeline.
    pub pipeline_jobs: u64,
    /// Jobs of one pipeline that deploy.
    pub pipeline_deployments: u64,
    /// Jobs of a project's pipelines that are not over.
    pub active_jobs: u64,
    /// Pipelines that a user gets of one commit within a minute.
    pub pipelines_per_minute: u64,
    /// Schedules of a project.
    pub schedules: u64,
    /// Pipelines of one schedule within a day.
    pub schedule_runs_per_day: u64,
    /// Variables of a project.
    pub project_variables: u64,
    /// Variables of a group.
    pub group_variables: u64,
    /// Variables of the instance.
    pub instance_variables: u64,
    /// Bytes of an artifact.
    pub artifact_size: u64,
    /// Bytes of an artifact of a type, in place of `artifact_size`.
    pub artifact_size_of: BTreeMap<String, u64>,
    /// Bytes of a file of a package.
    pub package_size: u64,
}

impl Default for ServerLimits {
    /// GitLab's, as an instance of one's own has them.
    fn default() -> Self {
        Self {
            pipeline_jobs: 0,
            pipeline_deployments: 500,
            active_jobs: 0,
            pipelines_per_minute: 0,
            schedules: 10,
            schedule_runs_per_day: 0,
            project_variables: 8_000,
            group_variables: 30_000,
            instance_variables: 25,
            artifact_size: 100 * MIB,
            artifact_size_of: BTreeMap::from([("lsif".to_owned(), 200 * MIB)]),
            package_size: 5 * 1024 * MIB,
        }
    }
}

const MIB: u64 = 1024 * 1024;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Number,
    Bytes,
}

/// A name, what it counts, and its place.
type Row = (&'static str, Unit, fn(&mut ServerLimits) -> &mut u64);

const TABLE: [Row; 11] = [
    ("pipeline-jobs", Unit::Number, |all| &mut all.pipeline_jobs),
    ("pipeline-deployments", Unit::Number, |all| {
        &mut all.pipeline_deployments
    }),
    ("active-jobs", Unit::Number, |all| &mut all.active_jobs),
    ("pipelines-per-minute", Unit::Number, |all| {
        &mut all.pipelines_per_minute
    }),
    ("schedules", Unit::Number, |all| &mut all.schedules),
    ("schedule-runs-per-day", Unit::Number, |all| {
        &mut all.schedule_runs_per_day
    }),
    ("project-variables", Unit::Number, |all| {
        &mut all.project_variables
    }),
    ("group-variables", Unit::Number, |all| {
        &mut all.group_variables
    }),
    ("instance-variables", Unit::Number, |all| {
        &mut all.instance_variables
    }),
    ("artifact-size", Unit::Bytes, |all| &mut all.artifact_size),
    ("package-size", Unit::Bytes, |all| &mut all.package_size),
];

/// How the limit of one type of artifacts begins.
const OF_TYPE: &str = "artifact-size.";

/// Why a text sets no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Not `NAME=VALUE`.
    #[error("`{0}` sets no limit; write for instance `schedules=20`")]
    Form(String),
    /// An unknown name.
    #[error("there is no limit `{name}`; the limits are {}", names().join(", "))]
    Name {
        /// What was given.
        name: String,
    },
    /// Not a number.
    #[error("the limit `{name}` is a whole number and not `{value}`; 0 is no limit")]
    Number {
        /// Which limit.
        name: String,
        /// What was given.
        value: String,
    },
    /// Not a size.
    #[error("the limit `{name}` is a size such as `500MB` or `2GB` and not `{value}`")]
    Size {
        /// Which limit.
        name: String,
        /// What was given.
        value: String,
    },
}

/// What limits are called.
fn names() -> Vec<&'static str> {
    let names = TABLE.iter().map(|(name, ..)| *name);
    names.chain(["artifact-size.TYPE"]).collect()
}

impl ServerLimits {
    /// Sets one limit: `schedules=20`, `artifact-size=500MB`, `artifact-size.junit=10MB`.
    ///
    /// # Errors
    /// When it is no limit, or not what the limit counts.
    pub fn set(&mut self, text: &str) -> Result<(), LimitError> {
        let form = || LimitError::Form(text.to_owned());
        let (name, value) = text.split_once('=').ok_or_else(form)?;
        let (name, value) = (name.trim(), value.trim());
        let size = || {
            bytes(value).ok_or_else(|| LimitError::Size {
                name: name.to_owned(),
                value: value.to_owned(),
            })
        };
        if let Some(kind) = name.strip_prefix(OF_TYPE).filter(|kind| !kind.is_empty()) {
            self.artifact_size_of.insert(kind.to_owned(), size()?);
            return Ok(());
        }
        let found = TABLE.iter().find(|(known, ..)| *known == name);
        let (_, unit, place) = found.ok_or_else(|| LimitError::Name {
            name: name.to_owned(),
        })?;
        *place(self) = match unit {
            Unit::Bytes => size()?,
            Unit::Number => value.parse().map_err(|_| LimitError::Number {
                name: name.to_owned(),
                value: value.to_owned(),
            })?,
        };
        Ok(())
    }

    /// The most bytes that an artifact of this type may have, and what that limit is called.
    pub fn artifact(&self, kind: &str) -> (u64, String) {
        match self.artifact_size_of.get(kind) {
            Some(bytes) => (*bytes, format!("{OF_TYPE}{kind}")),
            None => (self.artifact_size, "artifact-size".to_owned()),
        }
    }

    /// Whether so many more may be there: `there` and one, of a limit that may be none.
    pub fn allows(limit: u64, there: usize) -> bool {
        limit == 0 || (there as u64) < limit
    }

    /// What of the plan is more than a pipeline may have; GitLab's words.
    pub(crate) fn refuse(&self, plan: &Plan) -> Option<String> {
        let over = |limit: u64, count: usize| limit > 0 && count as u64 > limit;
        let jobs = plan.jobs.len();
        if over(self.pipeline_jobs, jobs) {
            let limit = self.pipeline_jobs;
            return Some(format!(
                "The number of jobs has exceeded the limit of {limit}: there are {jobs}. Try \
                 splitting the configuration with parent-child-pipelines, or raise the limit \
                 `pipeline-jobs` of the server."
            ));
        }
        let deploys = |environment: &shipway_config::Environment| environment.action == "start";
        let deployments = (plan.jobs.iter())
            .filter(|job| job.spec.environment.as_ref().is_some_and(deploys))
            .count();
        over(self.pipeline_deployments, deployments).then(|| {
            let limit = self.pipeline_deployments;
            format!(
                "Pipeline has too many deployments! Requested {deployments}, but the limit is \
                 {limit} (`pipeline-deployments` of the server)."
            )
        })
    }
}

/// A number of bytes: `100`, `64KB`, `5 MB`, `2GiB`; a thousand and twenty-four of each make one
/// of the next.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let power = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1024_u64.pow(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_by_name() {
        let mut limits = ServerLimits::default();
        for text in [
            "pipeline-jobs=2000",
            " schedules = 0",
            "artifact-size=1GB",
            "artifact-size.junit=10 MB",
        ] {
            limits.set(text).unwrap();
        }
        assert_eq!((limits.pipeline_jobs, limits.schedules), (2000, 0));
        let named = |name: &str| name.to_owned();
        assert_eq!(
            limits.artifact("archive"),
            (1024 * MIB, named("artifact-size"))
        );
        assert_eq!(
            limits.artifact("junit"),
            (10 * MIB, named("artifact-size.junit"))
        );
        assert_eq!(limits.artifact("lsif").0, 200 * MIB);
        for (text, reason) in [
            ("schedules", "sets no limit"),
            ("scedules=1", "schedules, schedule-runs-per-day"),
            ("schedules=many", "whole number"),
            ("artifact-size=large", "500MB"),
            ("artifact-size=99999999999TB", "500MB"),
            ("artifact-size.=1", "no limit `artifact-size.`"),
        ] {
            let fault = limits.set(text).unwrap_err().to_string();
            assert!(fault.contains(reason), "{text}: {fault}");
        }
    }

    #[test]
    fn every_name_has_its_own_place() {
        for (index, (name, unit, _)) in TABLE.iter().enumerate() {
            let mut limits = ServerLimits::default();
            limits.set(&format!("{name}=7777")).unwrap();
            for (other, (_, _, place)) in TABLE.iter().enumerate() {
                assert_eq!(
                    *place(&mut limits) == 7777,
                    index == other,
                    "{name} {unit:?}"
                );
            }
        }
    }

    #[test]
    fn zero_is_no_limit() {
        assert!(ServerLimits::allows(0, 1_000_000));
        assert!(ServerLimits::allows(2, 1));
        assert!(!ServerLimits::allows(2, 2));
    }
}
