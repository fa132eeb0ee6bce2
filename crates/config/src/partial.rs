//! A configuration without the files of others that could not be had: what builds on them is left
//! out too, each with its reason.

use std::collections::HashSet;

use crate::config::judge;
use crate::keywords::GLOBALS;
use crate::yaml::Map;
use crate::{Diagnostic, Limits, Loaded, Severity};

/// How often what is left out is looked for: templates build on templates, jobs need jobs.
const ROUNDS: usize = 50;

/// Judges what there is, and without the jobs that are wrong again, until the rest is right or
/// is wrong outside of jobs.
pub(crate) fn judge_rest(mut root: Map, limits: &Limits, loaded: Loaded) -> Loaded {
    let mut left_out: Vec<Diagnostic> = Vec::new();
    for _ in 0..ROUNDS {
        let mut judged = judge(root.clone(), limits, loaded.clone());
        let wrong: HashSet<String> = judged
            .errors()
            .filter_map(|fault| key_of(fault.job.as_deref()?, &root))
            .collect();
        if judged.config.is_some() || wrong.is_empty() {
            judged.diagnostics.extend(left_out);
            return judged;
        }
        // The first reason of each will do.
        let mut told = HashSet::new();
        for mut fault in judged.diagnostics {
            let job = fault.job.as_deref().and_then(|job| key_of(job, &root));
            if let Some(job) = job.filter(|_| fault.is_error())
                && told.insert(job.clone())
            {
                fault.severity = Severity::Warning;
                let kind = match GLOBALS.contains(&job.as_str()) {
                    true => "",
                    false => "job ",
                };
                fault.message = format!("{kind}`{job}` is left out: {}", fault.message);
                left_out.push(fault);
            }
        }
        root.retain(|key, _| !wrong.contains(key.as_str()));
    }
    judge(root, limits, loaded)
}

/// The key of the top level that a job, perhaps one instance of it, was written under.
fn key_of(job: &str, root: &Map) -> Option<String> {
    let mut keys = root.keys().map(|key| key.as_str());
    let is_instance = |key: &str| {
        let rest = job.strip_prefix(key);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ':']))
    };
    match keys.clone().any(|key| key == job) {
        true => Some(job.to_owned()),
        false => keys.find(|key| is_instance(key)).map(str::to_owned),
    }
}
