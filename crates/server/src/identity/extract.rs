//! [`Identity`] as an argument of handlers.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use shipway_pipeline::Status;
use shipway_store::{AccessTokenRow, SessionRow, UserRow, UserState};

use super::credential::{Credential, credential};
use super::csrf::{self, Checked};
use super::{Identity, Proof, RunningJob, Scope, Scopes, Who, session, token};
use crate::app::App;
use crate::clock::{SECOND, now};
use crate::error::ApiError;

/// The use of a token is noted this often.
const USE_NOTED: i64 = 600 * SECOND;

/// As [`Identity`], for routes that a running job may use too.
#[derive(Debug, Clone)]
pub struct OrJob(pub Identity);

/// As [`Identity`], for routes with a rule of their own about the scopes of tokens, which they
/// must ask by [`Identity::require_scope`].
#[derive(Debug, Clone)]
pub struct AnyScope(pub Identity);

/// For routes of people and programs: a token needs the scope `api`, to read `read_api` does.
impl FromRequestParts<App> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = identify(app, parts).await?;
        if identity.job().is_some() {
            return Err(ApiError::unauthorized());
        }
        require_api(&identity, parts)?;
        Ok(identity)
    }
}

impl FromRequestParts<App> for OrJob {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = identify(app, parts).await?;
        require_api(&identity, parts)?;
        Ok(Self(identity))
    }
}

impl FromRequestParts<App> for AnyScope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let identity = identify(app, parts).await?;
        if identity.job().is_some() {
            return Err(ApiError::unauthorized());
        }
        Ok(Self(identity))
    }
}

fn require_api(identity: &Identity, parts: &Parts) -> Result<(), ApiError> {
    match csrf::is_safe(&parts.method) {
        true => identity.require_scope(&[Scope::Api, Scope::ReadApi]),
        false => identity.require_scope(&[Scope::Api]),
    }
}

async fn identify(app: &App, parts: &Parts) -> Result<Identity, ApiError> {
    match credential(&parts.headers, parts.uri.query()) {
        None => Ok(Identity::anonymous()),
        Some(Credential::Session(secret)) => by_session(app, parts, &secret).await,
        Some(Credential::Token { secret, bearer }) => match by_token(app, &secret).await? {
            Some(identity) => Ok(identity),
            None if bearer => required(by_job_token(app, &secret).await?),
            None => Err(ApiError::unauthorized()),
        },
        Some(Credential::JobToken(secret)) => required(by_job_token(app, &secret).await?),
    }
}

fn required(identity: Option<Identity>) -> Result<Identity, ApiError> {
    identity.ok_or_else(ApiError::unauthorized)
}

/// A cookie that is no longer valid is nobody's fault: whoever has it is anonymous.
async fn by_session(app: &App, parts: &Parts, secret: &str) -> Result<Identity, ApiError> {
    let session = match parts.extensions.get::<Checked>() {
        Some(Checked(session)) => Some(session.clone()),
        // What the guard has not let pass changes nothing.
        None if !csrf::is_safe(&parts.method) => None,
        None => session::session(app, secret).await?,
    };
    match session {
        Some(session) => session_identity(app, session).await,
        None => Ok(Identity::anonymous()),
    }
}

async fn session_identity(app: &App, session: SessionRow) -> Result<Identity, ApiError> {
    let user = app.store().user(session.user_id).await?;
    Ok(match user {
        Some(user) if user.state == UserState::Active => Identity {
            who: Who::User(user),
            proof: Proof::Session(session),
        },
        _ => Identity::anonymous(),
    })
}

/// The identity of a personal access token; none when there is no such valid token.
pub(super) async fn by_token(app: &App, secret: &str) -> Result<Option<Identity>, ApiError> {
    let digest = token::digest(secret);
    let Some(row) = app.store().access_token_by_digest(&digest).await? else {
        return Ok(None);
    };
    let now = now();
    if row.revoked || row.expires_at.is_some_and(|end| end <= now) {
        return Ok(None);
    }
    let Some(user) = app.store().user(row.user_id).await? else {
        return Ok(None);
    };
    must_be_active(&user)?;
    note_use(app, &row, now).await;
    let scopes = Scopes::from_column(&row.scopes);
    Ok(Some(Identity {
        who: Who::User(user),
        proof: Proof::Token(row, scopes),
    }))
}

pub(super) fn must_be_active(user: &UserRow) -> Result<(), ApiError> {
    match user.state {
        UserState::Active => Ok(()),
        UserState::Blocked => Err(ApiError::forbidden_because(
            "Your account has been blocked.",
        )),
    }
}

/// For people who look at their tokens; not worth a refusal.
async fn note_use(app: &App, row: &AccessTokenRow, now: i64) {
    if row.last_used_at.is_some_and(|last| now - last < USE_NOTED) {
        return;
    }
    let noted = async {
        let mut transaction = app.store().begin().await?;
        transaction.access_token_used(row.id, now).await?;
        transaction.commit().await
    };
    if let Err(error) = noted.await {
        tracing::debug!(%error, "the use of a token was not noted");
    }
}

/// The identity of a job's token; it is valid while the job runs.
pub(super) async fn by_job_token(app: &App, secret: &str) -> Result<Option<Identity>, ApiError> {
    let job = app.store().job_by_token(&token::digest(secret)).await?;
    let Some(job) = job.filter(|job| matches!(job.status, Status::Running | Status::Canceling))
    else {
        return Ok(None);
    };
    let user = app.coordinator().user_of_job(&job).await?;
    if let Some(user) = &user {
        must_be_active(user)?;
    }
    Ok(Some(Identity {
        who: Who::Job(Box::new(RunningJob { job, user })),
        proof: Proof::JobToken,
    }))
}
