//! Reading: what a repository offers, clones and fetches.

use super::body::{Encoding, Input, Output};
use super::pkt_line;
use super::repository::BareRepository;
use super::service::{self, Limits, Service};
use super::stream::stream;
use crate::command::GitError;

/// The body of the answer to `GET …/info/refs`: the refs, or with protocol version 2 what the
/// server can do. `protocol` is the header `Git-Protocol`. The answer must not be cached
/// (`Cache-Control: no-cache`).
///
/// # Errors
///
/// When git cannot be started. Later faults end the output with an error.
pub async fn advertise(
    repository: &BareRepository,
    service: Service,
    protocol: Option<&str>,
    limits: &Limits,
) -> Result<Output, GitError> {
    let process = service::call(&repository.path, service, protocol)
        .args([service::subcommand(service), "--stateless-rpc"])
        // Newer versions call it `--http-backend-info-refs` and still know this name.
        .args(["--advertise-refs", "."])
        .spawn()?;
    let mut head = Vec::new();
    // Version 2 begins with its own line. For pushes there is no version 2.
    let second = service::is_version_2(service::protocol(protocol));
    if !(service == Service::UploadPack && second) {
        let line = format!("# service={}\n", service.name());
        pkt_line::packet(line.as_bytes(), &mut head);
        head.extend_from_slice(pkt_line::FLUSH);
    }
    let (sender, output) = Output::channel();
    tokio::spawn(stream(process, head, None, sender, *limits));
    Ok(output)
}

/// The body of the answer to `POST …/git-upload-pack`: a pack, or a step of agreeing on one.
/// `protocol` is the header `Git-Protocol`, `encoding` the header `Content-Encoding`.
///
/// # Errors
///
/// When git cannot be started. Later faults end the output with an error.
pub async fn upload_pack(
    repository: &BareRepository,
    body: impl tokio::io::AsyncRead + Send + Unpin + 'static,
    encoding: Encoding,
    protocol: Option<&str>,
    limits: &Limits,
) -> Result<Output, GitError> {
    let process = service::call(&repository.path, Service::UploadPack, protocol)
        .args(["upload-pack", "--stateless-rpc", "."])
        .spawn_with_input()?;
    let input = Input::new(body, encoding, limits.fetch_request_bytes, limits.idle);
    let (sender, output) = Output::channel();
    tokio::spawn(stream(process, Vec::new(), Some(input), sender, *limits));
    Ok(output)
}
