//! Where an engine is: a socket of this machine, or another machine's port.

use std::path::Path;

use bollard::Docker;
use bollard::errors::Error as EngineError;

use super::engine::DockerError;

const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";
/// Seconds for the engine to begin its answer to a call.
const TIMEOUT: u64 = 120;

/// A client for the engine at an address as in `DOCKER_HOST`; `certificates` is the directory of
/// `ca.pem`, `cert.pem` and `key.pem` where the engine wants TLS. Asks nothing of it yet.
pub(super) fn client(
    address: Option<&str>,
    certificates: Option<&Path>,
) -> Result<Docker, DockerError> {
    let address = effective(address);
    let version = bollard::API_DEFAULT_VERSION;
    let made = match (address.split_once("://"), certificates) {
        (Some(("unix", socket)), _) => Docker::connect_with_unix(socket, TIMEOUT, version),
        (Some(("tcp" | "http", _)), None) => Docker::connect_with_http(address, TIMEOUT, version),
        (Some(("tcp" | "https", _)), Some(certificates)) => tls(address, certificates)?,
        _ => {
            return Err(DockerError::Address {
                address: address.to_owned(),
            });
        }
    };
    made.map_err(|error| unreachable(address, error))
}

/// The engine does not answer.
pub(super) fn unreachable(address: &str, error: EngineError) -> DockerError {
    DockerError::NoEngine {
        address: address.to_owned(),
        reason: super::words(error),
    }
}

/// The address that counts.
pub(super) fn effective(address: Option<&str>) -> &str {
    let given = address.filter(|address| !address.is_empty());
    given.unwrap_or(DEFAULT_SOCKET)
}

#[cfg(feature = "remote")]
fn tls(address: &str, directory: &Path) -> Result<Result<Docker, EngineError>, DockerError> {
    // The first in the process counts; all ask for the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Docker::connect_with_ssl(
        address,
        &directory.join("key.pem"),
        &directory.join("cert.pem"),
        &directory.join("ca.pem"),
        TIMEOUT,
        bollard::API_DEFAULT_VERSION,
    ))
}

#[cfg(not(feature = "remote"))]
fn tls(address: &str, _: &Path) -> Result<Result<Docker, EngineError>, DockerError> {
    Err(DockerError::NoTls {
        address: address.to_owned(),
    })
}

/// Whether the engine is on another machine: it sees no directory of this one.
pub(crate) fn is_remote(address: Option<&str>) -> bool {
    !effective(address).starts_with("unix://")
}

/// The label of what is made on an engine for a slot. On an engine that several machines share
/// it names this machine too, because slots are called the same on all.
pub(crate) fn slot_label(address: Option<&str>, slot: &Path) -> String {
    format!("{}{}", slot_prefix(address), slot.display())
}

/// What comes before the slot's directory in such a label.
pub(crate) fn slot_prefix(address: Option<&str>) -> String {
    if !is_remote(address) {
        return String::new();
    }
    let name = nix::unistd::gethostname().unwrap_or_default();
    format!("{}:", name.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_are_on_this_machine() {
        for (address, remote) in [
            (None, false),
            (Some(""), false),
            (Some("unix:///run/podman/podman.sock"), false),
            (Some("tcp://h:2375"), true),
        ] {
            assert_eq!(is_remote(address), remote, "{address:?}");
            let label = slot_label(address, Path::new("/b/0"));
            assert_eq!(label == "/b/0", !remote, "{label}");
            assert!(label.ends_with("/b/0"));
        }
    }

    #[test]
    fn what_is_no_address_is_said() {
        for address in ["ssh://h", "h:2375", "npipe:////./pipe/docker_engine"] {
            let error = client(Some(address), None).unwrap_err().to_string();
            assert!(
                error.contains(address) && error.contains("tcp://"),
                "{error}"
            );
        }
    }
}
