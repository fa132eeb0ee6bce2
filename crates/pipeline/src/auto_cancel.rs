//! `workflow:auto_cancel:on_new_commit`: what a newer pipeline of the ref cancels of an older.

use crate::{Event, JobIndex, Status};

/// As much of a job as the decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interruptible {
    /// `interruptible: true`.
    pub interruptible: bool,
    /// Its status.
    pub status: Status,
    /// It has started, at whatever time.
    pub started: bool,
}

/// The events that make way for a newer commit. `mode` is `conservative` (which a pipeline
/// that says nothing means), `interruptible` or `none` (language inventory, 5.8).
pub fn make_way(mode: Option<&str>, jobs: &[Interruptible]) -> Vec<Event> {
    let cancel = |(index, job): (JobIndex, &Interruptible)| {
        (job.interruptible && job.status.is_cancelable()).then_some(Event::Cancel(index))
    };
    match mode {
        Some("none") => Vec::new(),
        Some("interruptible") => jobs.iter().enumerate().filter_map(cancel).collect(),
        _ if jobs.iter().any(|job| job.started && !job.interruptible) => Vec::new(),
        _ => vec![Event::CancelPipeline],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_cancels_what_it_may() {
        use Status::{Created, Manual, Pending, Running, Success};
        let (yes, no) = (true, false);
        let all = vec![Event::CancelPipeline];
        // Jobs as (interruptible, status, started); then what each mode does.
        type Row<'a> = (&'a [(bool, Status, bool)], Vec<Event>, Vec<Event>);
        let table: [Row<'_>; 6] = [
            (&[(no, Pending, no), (no, Created, no)], all.clone(), vec![]),
            (&[(no, Running, yes)], vec![], vec![]),
            // It is over, but it has started.
            (
                &[(no, Success, yes), (yes, Running, yes)],
                vec![],
                vec![Event::Cancel(1)],
            ),
            (
                &[(yes, Running, yes), (no, Created, no)],
                all.clone(),
                vec![Event::Cancel(0)],
            ),
            (
                &[(yes, Success, yes), (yes, Manual, no), (yes, Pending, no)],
                all.clone(),
                vec![Event::Cancel(2)],
            ),
            (&[(yes, Created, no)], all, vec![Event::Cancel(0)]),
        ];
        for (jobs, conservative, interruptible) in table {
            let facts: Vec<Interruptible> = (jobs.iter())
                .map(|&(interruptible, status, started)| Interruptible {
                    interruptible,
                    status,
                    started,
                })
                .collect();
            assert_eq!(make_way(None, &facts), conservative, "{jobs:?}");
            assert_eq!(make_way(Some("conservative"), &facts), conservative);
            assert_eq!(
                make_way(Some("interruptible"), &facts),
                interruptible,
                "{jobs:?}"
            );
            assert_eq!(make_way(Some("none"), &facts), []);
        }
    }
}
