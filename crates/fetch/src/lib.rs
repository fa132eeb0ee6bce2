//! Text from other hosts: one file over HTTP or HTTPS, without credentials, within limits, and
//! only from addresses that may be reached.
//!
//! An address in a configuration is hostile: it may lead into the network of whoever reads it.
//! So names are resolved here, what they resolve to is checked, and the connection goes to the
//! very address that was checked; a name that answers differently a moment later gains
//! nothing. Redirects are followed by hand and checked in the same way.

mod reach;
mod resolver;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Client, Response, StatusCode, Url, redirect};

pub use reach::Reach;
use resolver::{Checked, NotPublic};

/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// How long one connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a failure is tried that may pass.
const ATTEMPTS: u32 = 3;

/// What one file may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Time for all of it: names, connections, redirects, repetitions.
    pub time: Duration,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is none that can be asked.
    #[error("`{0}` is not an address of HTTP or HTTPS")]
    Address(String),
    /// It leads to this machine or a private network.
    #[error("URL is blocked: {0} is not a public address")]
    Private(String),
    /// The other host says no.
    #[error("of HTTP code `{}` error", .0.as_u16())]
    Status(StatusCode),
    /// It took too long.
    #[error("of a timeout error")]
    Timeout,
    /// It leads in circles.
    #[error("it redirects more than {REDIRECTS} times")]
    Redirects,
    /// It is larger than allowed.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// It is not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// No answer, or half of one; the text says more.
    #[error("of a network error: {0}")]
    Network(String),
}

impl FetchError {
    /// Whether it was refused for where it leads.
    pub fn is_private(&self) -> bool {
        matches!(self, Self::Private(_))
    }

    /// Whether another attempt may do better.
    fn may_pass(&self) -> bool {
        match self {
            Self::Status(status) => status.is_server_error(),
            Self::Network(_) => true,
            _ => false,
        }
    }
}

/// Gets a file. Blocks, also where an async runtime is running.
///
/// # Errors
/// [`FetchError`]; its text ends the sentence "could not be fetched because …".
pub fn get(url: &str, reach: Reach, limits: &Limits) -> Result<String, FetchError> {
    let network = |error: &dyn std::fmt::Display| FetchError::Network(error.to_string());
    // A thread of its own: whoever calls may be inside of a runtime already.
    let fetched = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| network(&error))?;
            runtime.block_on(async {
                let all = attempts(url, reach, limits.bytes);
                match tokio::time::timeout(limits.time, all).await {
                    Ok(fetched) => fetched,
                    Err(_) => Err(FetchError::Timeout),
                }
            })
        });
        thread.join()
    });
    let bytes = fetched.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    String::from_utf8(bytes).map_err(|_| FetchError::NotText)
}

async fn attempts(url: &str, reach: Reach, bytes: usize) -> Result<Vec<u8>, FetchError> {
    let client = client(reach)?;
    let mut attempt = 1;
    loop {
        match follow(&client, url, reach, bytes).await {
            Err(error) if attempt < ATTEMPTS && error.may_pass() => {
                // 1 s, 2 s, as GitLab waits.
                tokio::time::sleep(Duration::from_secs(1 << (attempt - 1))).await;
                attempt += 1;
            }
            done => return done,
        }
    }
}

fn client(reach: Reach) -> Result<Client, FetchError> {
    // A second caller finds it installed; it is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("shipway/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(redirect::Policy::none())
        .referer(false);
    if reach == Reach::Public {
        // A proxy would resolve the name by itself, where nothing can be checked.
        builder = builder.no_proxy().dns_resolver(Arc::new(Checked));
    }
    builder
        .build()
        .map_err(|error| FetchError::Network(cause(&error)))
}

/// One attempt, redirects followed.
async fn follow(
    client: &Client,
    url: &str,
    reach: Reach,
    bytes: usize,
) -> Result<Vec<u8>, FetchError> {
    let mut url = Url::parse(url).map_err(|_| FetchError::Address(url.to_owned()))?;
    for _ in 0..=REDIRECTS {
        check(&url, reach)?;
        let response = client.get(url.clone()).send().await;
        let response = response.map_err(|error| fault(&error, &url))?;
        let status = response.status();
        if status.is_redirection()
            && let Some(location) = response.headers().get(LOCATION)
        {
            let next = location.to_str().ok().and_then(|next| url.join(next).ok());
            url = next.ok_or_else(|| FetchError::Address("the target of a redirect".into()))?;
            continue;
        }
        if !status.is_success() {
            return Err(FetchError::Status(status));
        }
        return body(response, &url, bytes).await;
    }
    Err(FetchError::Redirects)
}

/// The scheme, and an address that is written as a number: it is never resolved.
fn check(url: &Url, reach: Reach) -> Result<(), FetchError> {
    let host = url.host_str().unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err(FetchError::Address(url.to_string()));
    }
    let number = host.trim_start_matches('[').trim_end_matches(']');
    match number.parse::<IpAddr>() {
        Ok(address) if !reach.allows(address) => Err(FetchError::Private(number.to_owned())),
        _ => Ok(()),
    }
}

async fn body(mut response: Response, url: &Url, limit: usize) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    // The length that is announced may be a lie, so what comes is counted.
    while let Some(chunk) = (response.chunk().await).map_err(|error| fault(&error, url))? {
        if bytes.len() + chunk.len() > limit {
            return Err(FetchError::TooLarge(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn fault(error: &reqwest::Error, url: &Url) -> FetchError {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(NotPublic(host)) = error.downcast_ref() {
            return FetchError::Private(host.clone());
        }
        next = error.source();
    }
    if error.is_timeout() {
        return FetchError::Timeout;
    }
    let host = url.host_str().unwrap_or_default();
    FetchError::Network(format!("{host}: {}", cause(error)))
}

/// The innermost cause, which names what happened; those around it repeat the address.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
