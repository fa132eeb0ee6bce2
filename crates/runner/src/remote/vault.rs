//! Secrets of HashiCorp's Vault, or of what speaks its language: one sign-in and one value.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use serde_json::Value;
use shipway_protocol::VaultSecret;

const CONNECT: Duration = Duration::from_secs(30);
const WHOLE_CALL: Duration = Duration::from_secs(60);
/// Bytes of an answer; a Vault itself keeps no secret of more.
const LARGEST_ANSWER: usize = 2 * 1024 * 1024;
/// Characters of a Vault's words that are shown.
const LONGEST_MESSAGE: usize = 500;

/// Why a Vault does not give a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// The address cannot be one.
    #[error("`{0}` is not the address of a Vault; set VAULT_SERVER_URL to https://HOST:PORT")]
    Address(String),
    /// Another way to sign in.
    #[error("signing in by `{0}` is not supported; only `jwt` is")]
    Method(String),
    /// Another kind of engine.
    #[error("the engine `{0}` is not supported; use kv-v2, kv-v1 or generic")]
    Engine(String),
    /// The client itself cannot be made.
    #[error("HTTP cannot be prepared; are the system's certificates installed?")]
    Setup(#[source] reqwest::Error),
    /// No answer came.
    #[error("{what}: no answer from {host}")]
    Network {
        what: &'static str,
        host: String,
        source: reqwest::Error,
    },
    /// It said no.
    #[error("{what}: {host} answered {status}{message}")]
    Refused {
        what: &'static str,
        host: String,
        status: StatusCode,
        message: String,
    },
    /// It said something else.
    #[error("{what}: {host} answered with {reason}")]
    Unexpected {
        what: &'static str,
        host: String,
        reason: String,
    },
    /// There is no such value.
    #[error("there is no `{field}` in `{path}` of the engine `{engine}`")]
    Missing {
        field: String,
        path: String,
        engine: String,
    },
}

/// The value of one field of a secret; values that are no text are JSON.
pub(crate) async fn read(secret: &VaultSecret) -> Result<String, VaultError> {
    let below: &[&str] = match secret.engine.name.as_str() {
        "kv-v2" => &["data"],
        "kv-v1" | "generic" => &[],
        other => return Err(VaultError::Engine(other.to_owned())),
    };
    let vault = Vault::new(secret)?;
    let token = vault.sign_in(secret).await?;
    let (engine, path) = (secret.engine.path.as_str(), secret.path.as_str());
    let parts = [engine].into_iter().chain(below.iter().copied());
    let url = vault.url(parts.chain([path]));
    let request = vault.client.get(url).header("X-Vault-Token", token);
    let missing = || VaultError::Missing {
        field: secret.field.clone(),
        path: path.to_owned(),
        engine: engine.to_owned(),
    };
    let answer = match vault.send("reading from Vault", request).await {
        Err(VaultError::Refused {
            status: StatusCode::NOT_FOUND,
            ..
        }) => return Err(missing()),
        answer => answer?,
    };
    let data = below
        .iter()
        .try_fold(&answer["data"], |data, part| data.get(part));
    match data.and_then(|data| data.get(&secret.field)) {
        None | Some(Value::Null) => Err(missing()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => Ok(other.to_string()),
    }
}

struct Vault {
    base: Url,
    namespace: String,
    client: Client,
}

impl Vault {
    fn new(secret: &VaultSecret) -> Result<Self, VaultError> {
        let text = secret.server.url.trim();
        let base = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
        let base = base.ok_or_else(|| VaultError::Address(text.to_owned()))?;
        // A second caller finds it installed; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The token must not follow a redirect to another host.
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(WHOLE_CALL)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(VaultError::Setup)?;
        Ok(Self {
            base,
            namespace: secret.server.namespace.clone(),
            client,
        })
    }

    /// An address below `/v1`; each part may be several, and none leads upwards.
    fn url<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1");
            let parts = parts.into_iter().flat_map(|part| part.split('/'));
            path.extend(parts.filter(|part| !part.is_empty()));
        }
        url
    }

    /// A token for what follows.
    async fn sign_in(&self, secret: &VaultSecret) -> Result<String, VaultError> {
        let what = "signing in at Vault";
        let auth = &secret.server.auth;
        if auth.name != "jwt" {
            return Err(VaultError::Method(auth.name.clone()));
        }
        let url = self.url(["auth", &auth.path, "login"]);
        let answer = self
            .send(what, self.client.post(url).json(&auth.data))
            .await?;
        let token = answer["auth"]["client_token"].as_str();
        let token = token.filter(|token| !token.is_empty());
        token
            .map(str::to_owned)
            .ok_or_else(|| self.unexpected(what, "no token".to_owned()))
    }

    async fn send(
        &self,
        what: &'static str,
        mut request: RequestBuilder,
    ) -> Result<Value, VaultError> {
        request = request.header("X-Vault-Request", "true");
        if !self.namespace.is_empty() {
            request = request.header("X-Vault-Namespace", &self.namespace);
        }
        let response = request.send().await;
        let response = response.map_err(|source| self.network(what, source))?;
        let status = response.status();
        let body = self.body(what, response).await?;
        if !status.is_success() {
            return Err(VaultError::Refused {
                what,
                host: self.host(),
                status,
                message: message(&body),
            });
        }
        let fault = |error: serde_json::Error| self.unexpected(what, error.to_string());
        serde_json::from_slice(&body).map_err(fault)
    }

    /// The whole body, up to a limit.
    async fn body(
        &self,
        what: &'static str,
        mut response: Response,
    ) -> Result<Vec<u8>, VaultError> {
        let mut body = Vec::new();
        let network = |source| self.network(what, source);
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                let reason = format!("more than {LARGEST_ANSWER} bytes");
                return Err(self.unexpected(what, reason));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn network(&self, what: &'static str, source: reqwest::Error) -> VaultError {
        VaultError::Network {
            what,
            host: self.host(),
            source: source.without_url(),
        }
    }

    fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().to_owned()
    }

    fn unexpected(&self, what: &'static str, reason: String) -> VaultError {
        VaultError::Unexpected {
            what,
            host: self.host(),
            reason,
        }
    }
}

/// A Vault's own words, after a colon, or nothing.
fn message(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let texts = value["errors"].as_array().map(Vec::as_slice);
    let texts = texts.unwrap_or_default().iter().filter_map(Value::as_str);
    let text = texts.collect::<Vec<_>>().join("; ");
    let clean = text.chars().filter(|c| !c.is_control());
    let clean: String = clean.take(LONGEST_MESSAGE).collect();
    match clean.is_empty() {
        true => clean,
        false => format!(": {clean}"),
    }
}
