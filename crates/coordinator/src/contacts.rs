//! When runners were last heard of, in memory: what is written down is that they called, once a
//! minute, and at once what is new about them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use shipway_store::{RunnerId, RunnerManagerRow};

/// How often a machine's word is written down, in microseconds, where it says nothing new.
const INTERVAL: i64 = 60 * 1_000_000;

/// The machines whose word is written down already.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<HashMap<RunnerId, HashMap<String, Contact>>>);

/// What was last written of a machine.
#[derive(Debug, PartialEq, Eq)]
struct Contact {
    at: i64,
    features: String,
    version: Option<String>,
}

impl Contact {
    fn of(row: &RunnerManagerRow) -> Self {
        Self {
            at: row.contacted_at,
            features: row.features.clone(),
            version: row.version.clone(),
        }
    }

    /// Whether a call says nothing that is not written already.
    fn covers(&self, call: &RunnerManagerRow) -> bool {
        call.contacted_at - self.at < INTERVAL
            && self.features == call.features
            && self.version == call.version
    }
}

impl Contacts {
    /// Whether a call says nothing that is not written already, as far as this process knows.
    pub(crate) fn cover(&self, call: &RunnerManagerRow) -> bool {
        let machines = self.machines();
        let written = machines
            .get(&call.runner_id)
            .and_then(|all| all.get(&call.system_id));
        written.is_some_and(|written| written.covers(call))
    }

    /// As [`Self::cover`], by the stored row of the machine, which is remembered if it does.
    pub(crate) fn cover_stored(&self, stored: &RunnerManagerRow, call: &RunnerManagerRow) -> bool {
        let covered = Contact::of(stored).covers(call);
        if covered {
            self.note(stored);
        }
        covered
    }

    /// Remembers what is written of a machine, and forgets those that were silent since.
    pub(crate) fn note(&self, row: &RunnerManagerRow) {
        let mut runners = self.machines();
        let machines = runners.entry(row.runner_id).or_default();
        // A token that many short-lived machines share must not fill the memory.
        machines.retain(|_, contact| row.contacted_at - contact.at < INTERVAL);
        machines.insert(row.system_id.clone(), Contact::of(row));
    }

    /// Something of the runner was deleted.
    pub(crate) fn forget(&self, runner: RunnerId) {
        self.machines().remove(&runner);
    }

    fn machines(&self) -> MutexGuard<'_, HashMap<RunnerId, HashMap<String, Contact>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(system: &str, at: i64, features: &str) -> RunnerManagerRow {
        RunnerManagerRow {
            runner_id: RunnerId(1),
            system_id: system.to_owned(),
            version: None,
            revision: None,
            platform: None,
            architecture: None,
            executor: None,
            ip: None,
            features: features.to_owned(),
            created_at: at,
            contacted_at: at,
        }
    }

    #[test]
    fn what_is_new_is_written_at_once_and_what_is_not_once_a_minute() {
        let contacts = Contacts::default();
        assert!(!contacts.cover(&call("s", 0, "{}")));
        contacts.note(&call("s", 0, "{}"));
        assert!(contacts.cover(&call("s", INTERVAL - 1, "{}")));
        assert!(!contacts.cover(&call("s", INTERVAL, "{}")));
        assert!(!contacts.cover(&call("s", 1, r#"{"cache":true}"#)));
        assert!(!contacts.cover(&call("another", 1, "{}")));
        // Another process wrote it down.
        let late = call("s", INTERVAL + 1, "{}");
        assert!(!contacts.cover_stored(&call("s", 1, "{}"), &late));
        assert!(contacts.cover_stored(&call("s", 2, "{}"), &late));
        assert!(contacts.cover(&late));
        contacts.forget(RunnerId(1));
        assert!(!contacts.cover(&late));
    }

    #[test]
    fn machines_that_are_silent_are_forgotten() {
        let contacts = Contacts::default();
        for number in 0..100 {
            contacts.note(&call(&number.to_string(), number, "{}"));
        }
        contacts.note(&call("s", 2 * INTERVAL, "{}"));
        assert_eq!(contacts.machines()[&RunnerId(1)].len(), 1);
    }
}
