//! A server's job goes to a runner: what is checked before, and what is written.

use std::sync::Arc;

use shipway_config::{AllowFailure, Job};
use shipway_pipeline::{Event, JobId, Status};
use shipway_protocol::{JobPayload, RunnerFeatures};
use shipway_store::{ArtifactRow, JobRow, JobUpdate, RunnerRow};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::hand_out::{Receiver, Source, upstream};
use crate::job_token;
use crate::live::Live;
use crate::queue::Ticket;

/// Who asks for a job.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The runner.
    pub runner: RunnerRow,
    /// Which of its machines.
    pub system_id: String,
    /// What that machine's runner can do.
    pub features: RunnerFeatures,
}

/// What became of an attempt to take a job.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// It is the asker's.
    Job(Box<JobPayload>),
    /// It is not pending any more: somebody else took it, or it was cancelled.
    Gone,
    /// It could not be given to anybody and has failed.
    Failed,
}

impl Coordinator {
    /// Hands a pending job to a runner. Of many who try, one gets it.
    pub(crate) async fn claim(&self, ticket: &Ticket, asker: &Asker) -> Result<Claimed, Error> {
        let (job, pipeline) = (ticket.job, ticket.pipeline);
        let (spec, sources) = {
            let live = self.load(pipeline).await?;
            let Some(index) = live.index(job) else {
                return Ok(Claimed::Gone);
            };
            (Arc::clone(live.spec(index)), upstream(&live, index))
        };
        let artifacts = self.artifacts_for(&sources).await?;
        let fault = if lacks_dependency(&sources, &artifacts, now()) {
            Some("missing_dependency_failure")
        } else {
            unsupported(&spec, asker.features).then_some("runner_unsupported")
        };
        if let Some(reason) = fault {
            return self.fail_pending(ticket, reason).await;
        }
        let token = job_token::new()?;
        let claim = shipway_store::Claim {
            runner: asker.runner.id,
            system_id: Some(asker.system_id.clone()),
            description: asker.runner.description.clone(),
            token_digest: job_token::digest(&token),
            at: now(),
            acknowledged: !asker.features.two_phase_job_commit,
        };
        let taken = JobUpdate {
            claim: Some(claim),
            ..JobUpdate::default()
        };
        let started = |live: &Live| Ok(vec![Event::Started(pending(live, job)?)]);
        match self.advance(pipeline, &started, &[(job, taken)]).await {
            Ok(_) => {}
            Err(Error::NotPending(_) | Error::NoJob(_)) => return Ok(Claimed::Gone),
            Err(error) => return Err(error),
        }
        let receiver = Receiver::of(&asker.runner, &token);
        match self.payload(pipeline, job, &receiver).await {
            Ok(payload) => Ok(Claimed::Job(Box::new(payload))),
            Err(error) => {
                if let Some(reason) = error.of_job() {
                    self.fails(pipeline, job, reason, &error).await?;
                    return Ok(Claimed::Failed);
                }
                tracing::error!(%job, %error, "job.payload.failed");
                let failed = |live: &Live| {
                    Ok(vec![Event::Failed {
                        job: live.current(job)?,
                        reason: "scheduler_failure".to_owned(),
                        exit_code: None,
                    }])
                };
                let extra = reason_only("scheduler_failure");
                self.advance(pipeline, &failed, &[(job, extra)]).await?;
                Ok(Claimed::Failed)
            }
        }
    }

    /// Lets a job fail that waits for a runner.
    pub(crate) async fn fail_pending(
        &self,
        ticket: &Ticket,
        reason: &str,
    ) -> Result<Claimed, Error> {
        let job = ticket.job;
        let failed = |live: &Live| {
            Ok(vec![Event::Failed {
                job: pending(live, job)?,
                reason: reason.to_owned(),
                exit_code: None,
            }])
        };
        let extra = [(job, reason_only(reason))];
        match self.advance(ticket.pipeline, &failed, &extra).await {
            Ok(_) => Ok(Claimed::Failed),
            Err(Error::NotPending(_) | Error::NoJob(_)) => Ok(Claimed::Gone),
            Err(error) => Err(error),
        }
    }

    /// Puts a job back into the queue that its runner was never told of, or never began with.
    pub(crate) async fn unclaim(&self, job: JobId) -> Result<(), Error> {
        let pipeline = self.pipeline_of(job).await?;
        let returned = |live: &Live| {
            let index = live.current(job)?;
            match live.state.jobs[index].status {
                Status::Running => Ok(vec![Event::Returned(index)]),
                status => Err(Error::NotAtWork { job, status }),
            }
        };
        let extra = JobUpdate {
            unclaim: true,
            ..JobUpdate::default()
        };
        match self.advance(pipeline, &returned, &[(job, extra)]).await {
            // It is not with the runner any more: cancelled or over.
            Ok(_) | Err(Error::NotAtWork { .. } | Error::NoJob(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

pub(crate) fn reason_only(reason: &str) -> JobUpdate {
    JobUpdate {
        failure_reason: Some(reason.to_owned()),
        ..JobUpdate::default()
    }
}

/// The index of a job that still waits.
fn pending(live: &Live, job: JobId) -> Result<usize, Error> {
    let index = live.current(job)?;
    match live.state.jobs[index].status {
        Status::Pending => Ok(index),
        _ => Err(Error::NotPending(job)),
    }
}

/// Whether the archive of a job that this one builds on was there and is gone. A job that made
/// no archive is no fault: nothing may have matched its paths.
fn lacks_dependency(sources: &[Source], artifacts: &[ArtifactRow], now: i64) -> bool {
    sources.iter().any(|(row, spec)| {
        let archive =
            (artifacts.iter()).find(|file| file.job_id == row.id && file.file_type == "archive");
        let expired = match archive {
            Some(archive) => archive.expires_at.is_some_and(|at| at <= now),
            None => expired_by_spec(row, spec, now),
        };
        expired && row.status == Status::Success
    })
}

/// Whether an archive that the job made would be expired by now, so that it may have been
/// removed.
fn expired_by_spec(row: &JobRow, spec: &Job, now: i64) -> bool {
    let Some(artifacts) = &spec.artifacts else {
        return false;
    };
    if artifacts.paths.is_empty() && !artifacts.untracked {
        return false;
    }
    let seconds =
        (artifacts.expire_in.as_deref()).and_then(shipway_config::duration::parse_seconds);
    let micros = seconds.and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1_000_000));
    let end = row
        .finished_at
        .zip(micros)
        .and_then(|(at, micros)| at.checked_add(micros));
    end.is_some_and(|end| end <= now)
}

/// Whether the job uses what the runner cannot do (runner protocol, B.2).
fn unsupported(job: &Job, features: RunnerFeatures) -> bool {
    let artifacts = job.artifacts.as_ref();
    let exit_codes = matches!(job.allow_failure, Some(AllowFailure::ExitCodes(_)))
        || (job.retry.as_ref()).is_some_and(|retry| !retry.exit_codes.is_empty());
    let used = [
        (
            artifacts.is_some_and(|artifacts| !artifacts.reports.is_empty()),
            features.upload_multiple_artifacts,
        ),
        (
            artifacts.is_some_and(|artifacts| !artifacts.exclude.is_empty()),
            features.artifacts_exclude,
        ),
        (exit_codes, features.return_exit_code),
        (
            job.release.is_some() || job.run.is_some(),
            features.multi_build_steps,
        ),
        (!job.secrets.is_empty(), features.vault_secrets),
        (
            (job.cache.iter()).any(|cache| !cache.fallback_keys.is_empty()),
            features.fallback_cache_keys,
        ),
    ];
    used.into_iter().any(|(used, supported)| used && !supported)
}

#[cfg(test)]
mod tests {
    use shipway_config::{Artifacts, Cache, Release, Retry, Secret};

    use super::*;

    fn vault_secret() -> Secret {
        Secret {
            provider: "vault".to_owned(),
            request: "a/b".into(),
            file: true,
            token: None,
        }
    }

    #[test]
    fn a_job_needs_features_only_where_it_uses_them() {
        let plain = Job::default();
        let artifacts = |artifacts: Artifacts| Job {
            artifacts: Some(artifacts),
            ..Job::default()
        };
        let reports = artifacts(Artifacts {
            reports: [("junit".to_owned(), vec!["r.xml".to_owned()])]
                .into_iter()
                .collect(),
            ..Artifacts::default()
        });
        let exclude = artifacts(Artifacts {
            exclude: vec!["x".to_owned()],
            ..Artifacts::default()
        });
        let retry = Job {
            retry: Some(Retry {
                exit_codes: vec![1],
                ..Retry::default()
            }),
            ..Job::default()
        };
        let codes = Job {
            allow_failure: Some(AllowFailure::ExitCodes(vec![1])),
            ..Job::default()
        };
        let fallback = Job {
            cache: vec![Cache {
                fallback_keys: vec!["k".to_owned()],
                ..Cache::default()
            }],
            ..Job::default()
        };
        let release = Job {
            release: Some(Release::default()),
            ..Job::default()
        };
        let steps = Job {
            run: Some(serde_json::json!([{ "name": "a", "script": "b" }])),
            ..Job::default()
        };
        let secrets = Job {
            secrets: [("DB".to_owned(), vault_secret())].into_iter().collect(),
            ..Job::default()
        };
        let none = RunnerFeatures::default();
        let with = |set: fn(&mut RunnerFeatures)| {
            let mut features = none;
            set(&mut features);
            features
        };
        let table = [
            (&plain, none),
            (
                &reports,
                with(|features| features.upload_multiple_artifacts = true),
            ),
            (&exclude, with(|features| features.artifacts_exclude = true)),
            (&retry, with(|features| features.return_exit_code = true)),
            (&codes, with(|features| features.return_exit_code = true)),
            (&release, with(|features| features.multi_build_steps = true)),
            (&steps, with(|features| features.multi_build_steps = true)),
            (&secrets, with(|features| features.vault_secrets = true)),
            (
                &fallback,
                with(|features| features.fallback_cache_keys = true),
            ),
        ];
        for (job, enough) in table {
            assert!(!unsupported(job, enough), "{job:?}");
            assert_eq!(
                unsupported(job, none),
                !std::ptr::eq(job, &plain),
                "{job:?}"
            );
        }
    }
}
