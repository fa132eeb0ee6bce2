//! `shipway runner run`: the process, its log and its signals.

use std::path::Path;

use shipway_runner::remote::{Settings, Shutdown};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{load, surroundings};
use crate::error::Fault;
use crate::output;
use crate::runner_args::RunnerRunArgs;

/// The exit code after a second signal.
const KILLED: i32 = 130;

pub(super) fn run(args: &RunnerRunArgs, path: &Path) -> Result<u8, Fault> {
    let (_, settings) = load(path)?;
    if settings.runners.is_empty() {
        return Err(
            Fault::usage_text(format!("there is no runner in {}", path.display()))
                .hint("add one with `shipway runner register`"),
        );
    }
    start_logging(&settings);
    for key in settings.unknown_keys() {
        tracing::warn!(key, "this setting is not acted on");
    }
    let surroundings = surroundings(path, &args.working_directory)?;
    let manager = settings.manager(&surroundings).map_err(Fault::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Fault::other)?;
    runtime.block_on(async {
        let signals = Signals::listen().map_err(Fault::other)?;
        let (asked, shutdown) = watch::channel(Shutdown::None);
        let listener = tokio::spawn(signals.pass_on(asked));
        tracing::info!(
            config = %path.display(),
            runners = manager.runners.len(),
            concurrent = manager.concurrent,
            "started"
        );
        manager.run(shutdown).await;
        listener.abort();
        tracing::info!("ended");
        Ok(0)
    })
}

/// One line per event on standard error, as the configuration or `SHIPWAY_LOG` asks for.
fn start_logging(settings: &Settings) {
    let level = settings.log_level.as_deref().unwrap_or("info");
    let level = level.parse().unwrap_or(tracing::Level::INFO);
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_env_var("SHIPWAY_LOG")
        .with_default_directive(level.into())
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match settings.log_format.as_deref() {
        Some("json") => builder.json().init(),
        _ => builder.with_ansi(output::color_on_stderr()).init(),
    }
}

struct Signals {
    finish: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            finish: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// SIGQUIT lets jobs end, SIGTERM and SIGINT end them; after these a second signal of
    /// any kind ends the process.
    async fn pass_on(mut self, asked: watch::Sender<Shutdown>) {
        loop {
            let wanted = tokio::select! {
                _ = self.finish.recv() => Shutdown::Finish,
                _ = self.terminate.recv() => Shutdown::Stop,
                _ = self.interrupt.recv() => Shutdown::Stop,
            };
            let before = *asked.borrow();
            if before == Shutdown::Stop || before == wanted {
                tracing::warn!("ended by a second signal; jobs are not reported");
                std::process::exit(KILLED);
            }
            tracing::info!(?wanted, "signal");
            asked.send_replace(wanted);
        }
    }
}
