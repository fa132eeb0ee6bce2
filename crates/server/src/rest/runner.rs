//! Runners as GitLab's API shows them.

use serde::Serialize;
use shipway_store::{RunnerKind, RunnerManagerRow, RunnerRow};

use super::time::iso;
use crate::clock::{SECOND, now};

/// Whoever was heard of within this time is online.
const ONLINE: i64 = 2 * 3600 * SECOND;

/// Whoever was not heard of for this time is stale.
const STALE: i64 = 7 * 24 * 3600 * SECOND;

/// GitLab's `Runner`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Runner {
    id: i64,
    description: Option<String>,
    ip_address: Option<String>,
    active: bool,
    paused: bool,
    is_shared: bool,
    runner_type: &'static str,
    name: Option<String>,
    online: bool,
    created_at: String,
    status: &'static str,
    job_execution_status: &'static str,
}

/// One of a runner's machines.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RunnerManager {
    id: i64,
    system_id: String,
    version: Option<String>,
    revision: Option<String>,
    platform: Option<String>,
    architecture: Option<String>,
    created_at: String,
    contacted_at: String,
    ip_address: Option<String>,
    status: &'static str,
}

/// GitLab's name of whether a runner is there.
pub(super) fn status(contacted_at: Option<i64>, created_at: i64, now: i64) -> &'static str {
    match contacted_at {
        None if now - created_at > STALE => "stale",
        None => "never_contacted",
        Some(at) if now - at <= ONLINE => "online",
        Some(at) if now - at > STALE => "stale",
        Some(_) => "offline",
    }
}

/// GitLab's name of a kind.
pub(super) fn kind_name(kind: RunnerKind) -> &'static str {
    match kind {
        RunnerKind::Instance => "instance_type",
        RunnerKind::Group => "group_type",
        RunnerKind::Project => "project_type",
    }
}

impl Runner {
    pub(super) fn new(row: &RunnerRow) -> Self {
        let status = status(row.contacted_at, row.created_at, now());
        Self {
            id: row.id.0,
            description: Some(row.description.clone()),
            ip_address: row.ip.clone(),
            active: !row.paused,
            paused: row.paused,
            is_shared: row.kind == RunnerKind::Instance,
            runner_type: kind_name(row.kind),
            name: Some("gitlab-runner".to_owned()),
            online: status == "online",
            created_at: iso(row.created_at),
            status,
            job_execution_status: "idle",
        }
    }

    /// As [`Runner::new`], with whether it has a job now.
    pub(super) fn at_work(row: &RunnerRow, active: bool) -> Self {
        Self {
            job_execution_status: if active { "active" } else { "idle" },
            ..Self::new(row)
        }
    }
}

impl RunnerManager {
    pub(super) fn new(row: &RunnerManagerRow) -> Self {
        Self {
            // Machines have no number of their own; the runner's and this name tell them apart.
            id: row.runner_id.0,
            system_id: row.system_id.clone(),
            version: row.version.clone(),
            revision: row.revision.clone(),
            platform: row.platform.clone(),
            architecture: row.architecture.clone(),
            created_at: iso(row.created_at),
            contacted_at: iso(row.contacted_at),
            ip_address: row.ip.clone(),
            status: status(Some(row.contacted_at), row.created_at, now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let hour = 3600 * SECOND;
        let now = 1000 * hour;
        for (contacted, created, expected) in [
            (None, now, "never_contacted"),
            (None, now - 200 * hour, "stale"),
            (Some(now - hour), 0, "online"),
            (Some(now - 3 * hour), 0, "offline"),
            (Some(now - 200 * hour), 0, "stale"),
        ] {
            assert_eq!(status(contacted, created, now), expected);
        }
    }
}
