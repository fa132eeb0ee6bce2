//! Keywords that are read and checked, and that nobody here can carry out yet.

use super::Plan;
use shipway_config::{CrossNeed, Job, Trigger};

/// A keyword of a planned job that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job `{job}` uses `{keyword}`, which is not supported by shipway yet")]
pub struct Unsupported {
    /// The job's name.
    pub job: String,
    /// Its key in the file.
    pub key: String,
    /// The keyword, `needs:project` for a nested one.
    pub keyword: &'static str,
}

/// Who is to run a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A local run, which knows no project but its own.
    Local,
    /// A server.
    Server,
}

impl Plan {
    /// What stands in the way of running the plan. Whoever runs it asks before, so that no
    /// job passes without having done what it says; whoever only shows it need not.
    pub fn unsupported(&self, host: Host) -> Vec<Unsupported> {
        let jobs = self.jobs.iter().map(|job| &job.spec);
        jobs.flat_map(|job| {
            keywords(job, host).into_iter().map(|keyword| Unsupported {
                job: job.name.clone(),
                key: job.key.clone(),
                keyword,
            })
        })
        .collect()
    }
}

fn keywords(job: &Job, host: Host) -> Vec<&'static str> {
    let local = host == Host::Local;
    let (project, mirror) = match &job.trigger {
        Some(Trigger::Project { .. }) => (local, false),
        Some(Trigger::Mirror { .. }) => (false, local),
        Some(Trigger::Child { .. }) | None => (false, false),
    };
    let of_project = |need: &CrossNeed| matches!(need, CrossNeed::Project { .. });
    [
        ("trigger:project", project),
        ("needs:pipeline", mirror),
        ("run", job.run.is_some()),
        (
            "needs:project",
            local && job.cross_needs.iter().any(of_project),
        ),
        // Of a project of a server.
        ("release", local && job.release.is_some()),
        ("secrets", !job.secrets.is_empty()),
        ("id_tokens", !job.id_tokens.is_empty()),
        ("identity", job.identity.is_some()),
        ("dast_configuration", job.dast_configuration.is_some()),
    ]
    .into_iter()
    .filter_map(|(keyword, is_used)| is_used.then_some(keyword))
    .collect()
}
