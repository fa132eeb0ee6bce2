//! Trigger jobs, which GitLab calls bridges: what they become when another pipeline does
//! something, and which pipelines they may not start.

use shipway_config::Strategy;

use crate::{Source, Status};

/// How deep below the top pipeline of a project its children may be.
pub const MAX_CHILD_DEPTH: usize = 2;

/// Pipelines that may come of one, itself among them.
pub const MAX_HIERARCHY: i64 = 1000;

/// The status of a trigger job whose pipeline exists and has this status (language inventory,
/// 6.3).
pub fn follow(strategy: Option<Strategy>, downstream: Status) -> Status {
    match (strategy, downstream) {
        (None, _) | (Some(Strategy::Depend), Status::Success) => Status::Success,
        (Some(Strategy::Depend), Status::Failed | Status::Canceled | Status::Skipped) => {
            Status::Failed
        }
        (Some(Strategy::Depend), _) => Status::Running,
        // A pipeline is `created` for a moment; a job that is has not been judged yet.
        (Some(Strategy::Mirror), Status::Created) => Status::Pending,
        (Some(Strategy::Mirror), status) => status,
    }
}

/// Another pipeline that a trigger job is to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Downstream {
    /// A child of the job's own pipeline.
    Child,
    /// A pipeline of a project named by path.
    Project,
}

/// One of the pipelines above: that of the trigger job, the one that started it, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Its project; 0 in a local run.
    pub project: i64,
    /// Its branch or tag.
    pub ref_name: String,
    /// What set it off.
    pub source: Source,
}

/// Why a trigger job may not start a pipeline, as GitLab's name of the failure reason.
///
/// `ancestors` are the pipelines above the new one, the trigger job's own first; `hierarchy` is
/// how many there are below the topmost one, itself among them. A loop is found when two
/// pipelines above, children apart, are of the same project, ref and source.
pub fn refuse(
    downstream: Downstream,
    ancestors: &[Ancestor],
    hierarchy: i64,
) -> Option<&'static str> {
    let is_child = |ancestor: &&Ancestor| ancestor.source == Source::ParentPipeline;
    let depth = ancestors.iter().take_while(is_child).count();
    if downstream == Downstream::Child && depth >= MAX_CHILD_DEPTH {
        return Some("reached_max_descendant_pipelines_depth");
    }
    if hierarchy >= MAX_HIERARCHY {
        return Some("reached_max_pipeline_hierarchy_size");
    }
    let others: Vec<&Ancestor> = ancestors.iter().filter(|one| !is_child(one)).collect();
    let repeats = (others.iter().enumerate()).any(|(index, one)| others[..index].contains(one));
    (downstream == Downstream::Project && repeats).then_some("pipeline_loop_detected")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_job_follows_as_its_strategy_says() {
        use Status::{
            Canceled, Created, Failed, Manual, Pending, Running, Scheduled, Skipped, Success,
        };
        // Downstream, then without a strategy, with depend, with mirror.
        let table = [
            (Created, Success, Running, Pending),
            (Pending, Success, Running, Pending),
            (Running, Success, Running, Running),
            (Manual, Success, Running, Manual),
            (Scheduled, Success, Running, Scheduled),
            (Success, Success, Success, Success),
            (Failed, Success, Failed, Failed),
            (Canceled, Success, Failed, Canceled),
            (Skipped, Success, Failed, Skipped),
        ];
        for (downstream, none, depend, mirror) in table {
            assert_eq!(follow(None, downstream), none);
            assert_eq!(follow(Some(Strategy::Depend), downstream), depend);
            assert_eq!(follow(Some(Strategy::Mirror), downstream), mirror);
        }
    }

    #[test]
    fn what_a_trigger_job_may_not_start() {
        use Downstream::{Child, Project};
        use Source::{ParentPipeline, Pipeline, Push};
        let depth = Some("reached_max_descendant_pipelines_depth");
        let size = Some("reached_max_pipeline_hierarchy_size");
        let cycle = Some("pipeline_loop_detected");
        type Row<'a> = (Downstream, &'a [(i64, Source)], i64, Option<&'a str>);
        let table: [Row<'_>; 10] = [
            (Child, &[(1, Push)], 1, None),
            (Child, &[(1, ParentPipeline), (1, Push)], 2, None),
            (
                Child,
                &[(1, ParentPipeline), (1, ParentPipeline), (1, Push)],
                3,
                depth,
            ),
            // Another project's pipeline begins anew.
            (
                Child,
                &[
                    (2, Pipeline),
                    (1, ParentPipeline),
                    (1, ParentPipeline),
                    (1, Push),
                ],
                4,
                None,
            ),
            (Child, &[(1, Push)], 999, None),
            (Child, &[(1, Push)], 1000, size),
            (Project, &[(1, Push)], 1000, size),
            (Project, &[(2, Pipeline), (1, Push)], 2, None),
            (Project, &[(1, Pipeline), (2, Pipeline), (1, Push)], 3, None),
            (
                Project,
                &[(2, Pipeline), (1, Pipeline), (2, Pipeline), (1, Push)],
                4,
                cycle,
            ),
        ];
        for (downstream, above, hierarchy, expected) in table {
            let ancestors: Vec<Ancestor> = (above.iter())
                .map(|(project, source)| Ancestor {
                    project: *project,
                    ref_name: "main".to_owned(),
                    source: *source,
                })
                .collect();
            let found = refuse(downstream, &ancestors, hierarchy);
            assert_eq!(found, expected, "{downstream:?} {above:?} {hierarchy}");
        }
    }
}
