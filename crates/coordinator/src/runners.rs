//! Runners of a server: how they come, what they say of themselves, and their tokens.

use shipway_protocol::{RegisterRequest, RunnerDetails};
use shipway_store::{
    Level, NewRunner, ProjectId, RunnerId, RunnerKind, RunnerManagerRow, RunnerRow,
};

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::job_token;

/// What the token of a runner begins with that somebody created here, as GitLab's do; the token
/// of one that registered itself has nothing in front.
const CREATED: &str = "glrt-";

/// Characters of a token that people may see, its beginning aside.
const SHOWN: usize = 8;

/// What a call without `system_id` is attributed to, as on GitLab.
const NO_SYSTEM: &str = "<legacy>";

/// Bytes of a maintenance note (runner protocol, A.3).
const NOTE_LIMIT: usize = 1024;

/// The least that a runner's maximum timeout may be, in seconds.
const LEAST_TIMEOUT: i64 = 600;

/// Why a runner is not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// Nobody's registration token.
    #[error("the registration token is not valid")]
    Token,
    /// A value is not allowed.
    #[error("{field} {reason}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong with it, as GitLab puts it.
        reason: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// One call of a runner.
#[derive(Debug, Clone, Copy)]
pub struct RunnerCall<'a> {
    /// Which of its machines; may be empty.
    pub system_id: &'a str,
    /// What it says of itself.
    pub info: &'a RunnerDetails,
    /// Where it called from.
    pub ip: Option<&'a str>,
}

impl RunnerCall<'_> {
    /// The machine's name.
    pub fn system(&self) -> &str {
        match self.system_id {
            "" => NO_SYSTEM,
            system => system,
        }
    }
}

impl Coordinator {
    /// The runner of an authentication token that is still good.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn runner_with_token(&self, token: &str) -> Result<Option<RunnerRow>, Error> {
        let digest = job_token::digest(token);
        let row = self.store.runner_by_digest(&digest).await?;
        Ok(row.filter(|row| row.token_expires_at.is_none_or(|at| at > now())))
    }

    /// Notes a call of one of a runner's machines. What it can do is written at once; that it
    /// called, once a minute.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn runner_called(
        &self,
        runner: &RunnerRow,
        call: &RunnerCall<'_>,
    ) -> Result<(), Error> {
        let now = now();
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let row = RunnerManagerRow {
            runner_id: runner.id,
            system_id: call.system().to_owned(),
            version: text(&call.info.version),
            revision: text(&call.info.revision),
            platform: text(&call.info.platform),
            architecture: text(&call.info.architecture),
            executor: text(&call.info.executor),
            ip: call.ip.map(str::to_owned),
            features: serde_json::to_string(&call.info.features).unwrap_or_default(),
            created_at: now,
            contacted_at: now,
        };
        if self.contacts.cover(&row) {
            return Ok(());
        }
        let stored = self.store.runner_manager(runner.id, call.system()).await?;
        if stored.is_some_and(|stored| self.contacts.cover_stored(&stored, &row)) {
            return Ok(());
        }
        let mut transaction = self.store.begin().await?;
        transaction.runner_contact(&row).await?;
        transaction.commit().await?;
        self.contacts.note(&row);
        Ok(())
    }

    /// Makes a runner of whoever has a registration token, and returns its own token.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub async fn register_runner(
        &self,
        request: &RegisterRequest,
        ip: Option<&str>,
    ) -> Result<(RunnerRow, String), RegistrationError> {
        let digest = job_token::digest(&request.token);
        let found = self.store.registration_token_by_digest(&digest).await;
        let level = found
            .map_err(Error::from)?
            .ok_or(RegistrationError::Token)?;
        let new = checked(request)?;
        let (kind, owner_id) = match level.level {
            Level::Instance => (RunnerKind::Instance, None),
            Level::Group => (RunnerKind::Group, Some(level.level_id)),
            Level::Project => (RunnerKind::Project, Some(level.level_id)),
        };
        let new = NewRunner {
            kind,
            owner_id,
            ip: ip.map(str::to_owned),
            ..new
        };
        let token = job_token::random("")?;
        Ok((self.make_runner(new, &token).await?, token))
    }

    /// Stores a runner under a token that nobody else has, [`runner_token`]; one of a project
    /// is assigned to it. The only place where runners are made.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn make_runner(&self, new: NewRunner, token: &str) -> Result<RunnerRow, Error> {
        let new = NewRunner {
            token_digest: job_token::digest(token),
            token_prefix: shown(token),
            ..new
        };
        let mut transaction = self.store.begin().await?;
        let row = transaction.insert_runner(&new).await?;
        if let (RunnerKind::Project, Some(project)) = (row.kind, row.owner_id) {
            transaction
                .assign_runner(row.id, ProjectId(project))
                .await?;
        }
        transaction.commit().await?;
        Ok(row)
    }

    /// Gives a runner another token; the old one is worthless at once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reset_runner_token(&self, runner: &RunnerRow) -> Result<String, Error> {
        // The beginning tells runners how the token came about, so it stays.
        let prefix = match runner.token_prefix.starts_with(CREATED) {
            true => CREATED,
            false => "",
        };
        let token = job_token::random(prefix)?;
        let mut transaction = self.store.begin().await?;
        let mut row = transaction.runner(runner.id).await?;
        row.token_digest = job_token::digest(&token);
        row.token_prefix = shown(&token);
        transaction.update_runner(&row).await?;
        transaction.commit().await?;
        Ok(token)
    }

    /// Forgets a runner.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_runner(&self, runner: RunnerId) -> Result<(), Error> {
        let mut transaction = self.store.begin().await?;
        transaction.delete_runner(runner).await?;
        transaction.commit().await?;
        self.contacts.forget(runner);
        Ok(())
    }

    /// Forgets one of a runner's machines; `false` when there is none of this name.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_runner_manager(
        &self,
        runner: RunnerId,
        system_id: &str,
    ) -> Result<bool, Error> {
        let mut transaction = self.store.begin().await?;
        let found = transaction.delete_runner_manager(runner, system_id).await?;
        transaction.commit().await?;
        self.contacts.forget(runner);
        Ok(found)
    }
}

/// A token for a runner that somebody creates.
///
/// # Errors
/// When the operating system has no randomness.
pub fn runner_token() -> Result<String, Error> {
    job_token::random(CREATED)
}

/// The beginning of a token, by which people tell tokens apart.
fn shown(token: &str) -> String {
    let beginning = if token.starts_with(CREATED) {
        CREATED.len()
    } else {
        0
    };
    token.chars().take(beginning + SHOWN).collect()
}

/// A runner as it is when nobody wishes anything: without tags, for all jobs without. It has no
/// token yet.
pub fn plain_runner(kind: RunnerKind, owner_id: Option<i64>) -> NewRunner {
    NewRunner {
        token_digest: Vec::new(),
        token_prefix: String::new(),
        token_expires_at: None,
        kind,
        owner_id,
        description: String::new(),
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
        created_at: now(),
    }
}

/// A runner of what is asked for, without token and owner.
fn checked(request: &RegisterRequest) -> Result<NewRunner, RegistrationError> {
    let invalid = |field, reason| Err(RegistrationError::Invalid { field, reason });
    if request.paused.is_some() && request.active.is_some() {
        return invalid("active, paused", "are mutually exclusive");
    }
    let note = request.maintenance_note.as_deref().unwrap_or_default();
    if note.chars().count() > NOTE_LIMIT {
        return invalid(
            "maintenance_note",
            "is too long (maximum is 1024 characters)",
        );
    }
    let tags = request
        .tag_list
        .as_ref()
        .map(|tags| tags.tags())
        .unwrap_or_default();
    let run_untagged = request.run_untagged.unwrap_or(true);
    if tags.is_empty() && !run_untagged {
        return invalid(
            "tags_list",
            "can not be empty when runner is not allowed to pick untagged jobs",
        );
    }
    let maximum_timeout = request.maximum_timeout.filter(|seconds| *seconds != 0);
    if maximum_timeout.is_some_and(|seconds| seconds < LEAST_TIMEOUT) {
        return invalid("maximum_timeout", "needs to be at least 10 minutes");
    }
    let protected_only = match request.access_level.as_deref() {
        None | Some("" | "not_protected") => false,
        Some("ref_protected") => true,
        Some(_) => return invalid("access_level", "does not have a valid value"),
    };
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let info = &request.info;
    Ok(NewRunner {
        description: request.description.clone().unwrap_or_default(),
        maintenance_note: text(note),
        tags: serde_json::to_string(&tags).unwrap_or_default(),
        run_untagged,
        locked: request.locked.unwrap_or(true),
        protected_only,
        paused: request
            .paused
            .or(request.active.map(|active| !active))
            .unwrap_or(false),
        maximum_timeout,
        version: text(&info.version),
        revision: text(&info.revision),
        platform: text(&info.platform),
        architecture: text(&info.architecture),
        executor: text(&info.executor),
        ..plain_runner(RunnerKind::Instance, None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_token_people_see_the_beginning() {
        assert_eq!(shown("glrt-abcdefghijkl"), "glrt-abcdefgh");
        assert_eq!(shown("abcdefghijkl"), "abcdefgh");
        assert_eq!(shown("abc"), "abc");
        let token = runner_token().unwrap();
        assert!(token.starts_with("glrt-") && token.len() > 20, "{token}");
    }

    #[test]
    fn what_may_be_registered() {
        let table = [
            (r#"{}"#, None),
            (r#"{"tag_list":"a,b","run_untagged":false}"#, None),
            (
                r#"{"tag_list":["a"],"run_untagged":false,"maximum_timeout":600}"#,
                None,
            ),
            (
                r#"{"maximum_timeout":0,"access_level":"ref_protected"}"#,
                None,
            ),
            (r#"{"run_untagged":false}"#, Some("tags_list")),
            (
                r#"{"tag_list":" , ","run_untagged":false}"#,
                Some("tags_list"),
            ),
            (r#"{"paused":true,"active":true}"#, Some("active, paused")),
            (r#"{"maximum_timeout":599}"#, Some("maximum_timeout")),
            (r#"{"access_level":"all"}"#, Some("access_level")),
        ];
        for (json, expected) in table {
            let request: RegisterRequest = serde_json::from_str(json).unwrap();
            let field = match checked(&request) {
                Ok(_) => None,
                Err(RegistrationError::Invalid { field, .. }) => Some(field),
                Err(error) => panic!("{json}: {error}"),
            };
            assert_eq!(field, expected, "{json}");
        }
        let note = |length| RegisterRequest {
            maintenance_note: Some("ä".repeat(length)),
            ..RegisterRequest::default()
        };
        assert!(checked(&note(1024)).is_ok());
        assert!(checked(&note(1025)).is_err());
        let paused: RegisterRequest = serde_json::from_str(r#"{"active":false}"#).unwrap();
        assert!(checked(&paused).unwrap().paused);
    }
}
