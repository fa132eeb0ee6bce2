//! The row of the runner inside of a server.

use shipway_store::{NewRunner, Page, RunnerKind, StoreError};

use crate::app::App;
use crate::clock;
use crate::identity::token;

/// What the tokens of runners that were created here begin with, as GitLab's do.
const RUNNER_TOKEN: &str = "glrt-";

/// Characters of a token that people may see.
const SHOWN: usize = 9;

/// Makes sure that there is a runner of the instance with this description, gives it a new
/// token and returns that: a server that restarts takes up the runner that it had, and what
/// somebody changed about it (its tags, that it is paused) stays.
///
/// # Errors
/// When the store fails.
pub async fn embedded_runner(app: &App, description: &str) -> Result<String, StoreError> {
    let token = token::new(RUNNER_TOKEN);
    let runners = app
        .store()
        .runners(Some(RunnerKind::Instance), None, Page::first(i64::MAX))
        .await?;
    let mut transaction = app.store().begin().await?;
    let (digest, prefix) = (token::digest(&token), token[..SHOWN].to_owned());
    match (runners.rows.into_iter()).find(|runner| runner.description == description) {
        Some(mut runner) => {
            runner.token_digest = digest;
            runner.token_prefix = prefix;
            transaction.update_runner(&runner).await?;
        }
        None => {
            let new = NewRunner {
                token_digest: digest,
                token_prefix: prefix,
                token_expires_at: None,
                kind: RunnerKind::Instance,
                owner_id: None,
                description: description.to_owned(),
                maintenance_note: None,
                tags: "[]".to_owned(),
                run_untagged: true,
                locked: false,
                protected_only: false,
                paused: false,
                maximum_timeout: None,
                version: None,
                revision: None,
                platform: None,
                architecture: None,
                executor: None,
                ip: None,
                contacted_at: None,
                created_at: clock::now(),
            };
            transaction.insert_runner(&new).await?;
        }
    }
    transaction.commit().await?;
    Ok(token)
}
