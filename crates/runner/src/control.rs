//! The cancellation ladder: run, then cancel with grace, then abort; it only escalates.

use tokio::sync::watch;

/// How urgently a job is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Request {
    /// Go on.
    Run,
    /// Stop gracefully: the script gets SIGTERM and a grace period, `after_script` runs.
    Cancel,
    /// Stop now: SIGKILL, no `after_script`; clean-up still runs.
    Abort,
}

/// The asking side of a job's cancellation.
#[derive(Debug, Clone)]
pub struct Canceller(watch::Sender<Request>);

/// The listening side, handed to the job.
///
/// A job whose `Canceller` is dropped can no longer be cancelled; it runs to its end.
#[derive(Debug, Clone)]
pub struct Control(watch::Receiver<Request>);

/// A connected pair.
pub fn control() -> (Canceller, Control) {
    let (sender, receiver) = watch::channel(Request::Run);
    (Canceller(sender), Control(receiver))
}

impl Canceller {
    /// Asks the job to stop gracefully; without effect after [`Canceller::abort`].
    pub fn cancel(&self) {
        self.escalate(Request::Cancel);
    }

    /// Asks the job to stop now.
    pub fn abort(&self) {
        self.escalate(Request::Abort);
    }

    /// Raises the request; a lower one than before changes nothing.
    pub(crate) fn escalate(&self, request: Request) {
        self.0.send_if_modified(|current| {
            let higher = request > *current;
            if higher {
                *current = request;
            }
            higher
        });
    }
}

impl Control {
    /// What is asked for now.
    pub fn requested(&self) -> Request {
        *self.0.borrow()
    }

    /// Waits until at least `level` is asked for; for ever when nobody can ask any more.
    pub async fn reached(&mut self, level: Request) {
        if self.0.wait_for(|request| *request >= level).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_only_escalates() {
        let (canceller, mut control) = control();
        assert_eq!(control.requested(), Request::Run);
        canceller.abort();
        canceller.cancel();
        assert_eq!(control.requested(), Request::Abort);
        control.reached(Request::Cancel).await;
        control.reached(Request::Abort).await;
    }

    #[tokio::test]
    async fn waiting_never_ends_without_a_request() {
        let (canceller, mut control) = control();
        drop(canceller);
        let waited = tokio::time::timeout(
            std::time::Duration::from_millis(20),
            control.reached(Request::Cancel),
        );
        assert!(waited.await.is_err());
    }
}
