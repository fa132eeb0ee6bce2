//! A server's life: from its first connection to its last.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::app::App;
use crate::router::router;
use crate::{operations, reconcile};

/// How long requests may take to end after the server was asked to stop.
pub const DRAIN: Duration = Duration::from_secs(30);

/// Answers requests until `shutdown` resolves; then takes no more connections, ends streams
/// through [`App::closing`] and gives the other requests [`DRAIN`] to end.
///
/// # Errors
///
/// When the listener fails.
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    reconcile::sweep(&app).await;
    reconcile::catch_up(&app).await;
    let rounds = tokio::spawn(reconcile::run(app.clone()));
    let notices = app.coordinator().subscribe();
    let figures = tokio::spawn(operations::follow(app.clone(), notices));
    let served = answer(app, listener, shutdown).await;
    rounds.abort();
    figures.abort();
    served
}

async fn answer(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let closing = app.closing().clone();
    let coordinator = app.coordinator().clone();
    let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
    let asked = {
        let closing = closing.clone();
        async move {
            shutdown.await;
            coordinator.stop_handing_out();
            closing.cancel();
        }
    };
    let serving = axum::serve(listener, service)
        .with_graceful_shutdown(asked)
        .into_future();
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = closing.cancelled() => {}
    }
    match tokio::time::timeout(DRAIN, serving).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::warn!(seconds = DRAIN.as_secs(), "requests were still under way");
            Ok(())
        }
    }
}
