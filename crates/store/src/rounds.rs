//! One act for all who asked for it before it began.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// An act that is worth as much to a hundred as to one: a wait for the disk.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    asked: AtomicU64,
    /// How many of those who asked are served.
    served: Mutex<u64>,
}

impl Rounds {
    /// Returns when `act` has been done that began after this call, by this caller or another.
    ///
    /// # Errors
    /// That of this caller's own `act`. One that fails serves nobody: the next who waits tries
    /// it again.
    pub(crate) async fn share<E>(&self, act: impl AsyncFnOnce() -> Result<(), E>) -> Result<(), E> {
        let ticket = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = self.served.lock().await;
        if *served >= ticket {
            return Ok(());
        }
        let asked = self.asked.load(Ordering::SeqCst);
        act().await?;
        *served = asked;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn those_who_come_while_it_is_done_share_the_next() {
        let rounds = Arc::new(Rounds::default());
        let acts = Arc::new(AtomicU64::new(0));
        // On one thread all ask before the first is served.
        let asking: Vec<_> = (0..100)
            .map(|_| {
                let (rounds, acts) = (Arc::clone(&rounds), Arc::clone(&acts));
                tokio::spawn(async move {
                    let act = async || {
                        tokio::task::yield_now().await;
                        acts.fetch_add(1, Ordering::SeqCst);
                        Ok::<(), ()>(())
                    };
                    rounds.share(act).await
                })
            })
            .collect();
        for asked in asking {
            asked.await.unwrap().unwrap();
        }
        let acts = acts.load(Ordering::SeqCst);
        assert!((1..=2).contains(&acts), "{acts}");
    }

    #[tokio::test]
    async fn one_that_fails_serves_nobody() {
        let rounds = Rounds::default();
        rounds.share(async || Err::<(), ()>(())).await.unwrap_err();
        rounds.share(async || Err::<(), ()>(())).await.unwrap_err();
        rounds.share(async || Ok::<(), ()>(())).await.unwrap();
    }
}
