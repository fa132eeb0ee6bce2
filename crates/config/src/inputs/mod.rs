//! `spec:inputs` and `$[[ … ]]`: the header of a file says which values it takes, and they are
//! put into its text before that is read as YAML.

mod access;
mod functions;
mod interpolate;
mod of_job;
mod values;

pub(crate) use interpolate::{Interpolation, interpolate};
pub use of_job::JobInputError;
pub(crate) use values::{check, resolve};

use indexmap::IndexMap;

/// Values of inputs by name, of a pipeline, an include or a trigger.
pub type InputValues = IndexMap<String, serde_json::Value>;
