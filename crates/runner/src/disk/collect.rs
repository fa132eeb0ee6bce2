//! A round: what there is, what has to go, and removing it.

use std::path::PathBuf;

use bollard::Docker;

use super::ledger::Ledger;
use super::measure::Places;
use super::plan::{Budget, Item, Kind, Place, Plan, choose};
use super::{builds, caches, engine};
use crate::config::{ExecutorChoice, RunnerConfig};
use crate::executor::{DockerError, connect, slot_prefix};
use crate::failure::with_causes;
use crate::stage::blocking;

/// Removes what a set of runners made once it does not fit a budget.
#[derive(Debug, Clone)]
pub struct Collector {
    budget: Budget,
    builds: Vec<PathBuf>,
    caches: Vec<PathBuf>,
    engines: Vec<Engine>,
}

/// An engine that runners use.
#[derive(Debug, Clone)]
struct Engine {
    host: Option<String>,
    certificates: Option<PathBuf>,
    ledger: Ledger,
}

impl Engine {
    async fn connect(&self) -> Result<Docker, DockerError> {
        connect(self.host.as_deref(), self.certificates.as_deref()).await
    }
}

/// What a round found, and did where it was no rehearsal.
#[derive(Debug, Default)]
pub struct Collected {
    /// Everything that runners made.
    pub items: Vec<Item>,
    /// The file systems it is on.
    pub places: Vec<Place>,
    /// What has to go.
    pub plan: Plan,
    /// What came of it, in the order of the plan; empty after a rehearsal.
    pub removals: Vec<Removal>,
    /// Engines that did not answer, and why: what is on them is not counted.
    pub unreachable: Vec<String>,
}

/// What came of one removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Gone,
    /// A job took it meanwhile.
    Kept,
    /// It could not be removed.
    Failed(String),
}

impl Collected {
    /// Bytes of what is gone.
    pub fn freed(&self) -> u64 {
        let removed = self.plan.evict.iter().zip(&self.removals);
        removed
            .filter(|(_, removal)| **removal == Removal::Gone)
            .map(|(index, _)| self.items[*index].bytes)
            .sum()
    }
}

/// Where an item is.
#[derive(Debug, Clone, Copy)]
enum Home {
    Builds(usize),
    Caches(usize),
    Engine(usize),
}

impl Collector {
    /// For what these runners make.
    pub fn new<'a>(runners: impl IntoIterator<Item = &'a RunnerConfig>, budget: Budget) -> Self {
        let mut collector = Self {
            budget,
            builds: Vec::new(),
            caches: Vec::new(),
            engines: Vec::new(),
        };
        for runner in runners {
            if !collector.builds.contains(&runner.builds_dir) {
                collector.builds.push(runner.builds_dir.clone());
            }
            if !collector.caches.contains(&runner.cache_dir) {
                collector.caches.push(runner.cache_dir.clone());
            }
            let host = &runner.docker_host;
            let is_known = collector.engines.iter().any(|engine| engine.host == *host);
            if let (false, Some(ledger)) = (is_known, &runner.ledger_dir)
                && runner.executor != ExecutorChoice::Shell
            {
                collector.engines.push(Engine {
                    host: host.clone(),
                    certificates: runner.docker_cert_path.clone(),
                    ledger: Ledger::new(ledger, host.as_deref()),
                });
            }
        }
        collector
    }

    /// Looks and decides; with `rehearse` removes nothing.
    pub async fn round(&self, rehearse: bool) -> Collected {
        let (mut collected, homes) = self.look().await;
        collected.plan = choose(&collected.items, &collected.places, &self.budget);
        if rehearse {
            return collected;
        }
        for index in &collected.plan.evict {
            let item = &collected.items[*index];
            let removal = match self.remove(item, homes[*index]).await {
                Ok(true) => {
                    tracing::info!(
                        kind = item.kind.as_str(),
                        name = item.name,
                        bytes = item.bytes,
                        "disk.freed"
                    );
                    Removal::Gone
                }
                Ok(false) => Removal::Kept,
                Err(reason) => {
                    let kind = item.kind.as_str();
                    tracing::warn!(kind, name = item.name, reason, "disk.not_freed");
                    Removal::Failed(reason)
                }
            };
            collected.removals.push(removal);
        }
        collected
    }

    async fn look(&self) -> (Collected, Vec<Home>) {
        let mut collected = Collected::default();
        let mut homes = Vec::new();
        let (all_builds, all_caches) = (self.builds.clone(), self.caches.clone());
        let (mut places, found) = blocking(move || {
            let mut places = Places::default();
            let mut found = Vec::new();
            for (index, directory) in all_builds.iter().enumerate() {
                found.push((Home::Builds(index), builds::list(directory, &mut places)));
            }
            for (index, directory) in all_caches.iter().enumerate() {
                found.push((Home::Caches(index), caches::list(directory, &mut places)));
            }
            (places, found)
        })
        .await;
        let mut add = |home: Home, items: Vec<Item>| {
            homes.extend(items.iter().map(|_| home));
            collected.items.extend(items);
        };
        for (home, items) in found {
            add(home, items);
        }
        let mut unreachable = Vec::new();
        for (index, known) in self.engines.iter().enumerate() {
            let listed = match known.connect().await {
                Ok(engine) => {
                    let prefix = slot_prefix(known.host.as_deref());
                    let ours = (&self.builds[..], prefix.as_str());
                    engine::list(&engine, &known.ledger, ours, &mut places).await
                }
                Err(error) => Err(with_causes(&error)),
            };
            match listed {
                Ok(items) => add(Home::Engine(index), items),
                Err(reason) => unreachable.push(reason),
            }
        }
        collected.unreachable = unreachable;
        collected.places = places.places;
        (collected, homes)
    }

    async fn remove(&self, item: &Item, home: Home) -> Result<bool, String> {
        let words = |error: std::io::Error| error.to_string();
        match home {
            Home::Builds(index) => {
                let (builds, item) = (self.builds[index].clone(), item.clone());
                blocking(move || match item.kind {
                    Kind::Remains => builds::remove_remains(&item),
                    _ => builds::remove(&builds, &item),
                })
                .await
                .map_err(words)
            }
            Home::Caches(index) => {
                let (caches, item) = (self.caches[index].clone(), item.clone());
                blocking(move || caches::remove(&caches, &item))
                    .await
                    .map_err(words)
            }
            Home::Engine(index) => {
                let known = &self.engines[index];
                let engine = known.connect().await;
                let engine = engine.map_err(|error| with_causes(&error))?;
                engine::remove(&engine, &known.ledger, item).await
            }
        }
    }
}
