//! What a server has: everything that its faces share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use shipway_coordinator::{Coordinator, Dispatch, Hosting, Offers, RemoteError};
use shipway_git::hosting::{Repositories, RepositoriesError};
use shipway_store::{
    Durability, KeyFileError, Objects, ObjectsError, Options, SecretKeys, Store, StoreError,
};
use tokio_util::sync::CancellationToken;

use crate::identity::password::Passwords;
use crate::limiter::Limiter;
use crate::oidc::IdTokenKey;
use crate::operations::Metrics;
use crate::settings::Settings;

/// A server's parts; cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    settings: Settings,
    store: Store,
    coordinator: Arc<Coordinator>,
    dispatch: Arc<Dispatch>,
    repositories: Repositories,
    passwords: Passwords,
    id_tokens: Arc<IdTokenKey>,
    limiter: Limiter,
    metrics: Metrics,
    closing: CancellationToken,
}

/// Why a server cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be made.
    #[error("cannot use `{}` as data directory; make it writable or choose another with `--data`", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The repositories.
    #[error(transparent)]
    Repositories(#[from] RepositoriesError),
    /// The pending jobs cannot be read.
    #[error("the jobs that wait for a runner cannot be read")]
    Queue(#[source] shipway_coordinator::Error),
    /// The keys of what is encrypted in the database cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The place of the artifacts is none.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}

/// A file of another host, for `include:remote`; this machine and private networks are not for
/// whoever writes a configuration.
fn fetch(url: &str, bytes: usize, time: Duration) -> Result<String, RemoteError> {
    let limits = shipway_fetch::Limits { bytes, time };
    let text = shipway_fetch::get(url, shipway_fetch::Reach::Public, &limits);
    text.map_err(|error| RemoteError::new(error.to_string()))
}

impl App {
    /// Opens everything that the settings name, making what is missing. Several processes may
    /// have the same data open.
    ///
    /// # Errors
    ///
    /// When a part cannot be used; the error says which and what to do.
    pub async fn open(settings: Settings) -> Result<Self, OpenError> {
        let data = &settings.data;
        let fault = |source| OpenError::Directory {
            path: data.clone(),
            source,
        };
        make_private(data).map_err(fault)?;
        let options = Options {
            durability: Durability::Machine,
            objects: Objects::from_env(&settings.objects)?,
            keys: SecretKeys::load_or_create(&data.join("secrets.key"))?,
        };
        let store = Store::open_url(&settings.database, data, options).await?;
        let repositories = Repositories::open(&data.join("repositories"))?;
        let id_tokens = Arc::new(IdTokenKey::new(store.clone()));
        let hosting = Hosting {
            repositories: repositories.clone(),
            address: settings.external_url.address().clone(),
            offers: Offers::new(settings.templates.clone(), Some(fetch)),
            signer: Arc::<IdTokenKey>::clone(&id_tokens),
        };
        let coordinator = Arc::new(Coordinator::for_server(store.clone(), hosting));
        let dispatch = Dispatch::start(Arc::clone(&coordinator)).await;
        Ok(Self(Arc::new(Parts {
            coordinator,
            dispatch: dispatch.map_err(OpenError::Queue)?,
            store,
            repositories,
            passwords: Passwords::default(),
            id_tokens,
            limiter: Limiter::default(),
            metrics: Metrics::default(),
            closing: CancellationToken::new(),
            settings,
        })))
    }

    /// What the server was told.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Rows, logs and artifacts.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Who decides what happens next.
    pub fn coordinator(&self) -> &Arc<Coordinator> {
        &self.0.coordinator
    }

    /// Who gives pending jobs to runners.
    pub fn dispatch(&self) -> &Arc<Dispatch> {
        &self.0.dispatch
    }

    /// The repositories of all projects, by the projects' numbers.
    pub fn repositories(&self) -> &Repositories {
        &self.0.repositories
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// What ID tokens are signed with.
    pub(crate) fn id_tokens(&self) -> &IdTokenKey {
        &self.0.id_tokens
    }

    /// What may not be tried too often.
    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// The server's own figures.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Cancelled when the server ends. Every answer that goes on for long (a stream of
    /// events, a long poll) ends with it.
    pub fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }
}

/// A directory that others of this machine cannot look into, if it is new.
fn make_private(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
