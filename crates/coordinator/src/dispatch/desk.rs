//! What is known right now: the queue, who asked lately and who waits.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use shipway_pipeline::{Candidate, JobId, Wanted};
use shipway_store::RunnerId;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Dispatch;
use crate::queue::{Busy, Queue, Ticket};

#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) queue: Queue,
    pub(super) busy: Busy,
    /// Projects of the jobs that were handed to runners of the instance.
    pub(super) at_work: HashMap<JobId, i64>,
    pub(super) runners: HashMap<RunnerId, Seen>,
    /// In the order in which they began to wait.
    pub(super) waiting: BTreeMap<u64, Waiter>,
    /// Counts waiters and states of queues.
    pub(super) counter: u64,
    pub(super) closed: bool,
}

/// A runner that asked lately.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) candidate: Arc<Candidate>,
    /// Another whenever there may be something new for it.
    pub(super) state: u64,
    pub(super) at: Instant,
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) runner: RunnerId,
    pub(super) candidate: Arc<Candidate>,
    pub(super) call: oneshot::Sender<Call>,
}

/// Why a waiting runner is called.
#[derive(Debug)]
pub(super) enum Call {
    /// There is a job for it.
    Offer(Offer),
    /// It became another: paused, given other tags.
    Changed,
}

/// A job that nobody else is offered, until this is dropped or taken.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) ticket: Option<Ticket>,
}

impl Offer {
    pub(super) fn take(mut self) -> Option<Ticket> {
        self.ticket.take()
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // The runner is not there any more.
        if let Some(ticket) = self.ticket.take() {
            self.dispatch.put_back(ticket);
        }
    }
}

impl Desk {
    pub(super) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Remembers what a runner is, and returns the state of its queue.
    pub(super) fn see(&mut self, runner: RunnerId, candidate: &Arc<Candidate>) -> u64 {
        let fresh = self.counter + 1;
        let seen = self.runners.entry(runner).or_insert_with(|| Seen {
            candidate: Arc::clone(candidate),
            state: fresh,
            at: Instant::now(),
        });
        if seen.candidate != *candidate {
            seen.candidate = Arc::clone(candidate);
            seen.state = fresh;
        }
        seen.at = Instant::now();
        let state = seen.state;
        self.counter = self.counter.max(fresh);
        state
    }

    /// Something new for all runners that may take such jobs.
    pub(super) fn renew(&mut self, wishes: &HashSet<Arc<Wanted>>) {
        if wishes.is_empty() {
            return;
        }
        let state = self.next();
        for seen in self.runners.values_mut() {
            if wishes.iter().any(|wanted| seen.candidate.takes(wanted)) {
                seen.state = state;
            }
        }
    }

    /// Jobs for waiting runners, as far as the jobs that became pending go.
    pub(super) fn offers(&mut self, mut wishes: HashSet<Arc<Wanted>>) -> Vec<(Waiter, Ticket)> {
        let mut offers = Vec::new();
        let mut after = 0;
        loop {
            wishes.retain(|wanted| self.queue.has(wanted));
            let suits = |waiter: &Waiter| {
                wishes.iter().any(|wanted| waiter.candidate.takes(wanted))
                    && !waiter.call.is_closed()
            };
            let mut later = self.waiting.range(after..);
            let Some((&number, _)) = later.find(|(_, waiter)| suits(waiter)) else {
                break;
            };
            after = number + 1;
            let Some(waiter) = self.waiting.remove(&number) else {
                break;
            };
            if let Some(ticket) = self.queue.take(&waiter.candidate, &self.busy) {
                offers.push((waiter, ticket));
            } else {
                self.waiting.insert(number, waiter);
            }
        }
        offers
    }
}
