//! Keywords that are read and checked, and that nobody here can carry out yet.

use super::{Context, Plan};
use serde_json::Value;
use shipway_config::{CrossNeed, Job, Trigger};

/// A keyword of a planned job that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job `{job}` {what}")]
pub struct Unsupported {
    /// The job's name.
    pub job: String,
    /// Its key in the file.
    pub key: String,
    /// The keyword, `needs:project` for a nested one.
    pub keyword: &'static str,
    /// What it does with it, why that is not possible and what is.
    pub what: String,
}

/// Who is to run a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A local run, which knows no project but its own.
    Local,
    /// A server.
    Server,
}

impl Plan {
    /// What stands in the way of running the plan. Whoever runs it asks before, so that no
    /// job passes without having done what it says; whoever only shows it need not. Variables
    /// from outside stand in for secrets of a local run.
    pub fn unsupported(&self, host: Host, context: &Context) -> Vec<Unsupported> {
        let is_given = |name: &str| context.outer.get(name).is_some();
        let mut found = Vec::new();
        for job in self.jobs.iter().map(|job| &job.spec) {
            let mut add = |keyword, what| {
                found.push(Unsupported {
                    job: job.name.clone(),
                    key: job.key.clone(),
                    keyword,
                    what,
                });
            };
            for keyword in keywords(job, host) {
                let what = format!("uses `{keyword}`, which is not supported by shipway yet");
                add(keyword, what);
            }
            if let Some(what) = job.run.as_ref().and_then(beyond_scripts) {
                add("run", what);
            }
            for (name, secret) in &job.secrets {
                let provider = secret.provider.as_str();
                if host == Host::Server && provider != "vault" {
                    let what = format!(
                        "takes the secret `{name}` from `{provider}`, which is not supported; only \
                         `vault` is"
                    );
                    add("secrets", what);
                } else if host == Host::Local && !is_given(name) {
                    let what = format!(
                        "takes the secret `{name}` from `{provider}`, which a local run does not \
                         ask; give it with `--var {name}=VALUE` or `--var-file FILE`"
                    );
                    add("secrets", what);
                }
            }
            let tokens = job.id_tokens.keys().filter(|_| host == Host::Local);
            for name in tokens.filter(|name| !is_given(name)) {
                let what = format!(
                    "takes the ID token `{name}`, which a server signs; give one with `--var \
                     {name}=TOKEN`, any text where nobody checks it"
                );
                add("id_tokens", what);
            }
        }
        found
    }
}

/// What of `run` is more than scripts: steps of other places, and expressions, which only the
/// program that runs steps understands.
fn beyond_scripts(run: &Value) -> Option<String> {
    run.as_array()?.iter().find_map(|step| {
        let name = step["name"].as_str().unwrap_or_default();
        let mut kinds = ["step", "action"].into_iter();
        let kind = kinds.find(|kind| !step[*kind].is_null());
        if let Some(kind) = kind {
            return Some(format!(
                "uses `{kind}` in the step `{name}` of `run`, which is not supported; only `script` is"
            ));
        }
        let expression = [&step["script"], &step["env"]].map(Value::to_string);
        (expression.iter().any(|text| text.contains("${{"))).then(|| {
            format!("uses an expression in the step `{name}` of `run`, which is not supported")
        })
    })
}

fn keywords(job: &Job, host: Host) -> Vec<&'static str> {
    let local = host == Host::Local;
    let (project, mirror) = match &job.trigger {
        Some(Trigger::Project { .. }) => (local, false),
        Some(Trigger::Mirror { .. }) => (false, local),
        Some(Trigger::Child { .. }) | None => (false, false),
    };
    let of_project = |need: &CrossNeed| matches!(need, CrossNeed::Project { .. });
    [
        ("trigger:project", project),
        ("needs:pipeline", mirror),
        (
            "needs:project",
            local && job.cross_needs.iter().any(of_project),
        ),
        ("identity", job.identity.is_some()),
        ("dast_configuration", job.dast_configuration.is_some()),
    ]
    .into_iter()
    .filter_map(|(keyword, is_used)| is_used.then_some(keyword))
    .collect()
}
