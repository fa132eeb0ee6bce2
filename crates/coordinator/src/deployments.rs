//! Environments and deployments: what jobs with `environment` leave behind (language
//! inventory, 1.17).

use std::sync::LazyLock;

use regex::Regex;
use shipway_config::variables::{Collection, FileReferences, Undefined, Variable};
use shipway_config::{Environment, Job};
use shipway_pipeline::{Context, Plan, Status};
use shipway_store::{
    DeploymentStatus, EnvironmentState, NewDeployment, NewEnvironment, Transaction,
};

use crate::error::Error;
use crate::live::Live;
use crate::slug::environment_slug;

/// The job's environment with the variables in its name and address replaced, as far as they
/// are known when the pipeline is created.
pub(crate) fn environment(job: &Job, plan: &Plan, context: &Context) -> Option<Environment> {
    let environment = job.environment.as_ref()?;
    let mut known = Collection::default();
    known.extend(context.predefined.iter().cloned());
    for (key, value) in plan.variables.iter().chain(&job.variables) {
        known.push(Variable {
            raw: value.raw,
            ..Variable::new(key, &value.value)
        });
    }
    known.extend(context.outer.iter().filter(|one| !one.masked).cloned());
    let known = known.expand_all_or_keep(Undefined::Keep, FileReferences::Keep);
    let expand = |text: &str| known.expand(text, Undefined::Keep, FileReferences::Keep);
    let name = expand(&environment.name);
    let mut with_slug = known.clone();
    with_slug.push(Variable::new(
        "CI_ENVIRONMENT_SLUG",
        environment_slug(&name),
    ));
    with_slug.push(Variable::new("CI_ENVIRONMENT_NAME", &name));
    let url = environment.url.as_deref();
    Some(Environment {
        url: url.map(|url| with_slug.expand(url, Undefined::Keep, FileReferences::Keep)),
        name,
        ..environment.clone()
    })
}

/// Lets the deployment of a server's job follow the job's new status.
pub(crate) async fn follow(
    transaction: &mut Transaction,
    live: &Live,
    job: usize,
    now: i64,
) -> Result<(), Error> {
    let row = &live.jobs[job];
    let (Some(project_id), Some(environment)) = (row.project_id, &row.environment) else {
        return Ok(());
    };
    let environment: Environment =
        serde_json::from_str(environment).map_err(Error::stored("environment", row.id))?;
    let new = |state| NewEnvironment {
        project_id,
        slug: environment_slug(&environment.name),
        name: environment.name.clone(),
        state,
        external_url: environment.url.clone(),
        tier: tier(&environment),
        created_at: now,
    };
    let deploys = environment.action == "start";
    match row.status {
        Status::Running if deploys => {
            let stored = new(EnvironmentState::Available);
            let stored = transaction.ensure_environment(&stored).await?;
            let deployment = NewDeployment {
                project_id,
                environment_id: stored.id,
                job_id: row.id,
                sha: live.row.sha.clone().unwrap_or_default(),
                ref_name: live.row.ref_name.clone(),
                status: DeploymentStatus::Running,
                created_at: now,
            };
            transaction.insert_deployment(&deployment).await?;
        }
        Status::Success if environment.action == "stop" => {
            let stopped = new(EnvironmentState::Stopped);
            transaction.ensure_environment(&stopped).await?;
        }
        status if deploys && status.is_completed() => {
            let status = match status {
                Status::Success => DeploymentStatus::Success,
                Status::Canceled => DeploymentStatus::Canceled,
                _ => DeploymentStatus::Failed,
            };
            let ended = transaction.end_deployment_of_job(row.id, status, now);
            ended.await?;
        }
        _ => {}
    }
    Ok(())
}

/// The tier that is given, or the one that the name suggests (language inventory, 1.17).
pub(crate) fn tier(environment: &Environment) -> String {
    if let Some(tier) = &environment.deployment_tier {
        return tier.clone();
    }
    (TIERS.iter())
        .find(|(pattern, _)| pattern.is_match(&environment.name))
        .map_or("other", |(_, tier)| tier)
        .to_owned()
}

/// What in a name suggests which tier; the first that fits decides.
static TIERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let table = [
        ("dev|review|trunk", "development"),
        ("test|tst|int|ac(ce)?pt|qa|qc|control|quality", "testing"),
        ("sta?g|mode?l|pre|demo|non", "staging"),
        ("pro?d|live", "production"),
    ];
    let pattern = |text: &str| Regex::new(&format!("(?i){text}"));
    (table.into_iter())
        .filter_map(|(text, tier)| Some((pattern(text).ok()?, tier)))
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_by_name() {
        let table = [
            ("production", "production"),
            ("Production/eu", "production"),
            ("non-prod", "staging"),
            ("acceptance", "testing"),
            ("acpt", "testing"),
            ("live", "production"),
            ("staging", "staging"),
            ("demo", "staging"),
            ("review/feature", "development"),
            ("dev", "development"),
            ("qa", "testing"),
            ("elsewhere", "other"),
        ];
        for (name, expected) in table {
            let environment = Environment {
                name: name.to_owned(),
                url: None,
                action: "start".to_owned(),
                on_stop: None,
                auto_stop_in: None,
                deployment_tier: None,
                kubernetes: None,
            };
            assert_eq!(tier(&environment), expected, "{name}");
        }
    }
}
