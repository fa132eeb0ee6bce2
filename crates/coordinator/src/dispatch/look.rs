//! How jobs come into the queue and leave it, and who is called then.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use shipway_pipeline::{JobId, Wanted};
use shipway_store::{ProjectId, QueuedJob, RunnerId};

use super::Dispatch;
use super::desk::{Call, Offer, Waiter};
use crate::error::Error;
use crate::queue::Ticket;

/// Pending jobs that are kept in memory; more are looked at when these are taken.
const QUEUED: i64 = 100_000;

/// How long a runner that does not ask any more is remembered.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

impl Dispatch {
    pub(super) fn put_back(self: &Arc<Self>, ticket: Ticket) {
        self.add(vec![ticket]);
    }

    /// Adds jobs that became pending, and offers them.
    pub(super) fn add(self: &Arc<Self>, tickets: Vec<Ticket>) {
        let offers = {
            let mut desk = self.desk();
            let mut wishes = HashSet::new();
            for ticket in tickets {
                let wanted = Arc::clone(&ticket.wanted);
                if desk.queue.insert(ticket) {
                    wishes.insert(wanted);
                }
            }
            desk.renew(&wishes);
            desk.offers(wishes)
        };
        for (waiter, ticket) in offers {
            let offer = Offer {
                dispatch: Arc::clone(self),
                ticket: Some(ticket),
            };
            // One that is not wanted any more is dropped, and so goes back.
            drop(waiter.call.send(Call::Offer(offer)));
        }
    }

    pub(super) fn remove(&self, job: JobId) {
        let mut desk = self.desk();
        desk.queue.remove(job);
        if let Some(project) = desk.at_work.remove(&job)
            && let Some(jobs) = desk.busy.get_mut(&project)
        {
            *jobs -= 1;
        }
    }

    /// Calls those who wait with this runner's token, because it changed.
    pub(super) fn call_changed(&self, runner: RunnerId) {
        let called: Vec<Waiter> = {
            let mut desk = self.desk();
            let state = desk.next();
            if let Some(seen) = desk.runners.get_mut(&runner) {
                seen.state = state;
            }
            let of =
                |(number, waiter): (&u64, &Waiter)| (waiter.runner == runner).then_some(*number);
            let numbers: Vec<u64> = desk.waiting.iter().filter_map(of).collect();
            numbers
                .iter()
                .filter_map(|number| desk.waiting.remove(number))
                .collect()
        };
        for waiter in called {
            drop(waiter.call.send(Call::Changed));
        }
    }

    /// Looks at the whole queue.
    pub(super) async fn look(self: &Arc<Self>) -> Result<(), Error> {
        let store = self.coordinator.store();
        let rows = store.queue(QUEUED).await?;
        let busy = store.busy_projects().await?;
        let tickets = self.tickets(rows).await?;
        {
            let mut desk = self.desk();
            desk.busy = (busy.iter())
                .map(|busy| (busy.project_id.0, busy.jobs))
                .collect();
            let pending: HashSet<JobId> = tickets.iter().map(|ticket| ticket.job).collect();
            let gone: Vec<JobId> = (desk.queue.jobs())
                .filter(|job| !pending.contains(job))
                .collect();
            for job in gone {
                desk.queue.remove(job);
            }
            desk.runners
                .retain(|_, seen| seen.at.elapsed() < REMEMBERED);
            desk.waiting.retain(|_, waiter| !waiter.call.is_closed());
        }
        self.add(tickets);
        Ok(())
    }

    /// Looks at some jobs that became pending.
    pub(super) async fn look_at(self: &Arc<Self>, jobs: &[JobId]) -> Result<(), Error> {
        let rows = self.coordinator.store().queued(jobs).await?;
        let tickets = self.tickets(rows).await?;
        self.add(tickets);
        Ok(())
    }

    async fn tickets(&self, rows: Vec<QueuedJob>) -> Result<Vec<Ticket>, Error> {
        let mut projects: HashMap<ProjectId, Option<Wanted>> = HashMap::new();
        let mut tickets = Vec::with_capacity(rows.len());
        for row in rows {
            let project = match projects.entry(row.project_id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(vacant) => {
                    vacant.insert(self.coordinator.wanted_in(row.project_id).await?)
                }
            };
            let Some(project) = project else { continue };
            let wanted = Wanted {
                tags: serde_json::from_str(&row.tags).unwrap_or_default(),
                protected: row.protected,
                ..project.clone()
            };
            tickets.push(Ticket {
                job: row.id,
                pipeline: row.pipeline_id,
                wanted: Arc::new(wanted),
            });
        }
        Ok(tickets)
    }
}
