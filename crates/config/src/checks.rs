//! Jobs held against each other: stages, needs, dependencies, environments. The texts keep
//! the case of names, unlike those of single keywords.

use crate::keywords::{place::Place, report::Report};
use crate::yaml::{Map, Node, get};
use crate::{InputValues, Job, JobInputError, Limits, Need, Span, graph, suggest};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// Tells of everything that does not fit together.
pub(crate) fn check(
    jobs: &IndexMap<String, Job>,
    stages: &[String],
    root: &Map,
    limits: &Limits,
    report: &Report,
) {
    let checker = Checker {
        jobs,
        stages: stages
            .iter()
            .enumerate()
            .map(|(index, stage)| (stage.as_str(), index))
            .collect(),
        root,
        limits,
        report,
    };
    for job in jobs.values() {
        checker.length_of_name(job);
        // What else is wrong with one instance of a parallel job is wrong with all of them.
        if job.parallel.is_none_or(|instance| instance.index == 1) {
            checker.job(job);
        }
    }
    checker.circles();
}

struct Checker<'c> {
    jobs: &'c IndexMap<String, Job>,
    stages: HashMap<&'c str, usize>,
    root: &'c Map,
    limits: &'c Limits,
    report: &'c Report,
}

impl Checker<'_> {
    fn job(&self, job: &Job) {
        self.stage(job);
        self.dependencies(job);
        if let Some(needs) = &job.needs {
            self.needs(job, needs, &["needs"]);
        }
        for (index, rule) in job.rules.iter().flatten().enumerate() {
            if let Some(needs) = &rule.needs {
                self.needs(job, needs, &["rules", &index.to_string(), "needs"]);
            }
        }
        self.on_stop(job);
        self.inputs(job);
    }

    /// What stands between `${{` and `}}`, where the job has inputs.
    fn inputs(&self, job: &Job) {
        // GitLab refuses names that are no inputs; of anything else only the runner of the job
        // says what is wrong. Values that do not fit have been told where they stand.
        if let Err(fault @ JobInputError::Unknown(_)) = job.with_inputs(&InputValues::new()) {
            let text = format!("jobs:{}:inputs {fault}", job.name.to_lowercase());
            let place = Place::job(&job.key, self.report);
            let names: Vec<&str> = job.inputs.keys().map(String::as_str).collect();
            let told = place
                .key("inputs")
                .message(self.span(job, &["inputs"]), text);
            told.hint(format!("its inputs are {}", names.join(", ")));
        }
    }

    /// The name of an instance has its values in it; names of the file have been checked.
    fn length_of_name(&self, job: &Job) {
        if job.parallel.is_some() && job.name.chars().count() > 255 && job.key.len() <= 255 {
            let text = format!(
                "jobs:{} name is too long (maximum is 255 characters)",
                job.name.to_lowercase()
            );
            let place = Place::job(&job.key, self.report);
            place
                .key("parallel")
                .message(self.span(job, &["parallel"]), text)
                .label("its values make a name that is too long");
        }
    }

    fn stage(&self, job: &Job) {
        // An empty name has been told as a stage that is no text, a wrong list as such.
        if job.stage.is_empty()
            || self.stages.is_empty()
            || self.stages.contains_key(job.stage.as_str())
        {
            return;
        }
        let mut names: Vec<(&str, usize)> = self.stages.iter().map(|(n, i)| (*n, *i)).collect();
        names.sort_by_key(|(_, index)| *index);
        let names: Vec<&str> = names.into_iter().map(|(name, _)| name).collect();
        let text = format!(
            "{} job: chosen stage {} does not exist; available stages are {}",
            job.name,
            job.stage,
            names.join(", ")
        );
        let place = Place::job(&job.key, self.report);
        let at = place.key("stage");
        let fault = at.message(self.span(job, &["stage"]), text);
        if self.node(job, &["stage"]).is_none() {
            fault
                .label("has no `stage`, which means `test`")
                .hint("give the job a `stage`, or add `test` to `stages`");
        } else if let Some(near) = suggest(&job.stage, names.iter().copied()) {
            fault
                .label("no such stage")
                .hint(format!("did you mean `{near}`?"));
        } else {
            fault
                .label("no such stage")
                .hint(format!("add `{}` to `stages`", job.stage));
        }
    }

    fn dependencies(&self, job: &Job) {
        let mut seen = HashSet::new();
        for name in job.dependencies.iter().flatten() {
            let key = self.key_of(name);
            if !seen.insert(key) {
                continue;
            }
            let span = self.item_span(job, &["dependencies"], name);
            let place = Place::job(&job.key, self.report);
            let at = place.key("dependencies");
            match self.jobs.get(name) {
                None => {
                    let text = format!("{} job: undefined dependency: {name}", job.name);
                    let fault = at.message(span, text).label("no such job");
                    if let Some(near) = self.near(name) {
                        fault.hint(near);
                    }
                }
                Some(other) if self.is_later(other, job) => {
                    at.message(
                        span,
                        format!(
                            "{} job: dependency {name} is not defined in current or prior stages",
                            job.name
                        ),
                    )
                    .label(format!("is in the later stage `{}`", other.stage));
                }
                Some(_) => {}
            }
        }
    }

    fn needs(&self, job: &Job, needs: &[Need], path: &[&str]) {
        let place = Place::job(&job.key, self.report);
        let keyword = if path[0] == "rules" {
            "rules:needs"
        } else {
            "needs"
        };
        let at = place.key(keyword);
        if needs.len() > self.limits.needs {
            let text = format!(
                "{}: one job can only need {} others, but you have listed {}. \
                 See needs keyword documentation for more details",
                job.name,
                self.limits.needs,
                needs.len()
            );
            at.message(self.span(job, path), text)
                .label(format!("{} needs", needs.len()));
        }
        let mut seen = HashSet::new();
        let mut twice = Vec::new();
        let mut told = HashSet::new();
        for need in needs {
            if !seen.insert(need.job.as_str()) && !twice.contains(&need.job.as_str()) {
                twice.push(&need.job);
            }
            let key = self.key_of(&need.job);
            let span = || self.item_span(job, path, &need.job);
            match self.jobs.get(&need.job) {
                None if need.optional || !told.insert(key) => {}
                None => {
                    let text = format!("{} job: undefined need: {}", job.name, need.job);
                    let fault = at.message(span(), text).label("no such job");
                    if need.job.starts_with('.') {
                        fault.hint("a hidden job never runs, so nothing can need it");
                    } else if let Some(near) = self.near(&need.job) {
                        fault.hint(near);
                    } else {
                        fault.hint("write `optional: true` if the job may be missing");
                    }
                }
                Some(other) if self.is_later(other, job) && told.insert(key) => {
                    at.message(
                        span(),
                        format!(
                            "{} job: need {} is not defined in current or prior stages",
                            job.name, need.job
                        ),
                    )
                    .label(format!("is in the later stage `{}`", other.stage));
                }
                Some(_) => {}
            }
        }
        if let Some(first) = twice.first() {
            let text = format!(
                "{} has the following needs duplicated: {}.",
                job.name,
                twice.join(", ")
            );
            at.message(self.item_span(job, path, first), text)
                .label("needed twice");
        }
    }

    fn on_stop(&self, job: &Job) {
        let Some(environment) = &job.environment else {
            return;
        };
        let Some(stopper) = &environment.on_stop else {
            return;
        };
        let problem = match self.jobs.get(stopper) {
            None => "is not defined",
            Some(other) => match &other.environment {
                None => "does not have environment defined",
                Some(stopped) if stopped.name != environment.name => {
                    "have different environment name"
                }
                Some(stopped) if stopped.action != "stop" => "needs to have action stop defined",
                Some(_) => return,
            },
        };
        let place = Place::job(&job.key, self.report);
        let environment_place = place.key("environment");
        let at = environment_place.key("on_stop");
        let text = format!("{} job: on_stop job {stopper} {problem}", job.name);
        let fault = at
            .message(self.span(job, &["environment", "on_stop"]), text)
            .label("cannot stop this environment");
        match (self.jobs.get(stopper), self.near(stopper)) {
            (None, Some(near)) => {
                fault.hint(near);
            }
            (Some(other), _) => {
                fault.related(
                    self.span(other, &["environment"]),
                    "the job that should stop it",
                );
            }
            (None, None) => {}
        }
    }

    /// Needs that lead back to themselves.
    fn circles(&self) {
        let children: Vec<Vec<usize>> = self
            .jobs
            .values()
            .map(|job| {
                job.needs
                    .iter()
                    .flatten()
                    .filter_map(|need| self.jobs.get_index_of(&need.job))
                    .collect()
            })
            .collect();
        let itself = children
            .iter()
            .enumerate()
            .find(|(index, needs)| needs.contains(index));
        let name = |index: usize| self.jobs.get_index(index).map(|(name, _)| name.as_str());
        let (first, problem) = if let Some((index, _)) = itself {
            let name = name(index).unwrap_or_default();
            (index, format!("self-dependency: {name}"))
        } else if let Err(circle) = graph::sort(&children) {
            let names: Vec<&str> = circle.iter().filter_map(|index| name(*index)).collect();
            (circle[0], format!("topological sort failed: {names:?}"))
        } else {
            return;
        };
        if let Some((_, job)) = self.jobs.get_index(first) {
            let place = Place::job(&job.key, self.report);
            place
                .key("needs")
                .message(
                    self.span(job, &["needs"]),
                    format!("The pipeline has circular dependencies: {problem}"),
                )
                .label("part of the circle")
                .job(&job.name);
        }
    }

    fn is_later(&self, other: &Job, than: &Job) -> bool {
        let index = |job: &Job| self.stages.get(job.stage.as_str());
        match (index(other), index(than)) {
            (Some(other), Some(than)) => other > than,
            // An unknown stage has been told.
            _ => false,
        }
    }

    /// The key in the file behind a job's name.
    fn key_of<'n>(&'n self, name: &'n str) -> &'n str {
        self.jobs.get(name).map_or(name, |job| &job.key)
    }

    fn near(&self, name: &str) -> Option<String> {
        let keys = self.jobs.values().map(|job| job.key.as_str());
        suggest(name, keys).map(|near| format!("did you mean `{near}`?"))
    }

    fn node(&self, job: &Job, path: &[&str]) -> Option<&Node> {
        crate::origin::descend(&get(self.root, &job.key)?.node, path)
    }

    /// Where a keyword of a job is, or else the job.
    fn span(&self, job: &Job, path: &[&str]) -> Span {
        self.node(job, path)
            .map(|node| node.span)
            .or_else(|| get(self.root, &job.key).map(|entry| entry.key_span))
            .unwrap_or_default()
    }

    /// Where a job is named in a list of names or of maps with `job`.
    fn item_span(&self, job: &Job, path: &[&str], name: &str) -> Span {
        let key = self.key_of(name);
        let list = self.node(job, path);
        let items = match list {
            Some(node) => node.as_list().unwrap_or(std::slice::from_ref(node)),
            None => &[],
        };
        items
            .iter()
            .filter_map(|item| {
                let named = item.get("job").unwrap_or(item);
                let text = named.as_text()?;
                (text == name || text == key).then_some(named.span)
            })
            .next_back()
            .unwrap_or_else(|| self.span(job, path))
    }
}
