//! `shipway serve`: the process of a server, from its settings to its last request.

use shipway_server::{
    App, Credentials, EmbeddedRunnerWishes, RootWishes, Settings, embedded_runner, first_start,
    users,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Fault;
use crate::output;
use crate::serve_args::{LogFormat, ServeArgs};
use crate::serving::{DEMO_TAGS, Embedded, choose_executor, push_examples};

/// Runs the command.
pub(crate) fn serve(args: &ServeArgs) -> Result<u8, Fault> {
    let settings = args.settings()?;
    start_logging(args.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Fault::other)?;
    runtime.block_on(run(settings))
}

async fn run(mut settings: Settings) -> Result<u8, Fault> {
    let executor = choose_executor(settings.runner).await?;
    let listener = TcpListener::bind(settings.listen).await.map_err(|cause| {
        Fault::usage_text(format!("cannot listen at {}: {cause}", settings.listen))
            .hint("choose another address with --listen, for instance 127.0.0.1:8081")
    })?;
    let listening = listener.local_addr().map_err(Fault::other)?;
    settings.listens_at(listening);
    let app = App::open(settings).await.map_err(Fault::usage)?;
    let wishes = RootWishes {
        password: environment("SHIPWAY_ROOT_PASSWORD"),
        token: environment("SHIPWAY_ROOT_TOKEN"),
    };
    let credentials = first_start(&app, &wishes).await.map_err(Fault::usage)?;
    let is_first = credentials.is_some();
    let loopback = app.settings().loopback_url(listening);
    let embedded = match executor {
        Some(executor) => Some(start_runner(&app, executor, &loopback).await?),
        None => None,
    };
    announce(&app, executor, credentials.as_ref())?;
    if is_first && app.settings().demo {
        tokio::spawn(demo(app.clone(), loopback));
    }
    let shutdown = asked_to_end().map_err(Fault::other)?;
    let (server_may_end, may_end) = tokio::sync::oneshot::channel::<()>();
    // The runner ends its jobs while there is still a server to tell.
    tokio::spawn(async move {
        shutdown.await;
        tracing::info!("ending");
        if let Some(embedded) = embedded {
            embedded.stop().await;
        }
        server_may_end.send(()).ok();
    });
    let until = async {
        may_end.await.ok();
    };
    shipway_server::serve(app.clone(), listener, until)
        .await
        .map_err(Fault::other)?;
    app.store().close().await;
    tracing::info!("ended");
    Ok(0)
}

async fn start_runner(app: &App, executor: &str, url: &str) -> Result<Embedded, Fault> {
    let wishes = EmbeddedRunnerWishes {
        description: "embedded runner".to_owned(),
        tags: match app.settings().demo {
            true => DEMO_TAGS.map(str::to_owned).to_vec(),
            false => Vec::new(),
        },
    };
    let token = embedded_runner(app, &wishes).await.map_err(Fault::usage)?;
    let directory = app.settings().data.join("runner");
    Embedded::start(executor, url, &token, &directory)
}

/// Pushes the examples; a failure is no reason to end the server.
async fn demo(app: App, url: String) {
    let done = async {
        let root = app.store().user_by_username("root").await;
        let root = root.map_err(Fault::other)?;
        let root = root.ok_or_else(|| Fault::usage_text("there is no user root"))?;
        let new = users::NewToken {
            name: "demo".to_owned(),
            scopes: shipway_server::identity::Scopes::of([
                shipway_server::identity::Scope::WriteRepository,
            ]),
            expires_at: None,
            secret: None,
        };
        let (row, secret) = users::create_token(&app, root.id, &new)
            .await
            .map_err(Fault::other)?;
        let pushed = push_examples(&url, &secret).await;
        let mut transaction = app.store().begin().await.map_err(Fault::other)?;
        transaction
            .revoke_access_token(row.id)
            .await
            .map_err(Fault::other)?;
        transaction.commit().await.map_err(Fault::other)?;
        pushed
    };
    match done.await {
        Ok(()) => tracing::info!("the examples are pushed"),
        Err(fault) => tracing::error!(reason = fault.message, "the examples are missing"),
    }
}

/// Says where the server is, and at the first start how to sign in.
fn announce(
    app: &App,
    executor: Option<&str>,
    credentials: Option<&Credentials>,
) -> Result<(), Fault> {
    let settings = app.settings();
    output::print(|out| {
        writeln!(out, "Shipway serves {}", settings.external_url)?;
        writeln!(out, "  data    {}", settings.data.display())?;
        match executor {
            Some(executor) => writeln!(out, "  runner  embedded, {executor}")?,
            None => writeln!(
                out,
                "  runner  none here; `shipway runner register` adds one"
            )?,
        }
        if let Some(credentials) = credentials {
            writeln!(out, "\nFirst start. Sign in as {}", credentials.username)?;
            if let Some(password) = &credentials.password {
                writeln!(out, "  password  {password}")?;
            }
            if let Some(token) = &credentials.token {
                writeln!(out, "  token     {token}")?;
            }
            writeln!(out, "This is not shown again.")?;
        }
        out.flush()
    })
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Resolves at the first SIGINT or SIGTERM; a second one ends the process.
fn asked_to_end() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            std::process::exit(130);
        });
    })
}

/// Events on standard error, as `SHIPWAY_LOG` asks for.
fn start_logging(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_env_var("SHIPWAY_LOG")
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_ansi(output::color_on_stderr()).init(),
    }
}
