//! A running git whose answer goes to a client as it comes, in constant memory.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};

use super::body::{Input, InputError, Sender};
use super::call::{Process, complaint};
use super::service::Limits;

/// So many bytes of git's answer are read at once.
const PIECE: usize = 64 * 1024;

/// Passes everything on until git ends or the client is gone; then git is killed, as it owns
/// nothing that has to be kept.
pub(super) async fn stream(
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
            tracing::debug!(error = %error, "git refused in its answer");
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
