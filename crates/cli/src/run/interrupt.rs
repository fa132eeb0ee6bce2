//! Ctrl-C and its relatives: the first asks the jobs to stop, the second makes them.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::error::Fault;

/// Begins to listen for SIGINT, SIGTERM and SIGHUP; each arrives as one message.
pub(super) fn listen() -> Result<mpsc::UnboundedReceiver<()>, Fault> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signals = signal(kind).map_err(Fault::other)?;
        let sender = sender.clone();
        tokio::spawn(
            async move { while signals.recv().await.is_some() && sender.send(()).is_ok() {} },
        );
    }
    Ok(receiver)
}
