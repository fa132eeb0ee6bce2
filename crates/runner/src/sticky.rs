//! `SHIPWAY_STICKY`: jobs that follow each other in one workspace, so that what one built is
//! simply there for the next.

use shipway_protocol::{JobPayload, Variable};

use crate::variables::Variables;

/// The variable.
pub(crate) const VARIABLE: &str = "SHIPWAY_STICKY";

/// Which jobs share a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sticky {
    /// Those of a pipeline.
    Pipeline,
    /// Those of a project, over all pipelines.
    Project,
}

impl Sticky {
    /// What the job asks for; `Err` is a value that means nothing.
    pub(crate) fn of(variables: &[Variable]) -> Result<Option<Self>, String> {
        if !variables.iter().any(|variable| variable.key == VARIABLE) {
            return Ok(None);
        }
        match Variables::new([variables.to_vec()], "")
            .get(VARIABLE)
            .as_str()
        {
            "" | "none" => Ok(None),
            "pipeline" => Ok(Some(Self::Pipeline)),
            "project" => Ok(Some(Self::Project)),
            other => Err(other.to_owned()),
        }
    }

    /// The name of the workspace's directory among the slots.
    pub(crate) fn workspace(self, payload: &JobPayload) -> String {
        let info = &payload.job_info;
        match self {
            Self::Pipeline => format!("pipeline-{}", info.pipeline_id),
            Self::Project => format!("project-{}", info.project_id),
        }
    }

    /// Whose workspace it is, for the log.
    pub(crate) fn owner(self) -> &'static str {
        match self {
            Self::Pipeline => "pipeline",
            Self::Project => "project",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_counts_and_others_are_refused() {
        let variable = |key: &str, value: &str| Variable {
            key: key.into(),
            value: value.into(),
            ..Variable::default()
        };
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&["pipeline"], Ok(Some(Sticky::Pipeline))),
            (&["pipeline", "project"], Ok(Some(Sticky::Project))),
            (&["project", "none"], Ok(None)),
            (&["project", ""], Ok(None)),
            (&["$WHICH"], Ok(Some(Sticky::Pipeline))),
            (&["Pipeline"], Err("Pipeline".to_owned())),
        ] {
            let mut variables = vec![variable("WHICH", "pipeline")];
            variables.extend(values.iter().map(|value| variable(VARIABLE, value)));
            assert_eq!(Sticky::of(&variables), expected, "{values:?}");
        }
    }
}
