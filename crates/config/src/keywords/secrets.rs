//! `secrets`: values that a provider outside gives to a job.

use super::place::{Keys, Place};
use super::values::value;
use crate::Secret;
use crate::yaml::{self, Map, Node};
use indexmap::IndexMap;

const PROVIDERS: [&str; 6] = [
    "vault",
    "azure_key_vault",
    "gcp_secret_manager",
    "akeyless",
    "gitlab_secrets_manager",
    "aws_secrets_manager",
];

const SECRET: Keys = Keys {
    known: &[
        "vault",
        "azure_key_vault",
        "gcp_secret_manager",
        "akeyless",
        "gitlab_secrets_manager",
        "aws_secrets_manager",
        "file",
        "token",
    ],
    later: &[],
};

/// `secrets`: each secret by the variable it becomes.
pub(crate) fn secrets(node: &Node, at: &Place<'_>) -> IndexMap<String, Secret> {
    let mut secrets = IndexMap::new();
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash");
        return secrets;
    };
    for (key, entry) in map {
        let name = key.as_str();
        if let Some(secret) = secret(&entry.node, &at.key(name)) {
            secrets.insert(name.to_owned(), secret);
        }
    }
    secrets
}

fn secret(node: &Node, at: &Place<'_>) -> Option<Secret> {
    let map = at.map(node, &SECRET)?;
    let given: Vec<&str> = PROVIDERS
        .into_iter()
        .filter(|provider| value(map, provider).is_some())
        .collect();
    let token = at.text(map, "token");
    let file = value(map, "file").map(|node| {
        node.as_bool().unwrap_or_else(|| {
            at.key("file").config(node, "should be a boolean value");
            true
        })
    });
    let &[provider] = given.as_slice() else {
        let reason = format!(
            "must use exactly one of these keys: {}",
            PROVIDERS.join(", ")
        );
        at.config(node, &reason);
        return None;
    };
    if provider == "gcp_secret_manager" && token.as_deref().is_none_or(str::is_empty) {
        at.attribute(node, "token", "is required with gcp secrets manager");
    }
    let request = value(map, provider)?;
    check(provider, request, &at.key(provider));
    Some(Secret {
        provider: provider.to_owned(),
        request: yaml::json(request),
        file: file.unwrap_or(true),
        token,
    })
}

/// What each provider must be told.
fn check(provider: &str, node: &Node, at: &Place<'_>) {
    match provider {
        "vault" => vault(node, at),
        "azure_key_vault" => {
            const KEYS: Keys = Keys {
                known: &["name", "version"],
                later: &[],
            };
            if let Some(map) = at.map(node, &KEYS) {
                required(map, &["name"], node, at);
                at.text(map, "version");
            }
        }
        "gcp_secret_manager" => {
            const KEYS: Keys = Keys {
                known: &["name", "version"],
                later: &[],
            };
            if let Some(map) = at.map(node, &KEYS) {
                required(map, &["name"], node, at);
                if let Some(version) = value(map, "version")
                    && version.scalar_text().is_none()
                {
                    at.attribute(version, "version", "should be a string or an integer");
                }
            }
        }
        "gitlab_secrets_manager" => {
            const KEYS: Keys = Keys {
                known: &["name", "source"],
                later: &[],
            };
            if let Some(map) = at.map(node, &KEYS) {
                required(map, &["name"], node, at);
            }
        }
        "aws_secrets_manager" => {
            const KEYS: Keys = Keys {
                known: &[
                    "secret_id",
                    "version_id",
                    "version_stage",
                    "region",
                    "role_arn",
                    "role_session_name",
                    "field",
                ],
                later: &[],
            };
            if node.as_text().is_none()
                && let Some(map) = at.map(node, &KEYS)
            {
                required(map, &["secret_id"], node, at);
            }
        }
        _ => {
            if node.as_map().is_none() {
                at.config(node, "should be a hash");
            }
        }
    }
}

fn vault(node: &Node, at: &Place<'_>) {
    const KEYS: Keys = Keys {
        known: &["engine", "path", "field"],
        later: &[],
    };
    const ENGINE: Keys = Keys {
        known: &["name", "path"],
        later: &[],
    };
    if let Some(text) = node.as_text() {
        if text.trim().is_empty() {
            at.config(node, "can't be blank");
        }
        return;
    }
    let Some(map) = node.as_map() else {
        at.config(node, "should be a hash or a string")
            .hint("write `path/to/secret/field@engine`, or a map with engine, path and field");
        return;
    };
    at.check_keys(map, &KEYS);
    required(map, &["path", "field"], node, at);
    let place = at.key("engine");
    match value(map, "engine") {
        None => {
            at.config(node, "missing required keys: engine");
        }
        Some(engine) => {
            if let Some(map) = place.map(engine, &ENGINE) {
                required(map, &["name", "path"], engine, &place);
            }
        }
    }
}

/// Texts that must be there.
fn required(map: &Map, keys: &[&str], node: &Node, at: &Place<'_>) {
    for key in keys {
        if value(map, key).is_none() {
            at.attribute(node, key, "can't be blank");
        } else {
            at.text(map, key);
        }
    }
}
