//! The smallest change that would turn around whether a job is in a pipeline.
//!
//! Nothing is reasoned about rules here: changes are made up from what the conditions speak
//! of, and each is put before the function that decides for real pipelines too.

mod candidates;
mod difference;
mod sample;

use serde::Serialize;
use shipway_config::{Config, Job, Source as Files};

pub use difference::Difference;

use crate::create::{Context, Verdict, verdict};
use candidates::candidates;
use difference::Overlay;

/// Decisions that are tried for one answer.
const MOST_TRIES: usize = 600;
/// Changes of one answer.
const MOST_TOGETHER: usize = 3;
/// Answers of one size.
const MOST_ANSWERS: usize = 3;

/// Changes that together turn the outcome around.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// All of them are needed.
    pub changes: Vec<Difference>,
}

/// The smallest flips, at most a few; `included` is the outcome as it is.
pub(crate) fn smallest(
    config: &Config,
    context: &Context,
    files: &dyn Files,
    job: &Job,
    included: bool,
) -> Vec<Flip> {
    let changes = candidates(config, context, job);
    let mut tries = 0;
    for size in 1..=MOST_TOGETHER.min(changes.len()) {
        let mut answers = Vec::new();
        let mut chosen: Vec<usize> = (0..size).collect();
        loop {
            if is_sensible(&chosen, &changes) {
                tries += 1;
                if tries > MOST_TRIES {
                    return answers;
                }
                let picked: Vec<&Difference> = chosen.iter().map(|&one| &changes[one]).collect();
                if is_in(config, context, files, job, &picked) == Some(!included) {
                    answers.push(Flip {
                        changes: picked.into_iter().cloned().collect(),
                    });
                    if answers.len() == MOST_ANSWERS {
                        return answers;
                    }
                }
            }
            if !next(&mut chosen, changes.len()) {
                break;
            }
        }
        if !answers.is_empty() {
            return answers;
        }
    }
    Vec::new()
}

fn is_sensible(chosen: &[usize], changes: &[Difference]) -> bool {
    chosen.iter().enumerate().all(|(index, &one)| {
        let others = &chosen[index + 1..];
        others
            .iter()
            .all(|&other| changes[one].subject() != changes[other].subject())
    })
}

/// The next combination in order; false behind the last.
fn next(chosen: &mut [usize], count: usize) -> bool {
    let size = chosen.len();
    for place in (0..size).rev() {
        if chosen[place] < count - size + place {
            chosen[place] += 1;
            for later in place + 1..size {
                chosen[later] = chosen[later - 1] + 1;
            }
            return true;
        }
    }
    false
}

fn is_in(
    config: &Config,
    context: &Context,
    files: &dyn Files,
    job: &Job,
    changes: &[&Difference],
) -> Option<bool> {
    let mut context = context.clone();
    let mut overlay = Overlay::new(files);
    for change in changes {
        change.make(&mut context, &mut overlay);
    }
    let found = verdict(config, &context, &overlay, job).ok()?;
    Some(matches!(found, Verdict::In(..)))
}
