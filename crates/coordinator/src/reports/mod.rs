//! What a job's log and reports tell: coverage, test results, variables for later jobs.

pub mod coverage;
pub mod dotenv;
pub mod junit;
pub mod lines;
