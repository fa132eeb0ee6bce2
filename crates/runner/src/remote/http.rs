//! The HTTP client below all calls: address, TLS, headers, timeouts, repetition.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use reqwest::{Client as Reqwest, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::retry;

const CONNECT: Duration = Duration::from_secs(30);
/// A coordinator may hold a request for a job for about a minute; ten times that is dead.
const READ: Duration = Duration::from_secs(600);
const WHOLE_CALL: Duration = Duration::from_secs(3600);
const IDLE: Duration = Duration::from_secs(90);
/// More of an error's or a JSON answer's body is not read.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// More of a coordinator's words is not shown.
const LONGEST_MESSAGE: usize = 500;

/// Where a coordinator is and how to trust it.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// The coordinator's address, with or without `/ci`, a sub-path included.
    pub url: String,
    /// More certificate authorities in PEM, beside those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Why a call to a coordinator came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be one.
    #[error("`{url}` is not the address of a coordinator; write https://HOST or http://HOST")]
    Address {
        /// What was given.
        url: String,
    },
    /// The file of certificate authorities cannot be used.
    #[error("cannot read certificate authorities from {}: {reason}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The client itself could not be made.
    #[error("cannot prepare HTTP; are the system's certificates installed?")]
    Setup {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// No answer came.
    #[error("{what}: no answer from {host}")]
    Network {
        /// What was asked.
        what: &'static str,
        /// Whom.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The coordinator said no.
    #[error("{what}: {host} answered {status}{message}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Whom.
        host: String,
        /// The answer's status.
        status: StatusCode,
        /// The coordinator's words, after a colon, or nothing.
        message: String,
    },
    /// The answer is not what the protocol says; perhaps there is no coordinator there.
    #[error("{what}: {host} answered {status} with something else than expected: {reason}")]
    Unexpected {
        /// What was asked.
        what: &'static str,
        /// Whom.
        host: String,
        /// The answer's status.
        status: StatusCode,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    /// The status of the answer, where one came.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } | Self::Unexpected { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// A coordinator's address with the clients to call it.
#[derive(Debug, Clone)]
pub(super) struct Http {
    base: Url,
    client: Reqwest,
}

impl Http {
    /// Reads the certificates and builds the client. Proxies come from the environment.
    ///
    /// Redirects are left to the caller: none is part of the protocol but that of a
    /// download, and a job token must not follow it to another host.
    pub(super) fn new(endpoint: &Endpoint, user_agent: &str) -> Result<Self, ClientError> {
        let base = base_of(&endpoint.url)?;
        // A second caller finds it installed; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Reqwest::builder()
            .user_agent(user_agent)
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .timeout(WHOLE_CALL)
            .pool_idle_timeout(IDLE)
            .redirect(redirect::Policy::none());
        if let Some(path) = &endpoint.ca_file {
            let fault = |reason: String| ClientError::CaFile {
                path: path.clone(),
                reason,
            };
            let pem = std::fs::read(path).map_err(|error| fault(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| fault(error.to_string()))?;
            if certificates.is_empty() {
                return Err(fault("there is no certificate in it".to_owned()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder
            .build()
            .map_err(|source| ClientError::Setup { source })?;
        Ok(Self { base, client })
    }

    /// The coordinator's host, for messages.
    pub(super) fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().to_owned()
    }

    /// The address of a call below `/api/v4/`.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    /// Whether credentials for the coordinator may be sent there.
    pub(super) fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// A request, not sent yet.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends once.
    pub(super) async fn send_once(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<Response, ClientError> {
        request
            .send()
            .await
            .map_err(|source| self.network(what, source))
    }

    /// Sends, and repeats what may succeed later; the last answer is returned, whatever it
    /// is. Errors of the connection are not repeated: the callers do, in their own time.
    pub(super) async fn send(
        &self,
        what: &'static str,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, ClientError> {
        for attempt in 1.. {
            let response = self.send_once(what, request()).await?;
            let status = response.status();
            if attempt >= retry::ATTEMPTS || !retry::is_transient(status) {
                return Ok(response);
            }
            let wait = retry::wait(response.headers(), attempt, SystemTime::now());
            tracing::debug!(what, %status, attempt, ?wait, "call.repeated");
            tokio::time::sleep(wait).await;
        }
        unreachable!("an endless range has no end")
    }

    /// The error of a refusing answer, with the coordinator's words.
    pub(super) async fn refused(&self, what: &'static str, response: Response) -> ClientError {
        let status = response.status();
        let json = is_json(&response);
        let body = self.body(what, response).await.unwrap_or_default();
        let message = if json { message_in(&body) } else { None };
        ClientError::Refused {
            what,
            host: self.host(),
            status,
            message: message.map(|text| format!(": {text}")).unwrap_or_default(),
        }
    }

    /// The JSON body of a good answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        response: Response,
    ) -> Result<T, ClientError> {
        let status = response.status();
        let unexpected = |reason: String| ClientError::Unexpected {
            what,
            host: self.host(),
            status,
            reason,
        };
        if !is_json(&response) {
            return Err(unexpected(
                "its content type is not application/json".into(),
            ));
        }
        let body = self.body(what, response).await?;
        serde_json::from_slice(&body).map_err(|error| unexpected(error.to_string()))
    }

    /// The whole body, up to a limit.
    pub(super) async fn body(
        &self,
        what: &'static str,
        mut response: Response,
    ) -> Result<Vec<u8>, ClientError> {
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|source| self.network(what, source))?
        {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(ClientError::Unexpected {
                    what,
                    host: self.host(),
                    status,
                    reason: format!("it is larger than {LARGEST_ANSWER} bytes"),
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(super) fn network(&self, what: &'static str, source: reqwest::Error) -> ClientError {
        ClientError::Network {
            what,
            host: self.host(),
            // An address may carry a signature.
            source: source.without_url(),
        }
    }
}

/// `<url without trailing / and /ci>/api/v4/`.
fn base_of(text: &str) -> Result<Url, ClientError> {
    let fault = || ClientError::Address {
        url: text.to_owned(),
    };
    let mut url = Url::parse(text.trim()).map_err(|_| fault())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(fault());
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/ci").unwrap_or(path);
    let path = format!("{path}/api/v4/");
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Whether the answer's media type is exactly `application/json`.
pub(super) fn is_json(response: &Response) -> bool {
    header(response, "Content-Type")
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// A header's value, where it is text.
pub(super) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// `message` of an error: a text, or texts by field.
fn message_in(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let message = value.get("message").or_else(|| value.get("error"))?;
    let text = match message {
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields
            .iter()
            .map(|(field, texts)| format!("{field}: {}", joined(texts)))
            .collect::<Vec<_>>()
            .join("; "),
        _ => return None,
    };
    let clean = text.chars().filter(|character| !character.is_control());
    Some(clean.take(LONGEST_MESSAGE).collect())
}

fn joined(texts: &Value) -> String {
    let list = texts.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_to_the_api() {
        for (given, base) in [
            ("https://h", "https://h/api/v4/"),
            ("https://h/", "https://h/api/v4/"),
            ("https://h/ci", "https://h/api/v4/"),
            ("http://h:8080/gitlab/ci/", "http://h:8080/gitlab/api/v4/"),
            ("https://h/gitlab?x=1#y", "https://h/gitlab/api/v4/"),
        ] {
            assert_eq!(base_of(given).unwrap().as_str(), base, "{given}");
        }
        for wrong in ["", "h", "ftp://h", "https://", "/etc/passwd"] {
            assert!(base_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_coordinators_words_are_found() {
        for (body, message) in [
            (r#"{"message":"403 Forbidden"}"#, Some("403 Forbidden")),
            (
                r#"{"message":{"tags":["none","x"]}}"#,
                Some("tags: none, x"),
            ),
            (r#"{"error":"token is missing"}"#, Some("token is missing")),
            (r#"{"message":"a\u001b[2Jb"}"#, Some("a[2Jb")),
            (r#"{"message":1}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(message_in(body.as_bytes()).as_deref(), message, "{body}");
        }
    }
}
