//! Who asks, and how that is proved.
//!
//! Handlers take [`Identity`]. It is read from what the request brings, in GitLab's order:
//! `PRIVATE-TOKEN`, `Authorization: Bearer`, `?private_token=`, `JOB-TOKEN`, `?job_token=`, the
//! cookie of a session. What is brought and not valid is 401, also where nobody need be known.

mod basic;
mod credential;
pub(crate) mod csrf;
mod extract;
pub(crate) mod password;
mod scopes;
mod session;
pub(crate) mod sign_in;
pub mod token;

pub(crate) use basic::basic_identity;
pub(crate) use credential::{is_text, pairs};
pub use extract::{AnyScope, OrJob};
pub use scopes::{Scope, Scopes};
pub(crate) use session::{end_session, ended_cookie};

use shipway_store::{AccessTokenRow, JobRow, SessionRow, UserRow};

use crate::error::ApiError;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Identity {
    who: Who,
    proof: Proof,
}

/// Somebody, something or nobody.
#[derive(Debug, Clone)]
pub enum Who {
    /// Nobody is signed in.
    Anonymous,
    /// A user.
    User(UserRow),
    /// A running job, on behalf of the user who started its pipeline.
    Job(Box<RunningJob>),
}

/// A job that showed its token.
#[derive(Debug, Clone)]
pub struct RunningJob {
    /// The job.
    pub job: JobRow,
    /// Who started its pipeline, unless deleted since.
    pub user: Option<UserRow>,
}

/// By what somebody is known.
#[derive(Debug, Clone)]
enum Proof {
    Nothing,
    Session(SessionRow),
    Token(AccessTokenRow, Scopes),
    Password,
    JobToken,
}

impl Identity {
    /// Nobody.
    pub(crate) fn anonymous() -> Self {
        Self {
            who: Who::Anonymous,
            proof: Proof::Nothing,
        }
    }

    /// Who it is.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The user, if it is one. A job's user is not: a job may less.
    pub fn user(&self) -> Option<&UserRow> {
        match &self.who {
            Who::User(user) => Some(user),
            Who::Anonymous | Who::Job(_) => None,
        }
    }

    /// The user.
    ///
    /// # Errors
    ///
    /// 401 where nobody is signed in.
    pub fn signed_in(&self) -> Result<&UserRow, ApiError> {
        self.user().ok_or_else(ApiError::unauthorized)
    }

    /// The user, who is an administrator.
    ///
    /// # Errors
    ///
    /// 401 where nobody is signed in, 403 for anybody else.
    pub fn administrator(&self) -> Result<&UserRow, ApiError> {
        let user = self.signed_in()?;
        match user.admin {
            true => Ok(user),
            false => Err(ApiError::forbidden()),
        }
    }

    /// Whether nobody is signed in.
    pub fn is_anonymous(&self) -> bool {
        matches!(self.who, Who::Anonymous)
    }

    /// The job whose token it is.
    pub fn job(&self) -> Option<&RunningJob> {
        match &self.who {
            Who::Job(job) => Some(job),
            Who::Anonymous | Who::User(_) => None,
        }
    }

    /// What forms of this session must send along as `authenticity_token`.
    pub fn csrf_token(&self) -> Option<&str> {
        match &self.proof {
            Proof::Session(session) => Some(&session.csrf),
            _ => None,
        }
    }

    /// The personal access token that was shown.
    pub fn access_token(&self) -> Option<&AccessTokenRow> {
        match &self.proof {
            Proof::Token(row, _) => Some(row),
            _ => None,
        }
    }

    /// That a token, if that is the proof, has at least one of these scopes. What is proved
    /// otherwise is not limited.
    ///
    /// # Errors
    ///
    /// 403 that names the scope.
    pub fn require_scope(&self, any_of: &[Scope]) -> Result<(), ApiError> {
        match &self.proof {
            Proof::Token(_, scopes) if !scopes.has_any(any_of) => {
                let names: Vec<&str> = any_of.iter().map(|scope| scope.as_str()).collect();
                Err(ApiError::insufficient_scope(&names.join(" ")))
            }
            _ => Ok(()),
        }
    }
}
