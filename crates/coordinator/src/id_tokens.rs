//! ID tokens: what a server says of a job to whoever asks who is there (language inventory,
//! 11.C). Who signs it is the server's matter.

use std::fmt;

use serde_json::{Map, Value, json};
use shipway_config::variables::{FileReferences, Undefined, Variable};
use shipway_config::{Environment, Job};
use shipway_store::{PipelineRow, ProjectRow, UserRow};

use crate::coordinator::{Boxed, Coordinator};
use crate::deployments::tier;
use crate::error::Error;
use crate::payload::{self, Shared, environment_name};
use crate::predefined::HandOut;
use shipway_protocol as protocol;

/// A token is good this long before it was made, in seconds: clocks differ.
const NOT_BEFORE: i64 = 5;

/// A token that is being signed.
pub type Signing<'a> = Boxed<'a, Result<String, Box<dyn std::error::Error + Send + Sync>>>;

/// Signs what is said of jobs.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The claims as a signed JSON Web Token.
    fn sign<'a>(&'a self, claims: &'a Value) -> Signing<'a>;
}

/// Whose job it is.
pub(crate) struct Owner<'a> {
    pub(crate) pipeline: &'a PipelineRow,
    pub(crate) project: &'a ProjectRow,
}

impl Coordinator {
    /// The job's ID tokens, each in its variable; `known` are the job's other variables.
    pub(crate) async fn id_tokens(
        &self,
        job: &Job,
        shared: &Shared,
        owner: &Owner<'_>,
        hand_out: &HandOut<'_>,
        known: &[protocol::Variable],
    ) -> Result<Vec<Variable>, Error> {
        let Some(hosting) = &self.hosting else {
            return Ok(Vec::new());
        };
        // As GitLab: who played or retried the job, else whose pipeline it is.
        let user = match (hand_out.user, owner.pipeline.user_id) {
            (Some(player), _) => Some(player.clone()),
            (None, Some(id)) => self.store.user(id).await?,
            (None, None) => None,
        };
        let level = match &user {
            Some(user) => self.store.access_level(user.id, owner.project.id).await?,
            None => None,
        };
        let environment = job.environment.clone().map(|environment| Environment {
            name: environment_name(job, shared, hand_out).unwrap_or_default(),
            ..environment
        });
        let known = payload::known(known);
        let mut tokens = Vec::with_capacity(job.id_tokens.len());
        for (name, audiences) in &job.id_tokens {
            let expand = |text: &String| known.expand(text, Undefined::Empty, FileReferences::Keep);
            let said = Said {
                issuer: &hosting.address.url(),
                audiences: &audiences.iter().map(expand).collect::<Vec<_>>(),
                owner,
                user: user.as_ref(),
                level,
                hand_out,
                environment: environment.as_ref(),
                config: shared.predefined("CI_CONFIG_REF_URI"),
            };
            let claims = said.claims(crate::coordinator::now() / 1_000_000, unique()?);
            let token = (hosting.signer.sign(&claims).await).map_err(|source| Error::Unsigned {
                job: hand_out.job,
                source,
            })?;
            tokens.push(Variable {
                public: false,
                masked: true,
                raw: true,
                ..Variable::new(name, token)
            });
        }
        Ok(tokens)
    }
}

/// Everything that one token tells.
struct Said<'a> {
    issuer: &'a str,
    audiences: &'a [String],
    owner: &'a Owner<'a>,
    user: Option<&'a UserRow>,
    /// The user's access level in the project.
    level: Option<i64>,
    hand_out: &'a HandOut<'a>,
    environment: Option<&'a Environment>,
    /// Where the configuration is.
    config: &'a str,
}

impl Said<'_> {
    /// The claims at a time in seconds. Numbers are texts, as GitLab has them, but that of the
    /// runner.
    fn claims(&self, now: i64, id: String) -> Value {
        let Owner { pipeline, project } = self.owner;
        let timeout = i64::try_from(self.hand_out.timeout).unwrap_or(i64::MAX);
        let (path, name) = (project.full_path.as_str(), pipeline.ref_name.as_str());
        let (kind, top) = match pipeline.ref_kind.as_str() {
            "tag" => ("tag", "tags"),
            _ => ("branch", "heads"),
        };
        let mut claims = Map::new();
        let mut set = |key: &str, value: Value| claims.insert(key.to_owned(), value);
        set("iss", json!(self.issuer));
        set(
            "sub",
            json!(format!("project_path:{path}:ref_type:{kind}:ref:{name}")),
        );
        set(
            "aud",
            match self.audiences {
                [one] => json!(one),
                several => json!(several),
            },
        );
        set("jti", json!(id));
        set("iat", json!(now));
        set("nbf", json!(now - NOT_BEFORE));
        set("exp", json!(now.saturating_add(timeout)));
        // The project, and once more as that in which the job runs: for pipelines of merge
        // requests of forks they differ on GitLab.
        let namespace = path.rsplit_once('/').map_or("", |(namespace, _)| namespace);
        for (key, value) in [
            ("namespace_id", project.namespace_id.0.to_string()),
            ("namespace_path", namespace.to_owned()),
            ("project_id", project.id.0.to_string()),
            ("project_path", path.to_owned()),
        ] {
            set(&format!("job_{key}"), json!(value));
            set(key, json!(value));
        }
        set("project_visibility", json!(project.visibility.as_str()));
        let user = |of: fn(&UserRow) -> String| self.user.map(of).unwrap_or_default();
        set("user_id", json!(user(|user| user.id.0.to_string())));
        set("user_login", json!(user(|user| user.username.clone())));
        set("user_email", json!(user(|user| user.email.clone())));
        if let Some(role) = self.level.and_then(role) {
            set("user_access_level", json!(role));
        }
        set("pipeline_id", json!(pipeline.id.0.to_string()));
        set("pipeline_source", json!(pipeline.source));
        set("job_id", json!(self.hand_out.job.to_string()));
        set("ref", json!(name));
        set("ref_type", json!(kind));
        set("ref_path", json!(format!("refs/{top}/{name}")));
        set("ref_protected", json!(pipeline.protected.to_string()));
        if let Some(environment) = self.environment {
            set("environment", json!(environment.name));
            set("environment_protected", json!("false"));
            set("deployment_tier", json!(tier(environment)));
            set("environment_action", json!(environment.action));
        }
        set("runner_id", json!(self.hand_out.runner_id));
        set("runner_environment", json!("self-hosted"));
        set("sha", json!(pipeline.sha));
        set("ci_config_ref_uri", json!(self.config));
        set("ci_config_sha", json!(pipeline.sha));
        Value::Object(claims)
    }
}

/// The role of an access level, the lower one between two.
fn role(level: i64) -> Option<&'static str> {
    let roles = [
        (50, "owner"),
        (40, "maintainer"),
        (30, "developer"),
        (20, "reporter"),
        (10, "guest"),
    ];
    let mut roles = roles.into_iter();
    roles
        .find(|(least, _)| level >= *least)
        .map(|(_, role)| role)
}

/// A random UUID.
fn unique() -> Result<String, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::NoRandomness(error.to_string()))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_levels() {
        for (level, expected) in [
            (0, None),
            (10, Some("guest")),
            (15, Some("guest")),
            (30, Some("developer")),
            (50, Some("owner")),
        ] {
            assert_eq!(role(level), expected, "{level}");
        }
    }

    #[test]
    fn every_token_has_an_id_of_its_own() {
        let id = unique().unwrap();
        assert_ne!(id, unique().unwrap());
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
    }
}
