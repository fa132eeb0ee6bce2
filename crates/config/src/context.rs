//! What a configuration is read for.

use crate::inputs::InputValues;
use crate::variables::Collection;

/// What a load knows of the pipeline to come. The default knows nothing: references to
/// variables become empty, inputs have their defaults.
#[derive(Debug, Clone, Default)]
pub struct LoadContext {
    /// What `include` may use, and `expand_vars` where it is not masked: predefined variables
    /// that exist before the pipeline, those of instance, group and project, and those the
    /// pipeline is started with. Never those of the file.
    pub variables: Collection,
    /// Values for the inputs of the first file.
    pub inputs: InputValues,
}
