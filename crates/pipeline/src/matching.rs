//! Which runner may take which job, and what stands in the way of a job nobody takes
//! (language inventory, 1.11 `tags`; runner protocol, A and H.4).

use serde::{Deserialize, Serialize};

/// What a job asks of a runner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Wanted {
    /// The runner must have all of them; upper and lower case differ.
    pub tags: Vec<String>,
    /// The ref is protected.
    pub protected: bool,
    /// The project the job belongs to.
    pub project: i64,
    /// The groups above the project, nearest first.
    pub groups: Vec<i64>,
    /// The project does not want runners of the instance.
    pub no_instance_runners: bool,
    /// The project does not want runners of its groups.
    pub no_group_runners: bool,
}

/// Whose jobs a runner takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// All projects of the instance.
    Instance,
    /// Projects below one of these groups.
    Groups(Vec<i64>),
    /// These projects.
    Projects(Vec<i64>),
}

/// A runner as far as it matters for matching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What people call it.
    pub name: String,
    /// Whose jobs it takes.
    pub reach: Reach,
    /// What it offers.
    pub tags: Vec<String>,
    /// It takes jobs without tags.
    pub run_untagged: bool,
    /// It takes only jobs of protected refs.
    pub protected_only: bool,
    /// Somebody paused it.
    pub paused: bool,
    /// It was heard of lately.
    pub online: bool,
}

/// One thing that keeps a runner from taking a job, from the hardest to mend to the easiest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// It is another project's or group's.
    Reach,
    /// It lacks these tags.
    Tags(Vec<String>),
    /// The job has no tags, and the runner takes only jobs that have.
    Untagged,
    /// The ref is not protected, and the runner takes only jobs of those that are.
    Protected,
    /// It is paused.
    Paused,
    /// It was not heard of for a while.
    Offline,
}

impl Candidate {
    /// Everything that keeps this runner from taking the job; nothing when it may.
    pub fn obstacles(&self, wanted: &Wanted) -> Vec<Obstacle> {
        let mut found = Vec::new();
        let reaches = match &self.reach {
            Reach::Instance => !wanted.no_instance_runners,
            Reach::Groups(groups) => {
                !wanted.no_group_runners && groups.iter().any(|group| wanted.groups.contains(group))
            }
            Reach::Projects(projects) => projects.contains(&wanted.project),
        };
        if !reaches {
            found.push(Obstacle::Reach);
        }
        let missing: Vec<String> = (wanted.tags.iter())
            .filter(|tag| !self.tags.contains(tag))
            .cloned()
            .collect();
        if !missing.is_empty() {
            found.push(Obstacle::Tags(missing));
        }
        if wanted.tags.is_empty() && !self.run_untagged {
            found.push(Obstacle::Untagged);
        }
        if self.protected_only && !wanted.protected {
            found.push(Obstacle::Protected);
        }
        if self.paused {
            found.push(Obstacle::Paused);
        }
        if !self.online {
            found.push(Obstacle::Offline);
        }
        found
    }

    /// Whether it may take the job, online or not: whoever asks is online.
    pub fn takes(&self, wanted: &Wanted) -> bool {
        let obstacles = self.obstacles(wanted);
        obstacles.iter().all(|one| *one == Obstacle::Offline)
    }
}

/// One sentence about a job that waits: what stands in the way, named after the runner that
/// is nearest to taking it. `None` when some runner is free to take it.
pub fn why_stuck(wanted: &Wanted, runners: &[Candidate]) -> Option<String> {
    let mut nearest: Option<(Vec<Obstacle>, &Candidate)> = None;
    for runner in runners {
        let obstacles = runner.obstacles(wanted);
        if obstacles.is_empty() {
            return None;
        }
        if obstacles.contains(&Obstacle::Reach) {
            continue;
        }
        let nearer = nearest
            .as_ref()
            .is_none_or(|(best, _)| effort(&obstacles) < effort(best));
        if nearer {
            nearest = Some((obstacles, runner));
        }
    }
    let Some((obstacles, runner)) = nearest else {
        return Some("This job is stuck because the project has no runner.".to_owned());
    };
    let name = &runner.name;
    let parts: Vec<String> = obstacles
        .iter()
        .map(|obstacle| match obstacle {
            Obstacle::Reach => "belongs to another project".to_owned(),
            Obstacle::Tags(tags) => lacks(tags, &runner.tags),
            Obstacle::Untagged => "takes only jobs with tags".to_owned(),
            Obstacle::Protected => "takes only jobs of protected branches and tags".to_owned(),
            Obstacle::Paused => "is paused".to_owned(),
            Obstacle::Offline => "has not been heard of for a while".to_owned(),
        })
        .collect();
    Some(format!(
        "This job is stuck: runner `{name}` is nearest to taking it, but it {}.",
        parts.join(" and ")
    ))
}

/// How hard it is to mend: more obstacles are harder, and harder ones weigh more.
fn effort(obstacles: &[Obstacle]) -> (usize, usize, Option<&Obstacle>) {
    let tags = obstacles.iter().map(|obstacle| match obstacle {
        Obstacle::Tags(tags) => tags.len(),
        _ => 0,
    });
    (obstacles.len(), tags.sum(), obstacles.iter().min())
}

fn lacks(missing: &[String], offered: &[String]) -> String {
    let tags: Vec<String> = missing.iter().map(|tag| format!("`{tag}`")).collect();
    let noun = if tags.len() == 1 { "tag" } else { "tags" };
    let similar = missing.iter().find_map(|tag| similar(tag, offered));
    let hint = similar.map_or_else(String::new, |tag| format!(" (it has `{tag}`)"));
    format!("lacks the {noun} {}{hint}", tags.join(", "))
}

/// A tag that was perhaps meant: a slip of the pen, or one that begins like it.
fn similar<'a>(tag: &str, offered: &'a [String]) -> Option<&'a str> {
    let offered = || {
        offered
            .iter()
            .map(String::as_str)
            .filter(|one| !one.is_empty())
    };
    let begins_alike = |one: &&str| one.starts_with(tag) || tag.starts_with(one);
    shipway_config::suggest(tag, offered()).or_else(|| offered().find(begins_alike))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name tags… [untagged] [protected] [paused] [offline] [project=N] [group=N]`
    fn runner(words: &str) -> Candidate {
        let mut words = words.split_whitespace();
        let mut runner = Candidate {
            name: words.next().unwrap().to_owned(),
            reach: Reach::Instance,
            tags: Vec::new(),
            run_untagged: false,
            protected_only: false,
            paused: false,
            online: true,
        };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("untagged", _) => runner.run_untagged = true,
                ("protected", _) => runner.protected_only = true,
                ("paused", _) => runner.paused = true,
                ("offline", _) => runner.online = false,
                ("project", id) => runner.reach = Reach::Projects(vec![id.parse().unwrap()]),
                ("group", id) => runner.reach = Reach::Groups(vec![id.parse().unwrap()]),
                (tag, _) => runner.tags.push(tag.to_owned()),
            }
        }
        runner
    }

    fn wanted(tags: &str, protected: bool) -> Wanted {
        Wanted {
            tags: tags.split_whitespace().map(str::to_owned).collect(),
            protected,
            project: 1,
            groups: vec![20, 10],
            ..Wanted::default()
        }
    }

    #[test]
    fn a_project_may_refuse_the_runners_of_others() {
        let refusing = Wanted {
            no_instance_runners: true,
            no_group_runners: true,
            ..wanted("", false)
        };
        for (words, takes) in [
            ("r untagged", false),
            ("r untagged group=10", false),
            ("r untagged project=1", true),
        ] {
            assert_eq!(runner(words).takes(&refusing), takes, "{words}");
        }
    }

    #[test]
    fn a_runner_takes_what_it_may() {
        let table = [
            ("r untagged", "", false, true),
            ("r linux", "", false, false),
            ("r linux", "linux", false, true),
            ("r linux untagged", "linux", false, true),
            ("r linux", "linux gpu", false, false),
            ("r linux gpu", "gpu linux", false, true),
            ("r Linux", "linux", false, false),
            ("r untagged protected", "", false, false),
            ("r untagged protected", "", true, true),
            ("r untagged paused", "", true, false),
            ("r untagged offline", "", true, true),
            ("r untagged project=1", "", true, true),
            ("r untagged project=2", "", true, false),
            ("r untagged group=10", "", true, true),
            ("r untagged group=11", "", true, false),
        ];
        for (words, tags, protected, expected) in table {
            let takes = runner(words).takes(&wanted(tags, protected));
            assert_eq!(
                takes, expected,
                "{words} with {tags:?}, protected {protected}"
            );
        }
    }

    #[test]
    fn a_stuck_job_is_explained_by_the_nearest_runner() {
        let why = |runners: &[&str], tags: &str| {
            let runners: Vec<_> = runners.iter().map(|words| runner(words)).collect();
            why_stuck(&wanted(tags, false), &runners)
        };
        assert_eq!(why(&["a untagged"], ""), None);
        assert_eq!(
            why(&[], "").unwrap(),
            "This job is stuck because the project has no runner."
        );
        assert_eq!(
            why(&["a untagged project=9"], "").unwrap(),
            "This job is stuck because the project has no runner."
        );
        assert_eq!(
            why(&["a linux paused", "blue linux gpu-a"], "linux gpu").unwrap(),
            "This job is stuck: runner `blue` is nearest to taking it, but it lacks the tag \
             `gpu` (it has `gpu-a`)."
        );
        assert_eq!(
            why(&["a untagged paused offline", "b untagged protected"], "").unwrap(),
            "This job is stuck: runner `b` is nearest to taking it, but it takes only jobs of \
             protected branches and tags."
        );
        assert_eq!(
            why(&["a x"], "").unwrap(),
            "This job is stuck: runner `a` is nearest to taking it, but it takes only jobs \
             with tags."
        );
    }
}
