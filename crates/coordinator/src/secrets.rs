//! `secrets`: what a runner is told of values that it gets from a service outside.

use serde_json::{Value, json};
use shipway_config::{Job, Secret};
use shipway_protocol::{self as protocol, VaultAuth, VaultEngine, VaultSecret, VaultServer};

use crate::error::Error;

/// What the runner asks a Vault for, for each variable. The Vault's address and the role are
/// variables of the job, as on GitLab; the token that signs in is one too, and the runner puts
/// it in.
///
/// # Errors
/// [`Error::NoSecretsProvider`] where no variable says where the Vault is.
pub(crate) fn of_job(
    job: &Job,
    variables: &[protocol::Variable],
) -> Result<protocol::Secrets, Error> {
    let value = |key: &str| {
        let mut found = variables.iter().rev();
        let found = found.find(|variable| variable.key == key)?;
        (!found.value.is_empty()).then(|| found.value.clone())
    };
    let mut secrets = protocol::Secrets::new();
    for (name, secret) in &job.secrets {
        let url = value("VAULT_SERVER_URL").ok_or_else(|| Error::NoSecretsProvider {
            job: job.name.clone(),
            secret: name.clone(),
        })?;
        let mut data = serde_json::Map::new();
        data.insert("jwt".to_owned(), json!(token(job, secret)));
        if let Some(role) = value("VAULT_AUTH_ROLE") {
            data.insert("role".to_owned(), json!(role));
        }
        let server = VaultServer {
            url,
            namespace: value("VAULT_NAMESPACE").unwrap_or_default(),
            auth: VaultAuth {
                name: "jwt".to_owned(),
                path: value("VAULT_AUTH_PATH").unwrap_or_else(|| "jwt".to_owned()),
                data,
            },
        };
        let asked = protocol::Secret {
            vault: Some(asked(&secret.request, server)),
            file: Some(secret.file),
            ..protocol::Secret::default()
        };
        secrets.insert(name.clone(), asked);
    }
    Ok(secrets)
}

/// The variable of the ID token that is shown to the provider: the one that is named, else the
/// job's first.
fn token(job: &Job, secret: &Secret) -> String {
    let first = || job.id_tokens.keys().next().map(|name| format!("${name}"));
    secret.token.clone().or_else(first).unwrap_or_default()
}

/// A Vault's secret as the runner asks for it: a text is `path/field@engine`.
fn asked(request: &Value, server: VaultServer) -> VaultSecret {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let Some(short) = request.as_str() else {
        let engine = &request["engine"];
        return VaultSecret {
            server,
            engine: VaultEngine {
                name: text(&engine["name"]),
                path: text(&engine["path"]),
            },
            path: text(&request["path"]),
            field: text(&request["field"]),
        };
    };
    let (place, engine) = short.split_once('@').unwrap_or((short, "kv-v2"));
    let (path, field) = place.rsplit_once('/').unwrap_or((".", place));
    VaultSecret {
        server,
        engine: VaultEngine {
            name: "kv-v2".to_owned(),
            path: engine.to_owned(),
        },
        path: path.to_owned(),
        field: field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<protocol::Variable> {
        let variable = |(key, value): &(&str, &str)| protocol::Variable {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            ..protocol::Variable::default()
        };
        pairs.iter().map(variable).collect()
    }

    fn job(request: Value, token: Option<&str>) -> Job {
        let secret = Secret {
            provider: "vault".to_owned(),
            request,
            file: true,
            token: token.map(str::to_owned),
        };
        let tokens = ["FIRST", "OTHER"];
        Job {
            secrets: [("DB".to_owned(), secret)].into(),
            id_tokens: tokens.map(|name| (name.to_owned(), vec![])).into(),
            ..Job::default()
        }
    }

    #[test]
    fn a_text_is_path_field_and_engine() {
        for (text, path, field, engine) in [
            (
                "production/db/password@ops",
                "production/db",
                "password",
                "ops",
            ),
            ("db/password", "db", "password", "kv-v2"),
            ("password@a/b", ".", "password", "a/b"),
        ] {
            let found = asked(&json!(text), VaultServer::default());
            assert_eq!(
                (found.path.as_str(), found.field.as_str()),
                (path, field),
                "{text}"
            );
            assert_eq!(found.engine.name, "kv-v2");
            assert_eq!(found.engine.path, engine, "{text}");
        }
        let long = json!({ "engine": { "name": "kv-v1", "path": "e" }, "path": "p", "field": "f" });
        let found = asked(&long, VaultServer::default());
        assert_eq!((found.path.as_str(), found.field.as_str()), ("p", "f"));
        assert_eq!(found.engine.name, "kv-v1");
    }

    #[test]
    fn the_vault_is_named_by_variables() {
        let plain = job(json!("a/b"), None);
        let all = variables(&[
            ("VAULT_SERVER_URL", "https://vault"),
            ("VAULT_AUTH_PATH", "gitlab"),
            ("VAULT_AUTH_ROLE", "deploy"),
            ("VAULT_NAMESPACE", "team"),
        ]);
        let found = of_job(&plain, &all).unwrap();
        let found = serde_json::to_value(&found).unwrap();
        let server = json!({
            "url": "https://vault", "namespace": "team",
            "auth": { "name": "jwt", "path": "gitlab",
                "data": { "jwt": "$FIRST", "role": "deploy" } },
        });
        assert_eq!(found["DB"]["vault"]["server"], server);
        assert_eq!(found["DB"]["file"], true);

        let least = variables(&[("VAULT_SERVER_URL", "https://vault")]);
        let named = of_job(&job(json!("a/b"), Some("$OTHER")), &least).unwrap();
        let auth = &named["DB"].vault.as_ref().unwrap().server.auth;
        assert_eq!(auth.path, "jwt");
        assert_eq!(json!(auth.data), json!({ "jwt": "$OTHER" }));

        let error = of_job(&plain, &[]).unwrap_err();
        assert!(error.to_string().contains("VAULT_SERVER_URL"), "{error}");
        assert!(of_job(&Job::default(), &[]).unwrap().is_empty());
    }
}
