//! Relations of a job to others: needs, also of other pipelines, and the pipelines it
//! starts.

use crate::inputs::InputValues;
use crate::keywords::Matrix;
use serde::{Deserialize, Serialize};

/// One entry of `needs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The needed job's full name; parallel jobs are already resolved to their instances.
    pub job: String,
    /// Whether its archive is downloaded.
    pub artifacts: bool,
    /// Whether it may be missing from the pipeline.
    pub optional: bool,
    /// Which instances are meant, until they are resolved.
    #[serde(skip)]
    pub(crate) matrix: Option<Matrix>,
}

/// An archive of another pipeline that a job downloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrossNeed {
    /// Of a job in a parent or sibling pipeline.
    Pipeline {
        /// The number of that pipeline, mostly a variable.
        pipeline: String,
        /// The job, with variables.
        job: String,
        /// Whether the archive is downloaded.
        artifacts: bool,
        /// Whether it may be missing.
        optional: bool,
    },
    /// Of the latest successful job of a project's ref.
    Project {
        /// The project's full path, with variables.
        project: String,
        /// The job, with variables.
        job: String,
        /// The ref, with variables.
        git_ref: String,
        /// Whether the archive is downloaded.
        artifacts: bool,
        /// Whether it may be missing.
        optional: bool,
    },
}

/// What a job without commands does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// It starts a pipeline of another project.
    Project {
        /// The project's full path, with variables.
        project: String,
        /// Branch or tag, with variables; `None`: the default branch.
        branch: Option<String>,
        /// Inputs of that pipeline.
        inputs: InputValues,
        /// How its status becomes the job's.
        strategy: Option<Strategy>,
        /// Which variables it gets.
        forward: Forward,
    },
    /// It starts a child pipeline of its own project.
    Child {
        /// Entries in the forms of `include`, at most three.
        include: Vec<serde_json::Value>,
        /// How its status becomes the job's.
        strategy: Option<Strategy>,
        /// Which variables it gets.
        forward: Forward,
    },
    /// `needs: {pipeline: …}`: it takes over the status of the latest pipeline of a project's
    /// default branch.
    Mirror {
        /// The project's full path, with variables.
        pipeline: String,
    },
}

/// `trigger:strategy`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Runs until the other pipeline is done, then succeeds or fails.
    Depend,
    /// Has exactly the status of the other pipeline.
    Mirror,
}

/// `trigger:forward`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Variables of the file and of the job.
    pub yaml_variables: bool,
    /// Variables the pipeline was started with.
    pub pipeline_variables: bool,
}

impl Default for Forward {
    fn default() -> Self {
        Self {
            yaml_variables: true,
            pipeline_variables: false,
        }
    }
}
