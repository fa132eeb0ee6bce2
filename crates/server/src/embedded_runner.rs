//! The row of the runner inside of a server.

use std::io::Write;
use std::path::{Path, PathBuf};

use shipway_coordinator::{plain_runner, runner_token};
use shipway_store::{NewRunner, RunnerKind, StoreError};

use crate::app::App;
use crate::identity::token;

/// Where the token is kept, in the data directory.
const FILE: &str = "embedded-runner.token";

/// What the embedded runner is called and which jobs it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmbeddedRunnerWishes {
    /// Its name for people.
    pub description: String,
    /// Its tags, when it is made.
    pub tags: Vec<String>,
}

/// Why the embedded runner has no row.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedRunnerError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runner cannot be made.
    #[error(transparent)]
    Runner(#[from] shipway_coordinator::Error),
    /// The file with its token.
    #[error("cannot use `{}`; make it readable and writable for the server", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// The token of the runner inside of this server. It is made at the first start and found
/// again later, so that what somebody changed about the runner (its tags, that it is paused)
/// stays. One that somebody deleted is made anew.
///
/// # Errors
/// When the store fails or the token's file cannot be used.
pub async fn embedded_runner(
    app: &App,
    wishes: &EmbeddedRunnerWishes,
) -> Result<String, EmbeddedRunnerError> {
    let path = app.settings().data.join(FILE);
    let fault = |source| EmbeddedRunnerError::File {
        path: path.clone(),
        source,
    };
    match std::fs::read_to_string(&path) {
        Ok(token) => {
            let digest = token::digest(token.trim());
            if app.store().runner_by_digest(&digest).await?.is_some() {
                return Ok(token.trim().to_owned());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(fault(error)),
    }
    let token = runner_token()?;
    // First the file: a row whose token nobody knows would stay for ever.
    write_private(&path, &token).map_err(fault)?;
    let new = NewRunner {
        description: wishes.description.clone(),
        tags: serde_json::to_string(&wishes.tags).unwrap_or_default(),
        ..plain_runner(RunnerKind::Instance, None)
    };
    app.coordinator().make_runner(new, &token).await?;
    Ok(token)
}

/// Writes a file that only the server's user can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let new = path.with_extension("new");
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}
