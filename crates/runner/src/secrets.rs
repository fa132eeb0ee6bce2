//! `secrets`: values that a job gets from a service outside, before anything else of it runs.

use shipway_protocol::{Secret, Variable, VaultSecret};

use crate::control::Request;
use crate::failure::{Failure, with_causes};
use crate::job::Job;
use crate::variables::Variables;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    /// Another service than those that are known.
    #[error("secret `{secret}`: this runner knows no `{provider}`, only `vault`")]
    Provider { secret: String, provider: String },
    /// It is nobody's.
    #[error("secret `{secret}` names no service that has it")]
    NoProvider { secret: String },
    /// This program cannot ask anybody.
    #[cfg(not(feature = "remote"))]
    #[error(
        "secret `{secret}`: this program is built without the feature `remote`, and asks no Vault"
    )]
    NoClient { secret: String },
    /// The Vault does not give it.
    #[cfg(feature = "remote")]
    #[error("secret `{secret}`")]
    Vault {
        secret: String,
        source: crate::remote::vault::VaultError,
    },
}

impl Job<'_> {
    /// Gets the job's secrets and makes variables of them, which are masked from here on.
    pub(crate) async fn resolve_secrets(&mut self) -> Result<(), Failure> {
        let secrets = &self.payload.secrets;
        if secrets.is_empty() {
            return Ok(());
        }
        let heading = "Resolving secrets";
        self.log.open_section("resolve_secrets", heading).await;
        let mut resolved = Vec::with_capacity(secrets.len());
        let mut result = Ok(());
        for (name, secret) in secrets {
            let line = format!("Resolving secret \"{name}\"...");
            self.log.line(&line).await;
            let value = tokio::select! {
                value = resolve(name, secret, &self.variables) => value.map_err(failure),
                () = self.control.reached(Request::Cancel) => Err(Failure::Canceled),
                () = tokio::time::sleep_until(self.deadline) => Err(Failure::JobTimeout),
            };
            match value {
                Ok(value) => resolved.push(Variable {
                    key: name.clone(),
                    value,
                    file: secret.file.unwrap_or(true),
                    masked: true,
                    raw: true,
                    ..Variable::default()
                }),
                Err(failure) => {
                    result = Err(failure);
                    break;
                }
            }
        }
        self.variables.extend(resolved);
        self.mask_variables();
        self.log.close_section("resolve_secrets").await;
        result
    }
}

fn failure(error: SecretError) -> Failure {
    Failure::System {
        reason: shipway_protocol::FailureReason::RunnerSystemFailure,
        message: format!("resolving secrets: {}", with_causes(&error)),
    }
}

async fn resolve(
    name: &str,
    secret: &Secret,
    variables: &Variables,
) -> Result<String, SecretError> {
    let secret_name = || name.to_owned();
    let Some(vault) = &secret.vault else {
        let other = secret.others.keys().next();
        return Err(match other {
            Some(provider) => SecretError::Provider {
                secret: secret_name(),
                provider: provider.clone(),
            },
            None => SecretError::NoProvider {
                secret: secret_name(),
            },
        });
    };
    let asked = expanded(vault, variables);
    #[cfg(feature = "remote")]
    let value = (crate::remote::vault::read(&asked).await).map_err(|source| SecretError::Vault {
        secret: secret_name(),
        source,
    });
    #[cfg(not(feature = "remote"))]
    let value = {
        drop(asked);
        Err(SecretError::NoClient {
            secret: secret_name(),
        })
    };
    value
}

/// Everything of it may name variables; the token that signs in is one.
fn expanded(secret: &VaultSecret, variables: &Variables) -> VaultSecret {
    let expand = |text: &str| variables.expand(text);
    let mut expanded = secret.clone();
    let (server, engine) = (&mut expanded.server, &mut expanded.engine);
    for text in [
        &mut server.url,
        &mut server.namespace,
        &mut server.auth.name,
        &mut server.auth.path,
        &mut engine.name,
        &mut engine.path,
        &mut expanded.path,
        &mut expanded.field,
    ] {
        *text = expand(text);
    }
    for value in server.auth.data.values_mut() {
        if let serde_json::Value::String(text) = value {
            *text = expand(text);
        }
    }
    expanded
}
