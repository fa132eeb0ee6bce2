//! The pipelines above and below one.

use shipway_config::Trigger;
use shipway_pipeline::{Ancestor, Downstream, Event, PipelineId, Source, Status, refuse};

use super::Bridge;
use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::live::Live;

/// Pipelines of one line that are looked at; no line is longer.
const LINE: usize = 1000;

/// A child pipeline, or a child's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Which one.
    pub pipeline: PipelineId,
    /// The names of the jobs above, the topmost first.
    pub name: String,
    /// How many jobs it has.
    pub jobs: usize,
}

impl Coordinator {
    /// Why a trigger job may not start its pipeline, by depth, size and loops.
    pub(super) async fn refuses(
        &self,
        bridge: &Bridge,
        trigger: &Trigger,
    ) -> Result<Option<&'static str>, Error> {
        let kind = match trigger {
            Trigger::Child { .. } => Downstream::Child,
            _ => Downstream::Project,
        };
        let mut ancestors = Vec::new();
        let mut next = Some(bridge.link.upstream);
        while let Some(pipeline) = next.take().filter(|_| ancestors.len() < LINE) {
            let Some(row) = self.store.pipeline(pipeline).await? else {
                break;
            };
            ancestors.push(Ancestor {
                project: row.project_id.map_or(0, |project| project.0),
                ref_name: row.ref_name,
                source: row.source.parse().unwrap_or_default(),
            });
            let above = self.store.upstream(pipeline).await?;
            next = above.map(|row| row.upstream_id);
        }
        let size = self.store.hierarchy_size(bridge.link.root).await?;
        Ok(refuse(kind, &ancestors, size))
    }

    /// The child pipelines below one, and theirs, those further up first. `between` stands
    /// between the names of the jobs above.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn children(&self, pipeline: PipelineId, between: &str) -> Result<Vec<Child>, Error> {
        let mut found: Vec<Child> = Vec::new();
        let mut above = (pipeline, String::new());
        for next in 0.. {
            for row in self.store.downstream_of(above.0).await? {
                let below = self.store.pipeline(row.pipeline_id).await?;
                if below.is_none_or(|row| row.source != Source::ParentPipeline.as_str()) {
                    continue;
                }
                let job = self.store.job(row.job_id).await?;
                let name = job.map(|job| job.name).unwrap_or_default();
                let jobs = self.store.jobs(row.pipeline_id).await?;
                found.push(Child {
                    pipeline: row.pipeline_id,
                    name: match above.1.is_empty() {
                        true => name,
                        false => format!("{}{between}{name}", above.1),
                    },
                    jobs: jobs.iter().filter(|job| !job.retried).count(),
                });
            }
            match found.get(next) {
                Some(child) => above = (child.pipeline, child.name.clone()),
                None => break,
            }
        }
        Ok(found)
    }

    /// Cancels the child pipelines of one that is being cancelled. Pipelines of other projects
    /// go on, as on GitLab.
    pub(crate) async fn cancel_children(&self, pipeline: PipelineId) -> Result<(), Error> {
        for child in self.children(pipeline, "").await? {
            let child = child.pipeline;
            let cancel = |live: &Live| match live.state.pipeline {
                Status::Success | Status::Failed | Status::Canceled | Status::Skipped => {
                    Err(Error::NoPipeline(child.0))
                }
                _ => Ok(vec![Event::CancelPipeline]),
            };
            match self.advance(child, &cancel, &[]).await {
                Ok(_) | Err(Error::NoPipeline(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
