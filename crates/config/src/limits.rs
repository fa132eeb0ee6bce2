//! How much a configuration may ask for. The defaults are GitLab's.

/// The limits of one load. Each is named in the error that it causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file.
    pub yaml_bytes: usize,
    /// How deep the lists and maps of one file may be nested.
    pub depth: usize,
    /// Values of one file after aliases and merge keys are expanded.
    pub expanded_nodes: usize,
    /// Bytes of all jobs with what they extend, inherit and repeat, roughly.
    pub expanded_bytes: usize,
    /// Jobs, parallel ones as often as they run.
    pub jobs: usize,
    /// Included files, nested ones and repetitions counted.
    pub include_files: usize,
    /// Bytes of all included files together.
    pub include_bytes: usize,
    /// How many entries with `extends` may follow each other.
    pub extends_levels: usize,
    /// How deep one `!reference` may lead to another.
    pub reference_levels: usize,
    /// Entries of one job's `needs`.
    pub needs: usize,
    /// Entries of the `needs` of all jobs, with the instances of parallel jobs that they mean.
    pub all_needs: usize,
    /// Instances of one `parallel` job.
    pub parallel: u32,
    /// A job has fewer tags than this.
    pub tags: usize,
    /// Caches of one job.
    pub caches: usize,
    /// Diagnostics that are kept; what a hostile file adds behind them is dropped.
    pub diagnostics: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            yaml_bytes: 2 * 1024 * 1024,
            depth: 100,
            expanded_nodes: 1_000_000,
            expanded_bytes: 512 * 1024 * 1024,
            jobs: 200_000,
            include_files: 150,
            include_bytes: 314_572_800,
            extends_levels: 11,
            reference_levels: 10,
            needs: 50,
            all_needs: 2_000_000,
            parallel: 200,
            tags: 50,
            caches: 4,
            diagnostics: 1000,
        }
    }
}
