//! How soon one of many waiting runners has a job that becomes pending.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::Options;
use crate::figures::share;
use crate::runner::{Runner, Taken};
use crate::server::{self, Server};

/// Waiting runners are all waiting again by then.
const PAUSE: Duration = Duration::from_millis(20);

/// Milliseconds, one figure of each repetition.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    pub(crate) half: Vec<f64>,
    pub(crate) most: Vec<f64>,
    /// From the start of the push of a pipeline until its first job is out.
    pub(crate) pushed: Vec<f64>,
}

/// Jobs in a chain of needs: the success of one makes the next pending.
pub(crate) async fn measure(server: &Server, tokens: &[String], options: &Options) -> Waits {
    let (sender, mut taken) = mpsc::unbounded_channel();
    let mut waiting = Vec::new();
    for token in tokens {
        waiting.push(wait(
            Runner::new(server.address(), token).await,
            sender.clone(),
        ));
    }
    let mut reporter = Runner::new(server.address(), &tokens[0]).await;
    server.until_waiting(tokens.len()).await;
    let chain = server::chain(options.hand_outs + 1);
    let mut waits = Waits::default();
    for _ in 0..options.repeat {
        let start = Instant::now();
        server.push(&chain).await;
        let (mut job, at): (Taken, Instant) = taken.recv().await.expect("a job");
        waits.pushed.push(milliseconds(at - start));
        let mut all = Vec::new();
        for _ in 0..options.hand_outs {
            tokio::time::sleep(PAUSE).await;
            let start = Instant::now();
            reporter.succeed(&job).await;
            let (next, at) = taken.recv().await.expect("a job");
            all.push(milliseconds(at.saturating_duration_since(start)));
            job = next;
        }
        reporter.succeed(&job).await;
        waits.half.push(share(&mut all, 50));
        waits.most.push(share(&mut all, 99));
    }
    for task in waiting {
        task.abort();
    }
    waits
}

/// Asks for ever, and says when it has got a job.
fn wait(mut runner: Runner, taken: mpsc::UnboundedSender<(Taken, Instant)>) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            if let Some(job) = runner.ask(true).await {
                taken.send((job, Instant::now())).ok();
            }
        }
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
