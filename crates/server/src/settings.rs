//! What a server is told at its start.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use shipway_coordinator::{ServerAddress, ServerLimits};

use crate::proxies::TrustedProxies;

/// Everything a person may choose about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The directory for everything that is kept: the database, logs, artifacts,
    /// repositories, the secret key.
    pub data: PathBuf,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How others reach it; in links, clone addresses and `CI_SERVER_URL`.
    pub external_url: ExternalUrl,
    /// `sqlite:`, `sqlite:PATH` or `postgres://…`.
    pub database: String,
    /// Where artifacts are: `file:` for the data directory.
    pub objects: String,
    /// The runner inside of the server.
    pub runner: EmbeddedRunner,
    /// Examples are added as projects at the first start.
    pub demo: bool,
    /// How much projects may ask for.
    pub limits: ServerLimits,
    /// Who is believed about whom it speaks for.
    pub trusted_proxies: TrustedProxies,
    /// The directory of what `include:template` names.
    pub templates: Option<PathBuf>,
}

impl Settings {
    /// The address when nobody chooses one: this machine only.
    pub const LISTEN: &'static str = "127.0.0.1:8080";

    /// Settings for a directory and an address, everything else as nobody chose it.
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data: data.into(),
            listen,
            external_url: ExternalUrl::of(listen),
            database: "sqlite:".to_owned(),
            objects: "file:".to_owned(),
            runner: EmbeddedRunner::Auto,
            demo: false,
            limits: ServerLimits::default(),
            trusted_proxies: TrustedProxies::default(),
            templates: None,
        }
    }

    /// The address that the operating system gave, where port 0 was asked for.
    pub fn listens_at(&mut self, address: SocketAddr) {
        if self.external_url == ExternalUrl::of(self.listen) {
            self.external_url = ExternalUrl::of(address);
        }
        self.listen = address;
    }

    /// How processes of this machine reach a server that listens at `address`.
    pub fn loopback_url(&self, address: SocketAddr) -> String {
        let host = match (address.ip().is_unspecified(), address.is_ipv6()) {
            (true, false) => SocketAddr::from(([127, 0, 0, 1], address.port())),
            (true, true) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
            (false, _) => address,
        };
        format!("http://{host}{}", self.external_url.path())
    }
}

/// Which jobs the server runs itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmbeddedRunner {
    /// In containers where a Docker engine answers, else none.
    #[default]
    Auto,
    /// In containers.
    Docker,
    /// As processes of the server's own user: for people who trust their projects.
    Shell,
    /// None.
    None,
}

impl EmbeddedRunner {
    /// Every choice, with its name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("docker", Self::Docker),
        ("shell", Self::Shell),
        ("none", Self::None),
    ];
}

/// The address of the server as others see it, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalUrl {
    address: ServerAddress,
    text: String,
}

/// Why a text is no external URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the server's address; write it as `https://ci.example.com`, with a port where it is not the usual one, and without user, query or fragment"
)]
pub struct ExternalUrlError(String);

impl ExternalUrl {
    /// Reads `http://HOST[:PORT][/PATH]` or the same with `https`.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self, ExternalUrlError> {
        let fault = || ExternalUrlError(text.to_owned());
        let address = ServerAddress::parse(text).ok_or_else(fault)?;
        let text = address.url();
        // It goes into headers and links.
        let uri: axum::http::Uri = text.parse().map_err(|_| fault())?;
        uri.authority().ok_or_else(fault)?;
        Ok(Self { address, text })
    }

    /// The address of a server that others reach where it listens.
    pub fn of(listen: SocketAddr) -> Self {
        let host = match listen.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            IpAddr::V4(ip) => ip.to_string(),
        };
        let address = ServerAddress {
            protocol: "http".to_owned(),
            host,
            port: listen.port(),
            path: String::new(),
        };
        Self {
            text: address.url(),
            address,
        }
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parts, as jobs are told.
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Scheme, host and port: what a browser calls the origin.
    pub fn origin(&self) -> &str {
        &self.text[..self.text.len() - self.path().len()]
    }

    /// The path before all others; empty where the server is at the top of its host.
    pub fn path(&self) -> &str {
        &self.address.path
    }

    /// Whether clients speak TLS to it.
    pub fn is_https(&self) -> bool {
        self.address.protocol == "https"
    }
}

impl std::fmt::Display for ExternalUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_urls() {
        for (text, origin, path, https) in [
            ("http://localhost:8080", "http://localhost:8080", "", false),
            (
                "https://ci.example.com/",
                "https://ci.example.com",
                "",
                true,
            ),
            ("https://x.org/ci/", "https://x.org", "/ci", true),
            ("http://[::1]:8080", "http://[::1]:8080", "", false),
        ] {
            let url = ExternalUrl::parse(text).unwrap();
            let found = (url.origin(), url.path(), url.is_https());
            assert_eq!(found, (origin, path, https), "{text}");
        }
        for text in [
            "",
            "ci.example.com",
            "ftp://x.org",
            "http://",
            "http://u:p@x.org",
            "http://x.org/?a",
            "http://x.org/#a",
            "http://x y",
            "/a",
        ] {
            assert!(ExternalUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_that_are_listened_to() {
        for (listen, url) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:80", "http://localhost"),
            ("[::]:81", "http://localhost:81"),
            ("[::1]:82", "http://[::1]:82"),
        ] {
            assert_eq!(ExternalUrl::of(listen.parse().unwrap()).as_str(), url);
        }
    }
}
