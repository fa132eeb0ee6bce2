//! What a server has besides a store: repositories, and an address that jobs see.

use std::sync::Arc;

use shipway_git::hosting::{BareRepository, Repositories};
use shipway_git::{Facts, ProjectPath};
use shipway_store::ProjectRow;

use crate::elsewhere::Offers;
use crate::error::Error;
use crate::id_tokens::Signer;

/// The server around a [`Coordinator`](crate::Coordinator).
#[derive(Debug, Clone)]
pub struct Hosting {
    /// The projects' repositories, by project id.
    pub repositories: Repositories,
    /// Where people and jobs find it.
    pub address: ServerAddress,
    /// What `include` may name besides projects.
    pub offers: Offers,
    /// Who signs the ID tokens of jobs.
    pub signer: Arc<dyn Signer>,
}

impl Hosting {
    /// The repository of a project.
    pub(crate) async fn repository(&self, project: &ProjectRow) -> Result<BareRepository, Error> {
        let number = u64::try_from(project.id.0).unwrap_or_default();
        Ok(self.repositories.get(number).await?)
    }

    /// Where a project is on this server.
    pub(crate) fn project_path(&self, project: &ProjectRow) -> ProjectPath {
        ProjectPath {
            host: Some(self.address.host.clone()),
            port: Some(self.address.port),
            insecure: self.address.protocol == "http",
            path: project.full_path.clone(),
        }
    }
}

/// Where a server is, as jobs are told: `CI_SERVER_URL` and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// `http` or `https`.
    pub protocol: String,
    /// The host's name.
    pub host: String,
    /// The port, also where it is the protocol's own.
    pub port: u16,
    /// What follows the host: empty, or `/path` without a slash at the end.
    pub path: String,
}

impl ServerAddress {
    /// Reads an external URL; `None` when it is no `http` or `https` URL with a host.
    pub fn parse(url: &str) -> Option<Self> {
        let (protocol, rest) = url.split_once("://")?;
        let protocol = protocol.to_ascii_lowercase();
        let default_port = default_port(&protocol)?;
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path.trim_end_matches('/')),
            None => (rest, ""),
        };
        // `[::1]:8080` has colons before the one that counts.
        let name_end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match authority[name_end..].rfind(':') {
            Some(colon) => {
                let (host, port) = authority.split_at(name_end + colon);
                (host, port[1..].parse().ok()?)
            }
            None => (authority, default_port),
        };
        let unfit = |c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c);
        if host.is_empty() || host.contains(unfit) || path.contains(unfit) {
            return None;
        }
        Some(Self {
            protocol,
            host: host.to_ascii_lowercase(),
            port,
            path: match path {
                "" => String::new(),
                path => format!("/{path}"),
            },
        })
    }

    /// The server a work tree's remote is on: a local run answers in its name.
    pub(crate) fn of(facts: &Facts) -> Self {
        let project = &facts.project;
        let protocol = if project.insecure { "http" } else { "https" };
        Self {
            protocol: protocol.to_owned(),
            host: project.host.as_deref().unwrap_or("localhost").to_owned(),
            port: project.port.or(default_port(protocol)).unwrap_or_default(),
            path: String::new(),
        }
    }

    /// The host, with the port where it is not the protocol's own.
    pub fn fqdn(&self) -> String {
        if default_port(&self.protocol) == Some(self.port) {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The whole address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.protocol, self.fqdn(), self.path)
    }

    /// The address with which a job clones a project; `token` opens it.
    pub fn clone_url(&self, project_path: &str, token: &str) -> String {
        let (protocol, fqdn, path) = (&self.protocol, self.fqdn(), &self.path);
        format!("{protocol}://gitlab-ci-token:{token}@{fqdn}{path}/{project_path}.git")
    }
}

fn default_port(protocol: &str) -> Option<u16> {
    match protocol {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_urls() {
        let table = [
            ("http://localhost:8080", Some("http://localhost:8080")),
            ("HTTPS://CI.Example.org/", Some("https://ci.example.org")),
            ("https://h:443/ci/", Some("https://h/ci")),
            ("http://[::1]:99/a/b", Some("http://[::1]:99/a/b")),
            ("ftp://h", None),
            ("http://", None),
            ("http://h:port", None),
            ("http://user@h", None),
            ("http://h/?x", None),
            ("h:80", None),
        ];
        for (url, expected) in table {
            let parsed = ServerAddress::parse(url).map(|address| address.url());
            assert_eq!(parsed.as_deref(), expected, "{url}");
        }
        let address = ServerAddress::parse("http://h:1/ci").unwrap();
        assert_eq!(
            address.clone_url("g/p", "t"),
            "http://gitlab-ci-token:t@h:1/ci/g/p.git"
        );
    }
}
