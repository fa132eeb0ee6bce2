//! One stage in the job's container: its script goes in, its output comes out, and it ends.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{AttachContainerOptionsBuilder, StartContainerOptions};
use futures_util::StreamExt;
use tokio::io::AsyncWriteExt;

use super::engine::{DockerError, ask_to_end, kill, wait_for_exit};
use super::images::words;
use super::{CLEANUP_TIMEOUT, Container, DockerExecutor};
use crate::control::{Control, Request};
use crate::executor::{StageEnd, StageRequest};
use crate::log::Output;

/// For asking the processes in a container to end.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(10);
/// For output that is still on its way when the container has ended.
const LAST_READ: Duration = Duration::from_secs(10);

impl DockerExecutor<'_> {
    /// Runs the container once with this script; whatever happens, it is not running after.
    pub(super) async fn run_once(
        &self,
        container: &Container,
        script: &str,
        request: &StageRequest<'_>,
        output: &mut Output,
        control: &mut Control,
    ) -> Result<StageEnd, DockerError> {
        let engine = self.engine()?;
        let start_error = |error| DockerError::Start {
            image: self.image.name.clone(),
            reason: words(error),
        };
        let attach = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = engine
            .attach_container(&container.id, Some(attach))
            .await
            .map_err(start_error)?;
        engine
            .start_container(&container.id, None::<StartContainerOptions>)
            .await
            .map_err(start_error)?;
        let (mut input, mut stream) = (attached.input, attached.output);
        let feed = async {
            // A shell that ends early stops reading; its exit code tells the rest.
            let mut is_fed = input.write_all(script.as_bytes()).await;
            if let Some(shell) = request.failure_shell {
                while is_fed.is_ok()
                    && let Some(line) = shell.line().await
                {
                    is_fed = input.write_all(format!("{line}\n").as_bytes()).await;
                }
            }
            if is_fed.is_ok() {
                let _ = input.shutdown().await;
            }
        };
        let copy = async {
            while let Some(Ok(item)) = stream.next().await {
                let bytes = item.into_bytes();
                if let Some(shell) = request.failure_shell {
                    shell.see(&bytes);
                }
                output.write(&bytes).await;
            }
        };
        let exchange = async {
            if request.failure_shell.is_some() {
                // Nobody may type anything more.
                tokio::select! {
                    () = copy => {}
                    never = async { feed.await; std::future::pending().await } => never,
                }
            } else {
                tokio::join!(feed, copy);
            }
        };
        tokio::pin!(exchange);
        let mut all_read = false;
        let end = {
            let supervise = self.supervise(engine, &container.id, request, control);
            tokio::pin!(supervise);
            loop {
                tokio::select! {
                    end = &mut supervise => break end,
                    _ = &mut exchange, if !all_read => all_read = true,
                }
            }
        };
        if !all_read {
            let _ = tokio::time::timeout(LAST_READ, exchange).await;
        }
        end
    }

    /// Waits for the container's end, or stops it by the ladder: SIGTERM to all in it,
    /// grace, SIGKILL.
    async fn supervise(
        &self,
        engine: &Docker,
        id: &str,
        request: &StageRequest<'_>,
        control: &mut Control,
    ) -> Result<StageEnd, DockerError> {
        let exit = wait_for_exit(engine, id);
        tokio::pin!(exit);
        let mut end = tokio::select! {
            biased;
            code = &mut exit => return Ok(StageEnd::Exited(code?)),
            () = control.reached(request.stop_on) => StageEnd::Canceled,
            () = tokio::time::sleep_until(request.deadline) => StageEnd::TimedOut,
        };
        if control.requested() < Request::Abort {
            let graceful = async {
                let asked = tokio::time::timeout(SIGNAL_TIMEOUT, ask_to_end(engine, id));
                // Whatever does not hear it gets SIGKILL after the grace period.
                let _ = asked.await;
                tokio::time::timeout(self.config.kill_grace, &mut exit).await
            };
            tokio::select! {
                biased;
                ended = graceful => if let Ok(code) = ended {
                    code?;
                    return Ok(end);
                },
                () = control.reached(Request::Abort) => end = StageEnd::Aborted,
            }
        } else {
            end = StageEnd::Aborted;
        }
        kill(engine, id, "SIGKILL").await;
        match tokio::time::timeout(CLEANUP_TIMEOUT, exit).await {
            Ok(code) => code.map(|_| end),
            Err(_) => Err(DockerError::Lost {
                reason: "it does not end after SIGKILL".to_owned(),
            }),
        }
    }
}
