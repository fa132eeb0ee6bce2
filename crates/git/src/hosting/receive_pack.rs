//! Writing: pushes, judged before any ref moves.
//!
//! 1. The list of refs at the beginning of the request is read into plain data and judged by
//!    [`PushRules::pre_receive`]. If a ref is refused, nothing reaches git, and the client gets
//!    the reasons. As in GitLab one refused ref refuses the whole push, atomic or not.
//! 2. Whether a move is a fast-forward shows only when git has the new commits. The rules are
//!    therefore asked for both cases beforehand; where the answers differ, our `pre-receive`
//!    hook makes the difference. Git keeps the new objects in quarantine until the hook agrees,
//!    so a refused push leaves neither refs nor objects.
//! 3. What moved is read from git's report and told to [`PushRules::post_receive`]; its lines
//!    reach the client before the answer ends.
//!
//! From the start of git on, a push is a task of its own: it comes to its end, and
//! `post_receive` is called, even when nobody waits for the answer any more.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Notify;

use super::body::{Encoding, Input, InputError, Output, Sender};
use super::call::{Group, Process, complaint};
use super::hook;
use super::pkt_line::{self, Header};
use super::push_options::PushOptions;
use super::push_request::{Parser, PushRequest, PushRequestError};
use super::push_rules::{self, Push, PushRules};
use super::queries::QueryError;
use super::report;
use super::repository::BareRepository;
use super::service::{self, Limits, Service};
use crate::command::GitError;

/// A client that sends more than allowed is listened to for this many times the limit, because
/// it takes the answer only when it has sent everything.
const PATIENCE: u64 = 4;

/// And at least to this many bytes.
const LEAST_PATIENCE: u64 = 64 * 1024 * 1024;

/// Git's report in bytes at most: twice what a request may have.
const LONGEST_REPORT: usize = 16 * 1024 * 1024;

/// After a push broke off git gets this long to notice and to clear away its files, and as
/// long again once it was asked to end, before it is killed.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a push could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The client's fault: to be answered with 400.
    #[error("the request is not a push")]
    Request(#[source] PushRequestError),
    /// What the client sends cannot be read.
    #[error("the push cannot be received")]
    Input(#[source] InputError),
    /// Our hook is not there any more.
    #[error("pushes cannot be checked: the hook in `{}` is missing or not executable; start the server again to have it written anew", directory.display())]
    Hook {
        /// Where it should be.
        directory: std::path::PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The repository cannot be read.
    #[error("the push cannot be judged")]
    Query(#[source] QueryError),
    /// Git cannot be started.
    #[error("the push cannot be handed to git")]
    Git(#[source] GitError),
}

/// The body of the answer to `POST …/git-receive-pack`. `encoding` is the header
/// `Content-Encoding`, `protocol` the header `Git-Protocol`.
///
/// # Errors
///
/// When the request is malformed or git cannot be started. A refused push is no error: the
/// output tells the client why.
pub async fn receive_pack<R: PushRules>(
    repository: &BareRepository,
    body: impl AsyncRead + Send + Unpin + 'static,
    encoding: Encoding,
    protocol: Option<&str>,
    limits: &Limits,
    rules: Arc<R>,
) -> Result<Output, ReceiveError> {
    let most = limits.push_bytes.saturating_mul(PATIENCE);
    let most = most.max(LEAST_PATIENCE);
    let mut input = Input::new(body, encoding, most, limits.idle);
    let request = read_request(&mut input).await?;
    // Git sends this alone to find out whether it may push, before it sends much.
    if request.updates.is_empty() {
        return Ok(Output::ready(Vec::new()));
    }
    let default_branch = match request.updates.iter().any(|update| update.new.is_none()) {
        true => Some(repository.default_branch().await),
        false => None,
    };
    let default_branch = default_branch.transpose().map_err(ReceiveError::Query)?;
    let fast_forward_only =
        match push_rules::judge(&request.updates, default_branch.as_deref(), &*rules) {
            Ok(list) => list,
            Err(reasons) => {
                input.discard().await.map_err(ReceiveError::Input)?;
                return Ok(Output::ready(report::refusal(&request, &reasons)));
            }
        };
    let mut call = service::call(&repository.path, Service::ReceivePack, protocol)
        .setting(&format!("receive.maxInputSize={}", limits.push_bytes));
    if !fast_forward_only.is_empty() {
        let hooks = &repository.hooks;
        hooks.check().map_err(|source| ReceiveError::Hook {
            directory: hooks.directory.clone(),
            source,
        })?;
        call = call
            .setting(&format!("core.hooksPath={}", hooks.directory.display()))
            .env(hook::FAST_FORWARD_ONLY, fast_forward_only);
    }
    let process = call
        .args(["receive-pack", "--stateless-rpc", "."])
        .spawn_with_input()
        .map_err(ReceiveError::Git)?;
    let (sender, output) = Output::channel();
    let push = Running {
        repository: repository.clone(),
        request,
        sender,
        limits: *limits,
        rules,
    };
    tokio::spawn(push.run(process, input));
    Ok(output)
}

async fn read_request(input: &mut Input) -> Result<PushRequest, ReceiveError> {
    let mut parser = Parser::default();
    loop {
        let digits = input.exactly(pkt_line::LENGTH_DIGITS).await;
        let digits = digits.map_err(ReceiveError::Input)?;
        let digits = digits.first_chunk().copied().unwrap_or_default();
        let header = pkt_line::header(digits).map_err(PushRequestError::Length);
        let packet = match header.map_err(ReceiveError::Request)? {
            Header::Flush => None,
            Header::Data(length) => {
                let data = input.exactly(length).await;
                Some(data.map_err(ReceiveError::Input)?)
            }
        };
        let complete = parser.packet(packet.as_deref());
        if complete.map_err(ReceiveError::Request)? {
            return Ok(parser.finish());
        }
    }
}

/// A push that git has.
struct Running<R> {
    repository: BareRepository,
    request: PushRequest,
    sender: Sender,
    limits: Limits,
    rules: Arc<R>,
}

impl<R: PushRules> Running<R> {
    async fn run(self, mut process: Process, input: Input) {
        let (stdin, stdout) = (process.child.stdin.take(), process.child.stdout.take());
        let stderr = process.child.stderr.take();
        let group = process.group();
        let (sent, silent) = (AtomicU64::new(0), Notify::new());
        let (received, answered, complaint) = tokio::join!(
            self.feed(input, stdin, group, &sent, &silent),
            self.answer(stdout, &sent, &silent),
            complaint(stderr)
        );
        let ended = process.end(complaint).await;
        let fault = match (received, answered, ended) {
            (Ok(()), Ok(()), _) => return,
            (Err(fault), ..) => io::Error::other(fault),
            (Ok(()), Err(_), Err(error)) => io::Error::other(error),
            (Ok(()), Err(fault), Ok(())) => fault,
        };
        tracing::warn!(repository = %self.repository.path.display(), error = %fault, "a push broke off");
        self.sender.fail(fault, self.limits.idle).await;
    }

    /// Writes the request to git. When the client breaks off, git sees the end of its input,
    /// for which it clears away what it has of the push. A signal is the second choice: git
    /// would delete the quarantine while its children still write there.
    async fn feed(
        &self,
        mut input: Input,
        stdin: Option<ChildStdin>,
        group: Option<Group>,
        sent: &AtomicU64,
        silent: &Notify,
    ) -> Result<(), InputError> {
        let result = self.write(&mut input, stdin, sent).await;
        if let (Err(_), Some(group)) = (&result, group) {
            // Git has not been waited for yet, so the number is still its own.
            for signal in [Signal::SIGTERM, Signal::SIGKILL] {
                if tokio::time::timeout(FAREWELL, silent.notified())
                    .await
                    .is_ok()
                {
                    break;
                }
                group.signal(signal);
            }
        }
        result
    }

    async fn write(
        &self,
        input: &mut Input,
        stdin: Option<ChildStdin>,
        sent: &AtomicU64,
    ) -> Result<(), InputError> {
        // Closed at the end of this function, fault or not.
        let Some(mut stdin) = stdin else {
            return Ok(());
        };
        let mut open = stdin.write_all(&self.request.encode()).await.is_ok();
        while let Some(piece) = input.piece().await? {
            sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            // When git has ended early and said why, the client still wants to send all
            // before it listens.
            open = open && stdin.write_all(&piece).await.is_ok();
        }
        Ok(())
    }

    /// Passes git's messages on, finds out what moved, and ends the answer.
    async fn answer(
        &self,
        stdout: Option<ChildStdout>,
        sent: &AtomicU64,
        silent: &Notify,
    ) -> io::Result<()> {
        let report = self.pass(stdout).await;
        silent.notify_one();
        let moved = match &report {
            Ok(report) => report::moved(report),
            Err(_) => None,
        };
        // Git may have been stopped between moving refs and saying so.
        let complete = moved.is_some();
        let moved = match moved {
            Some(moved) => moved,
            None => self.moved_by_now().await,
        };
        let updates = self.request.updates.iter();
        let updates = updates.filter(|update| update.old != update.new);
        let push = Push {
            updates: updates
                .filter(|update| moved.contains(&update.name))
                .cloned()
                .collect(),
            options: PushOptions::parse(self.request.options.iter().map(String::as_str)),
        };
        let mut lines = Vec::new();
        if sent.load(Ordering::Relaxed) > self.limits.push_bytes {
            lines.push(format!(
                "The push has more than {} bytes, the limit of this server; push in smaller parts, or keep large files out of git.",
                self.limits.push_bytes
            ));
        }
        if !push.updates.is_empty() {
            lines.extend(self.rules.post_receive(push).await);
        }
        let mut answer = Vec::new();
        if self.request.side_band {
            pkt_line::messages(lines.iter().map(String::as_str), &mut answer);
        }
        let report = report?;
        if !complete {
            self.sender.send(answer, self.limits.idle).await;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        report::finish(&self.request, &report, &mut answer);
        self.sender.send(answer, self.limits.idle).await;
        Ok(())
    }

    /// Passes messages on as they come, and keeps the report back.
    async fn pass(&self, stdout: Option<ChildStdout>) -> io::Result<Vec<u8>> {
        let mut report = Vec::new();
        let Some(mut stdout) = stdout else {
            return Ok(report);
        };
        // A client that takes no messages, or is gone, does not stop the push.
        let mut listening = self.request.side_band;
        loop {
            let mut digits = [0; pkt_line::LENGTH_DIGITS];
            stdout.read_exact(&mut digits).await?;
            let length = match pkt_line::header(digits).map_err(io::Error::other)? {
                Header::Flush => return Ok(report),
                Header::Data(length) => length,
            };
            let mut packet = digits.to_vec();
            packet.resize(digits.len() + length, 0);
            stdout.read_exact(&mut packet[digits.len()..]).await?;
            if packet.get(digits.len()) == Some(&pkt_line::BAND_DATA) {
                report.extend_from_slice(&packet[digits.len() + 1..]);
                if report.len() > LONGEST_REPORT {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
            } else if listening {
                listening = self.sender.send(packet, self.limits.idle).await;
            }
        }
    }

    /// The refs of the push that are now where it wanted them.
    async fn moved_by_now(&self) -> Vec<String> {
        let call = self.repository.call();
        let call = call.args(["for-each-ref", "--format=%(objectname) %(refname)"]);
        let Ok(output) = call.args(["refs/heads/", "refs/tags/"]).output().await else {
            return Vec::new();
        };
        let output = String::from_utf8_lossy(&output);
        let now: HashMap<&str, &str> = output
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(id, name)| (name, id))
            .collect();
        let updates = self.request.updates.iter();
        updates
            .filter(|update| now.get(update.name.as_str()).copied() == update.new.as_deref())
            .map(|update| update.name.clone())
            .collect()
    }
}
