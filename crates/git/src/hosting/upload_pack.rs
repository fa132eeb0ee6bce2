//! Reading: what a repository offers, clones and fetches.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};

use super::body::{Encoding, Input, InputError, Output, Sender};
use super::call::{Process, complaint};
use super::pkt_line;
use super::repository::BareRepository;
use super::service::{self, Limits, Service};
use crate::command::GitError;

/// So many bytes of git's answer are read at once.
const PIECE: usize = 64 * 1024;

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

/// Passes everything on until git ends or the client is gone; then git is killed, as it owns
/// nothing that has to be kept.
async fn stream(
    mut process: Process,
    head: Vec<u8>,
    input: Option<Input>,
    sender: Sender,
    limits: Limits,
) {
    let (stdin, stdout) = (process.child.stdin.take(), process.child.stdout.take());
    let stderr = process.child.stderr.take();
    let exchange = async {
        let passed = exchange(feed(input, stdin), pass(head, stdout, &sender, limits)).await;
        if passed.is_err() {
            process.kill();
        }
        passed
    };
    let (passed, complaint) = tokio::select! {
        ended = async { tokio::join!(exchange, complaint(stderr)) } => ended,
        // Nobody listens: dropping the process kills it.
        () = sender.closed() => return,
    };
    match (passed, process.end(complaint).await) {
        (Err(fault), _) => sender.fail(fault, limits.idle).await,
        // What git sent says what is wrong, in a form that the client shows.
        (Ok(sent), Err(error)) if sent > 0 => {
            tracing::debug!(error = %error, "git upload-pack refused");
        }
        (Ok(_), Err(error)) => {
            tracing::warn!(error = %error, "git failed");
            sender.fail(io::Error::other(error), limits.idle).await;
        }
        (Ok(_), Ok(())) => {}
    }
}

/// Both directions side by side. Git may end before it has read everything, as after a fault:
/// then what is left of the request does not matter.
async fn exchange(
    feeding: impl Future<Output = Result<(), InputError>>,
    passing: impl Future<Output = io::Result<u64>>,
) -> io::Result<u64> {
    tokio::pin!(passing);
    tokio::select! {
        fed = feeding => {
            fed.map_err(io::Error::other)?;
            passing.await
        }
        passed = &mut passing => passed,
    }
}

/// Writes the request to git.
async fn feed(input: Option<Input>, stdin: Option<ChildStdin>) -> Result<(), InputError> {
    let (Some(mut input), Some(mut stdin)) = (input, stdin) else {
        return Ok(());
    };
    while let Some(piece) = input.piece().await? {
        // A broken pipe means that git ended early; it has said why.
        if stdin.write_all(&piece).await.is_err() {
            return input.discard().await;
        }
    }
    Ok(())
}

/// Passes git's answer on after `head`; the number of bytes that were git's, or a fault when
/// the client takes no more.
async fn pass(
    head: Vec<u8>,
    stdout: Option<ChildStdout>,
    sender: &Sender,
    limits: Limits,
) -> io::Result<u64> {
    let mut sent = 0;
    let Some(mut stdout) = stdout else {
        return Ok(sent);
    };
    let mut piece = BytesMut::from(&*head);
    loop {
        if !sender.send(piece, limits.idle).await {
            return Err(io::ErrorKind::TimedOut.into());
        }
        piece = BytesMut::with_capacity(PIECE);
        let read = stdout.read_buf(&mut piece).await?;
        if read == 0 {
            return Ok(sent);
        }
        sent += read as u64;
    }
}
