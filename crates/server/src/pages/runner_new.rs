//! Adding a runner: one with a token of its own, or by the registration token.

use axum::http::StatusCode;
use axum::response::Response;
use shipway_coordinator::{plain_runner, runner_token};
use shipway_store::{Level, NewRunner, RegistrationTokenRow, RunnerKind};

use super::fields::Fields;
use super::runners::{below, runners_page};
use super::tags::parse_tags;
use super::visit::Visit;
use super::{refused, render};
use crate::error::ApiError;
use crate::identity::token;
use crate::limits;
use crate::permission::Action;

/// What a registration token begins with, as GitLab's do.
const REGISTRATION_TOKEN: &str = "GR1348941";

/// The command of a machine that shall work here.
pub(super) fn command(visit: &Visit, option: &str, token: &str) -> String {
    let url = visit.app.settings().external_url.as_str();
    format!(
        "shipway runner register --non-interactive --url {url} {option} {token} --executor docker --docker-image alpine\nshipway runner run"
    )
}

/// The registration token of a level, where there is one.
pub(super) async fn registration_token(
    visit: &Visit,
    level: Level,
    id: i64,
) -> Result<Option<String>, ApiError> {
    let row = visit.app.store().registration_token(level, id).await?;
    Ok(row.and_then(|row| String::from_utf8(row.token).ok()))
}

/// `POST /-/runners/reset_registration_token`.
pub(super) async fn reset(visit: Visit) -> Result<Response, ApiError> {
    visit.require(Action::ManageRunners)?;
    let (level, id) = visit.level();
    let token = token::new(REGISTRATION_TOKEN);
    let row = RegistrationTokenRow {
        level,
        level_id: id,
        digest: token::digest(&token),
        token: token.into_bytes(),
        created_at: visit.now,
    };
    let mut transaction = visit.app.store().begin().await?;
    transaction.set_registration_token(&row).await?;
    transaction.commit().await?;
    Ok(visit.to(below(&visit), "registration"))
}

/// `POST /-/runners`: a runner with a token of its own, which is shown once.
pub(super) async fn create(visit: Visit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageRunners)?;
    let (tags, untagged) = (
        parse_tags(fields.get("tags")),
        fields.checked("run_untagged"),
    );
    if let Some(fault) = fault(&tags, untagged) {
        let mut body = runners_page(&visit, None).await?;
        body.shell.fault = Some(fault.to_owned());
        return refused(&body);
    }
    let (kind, owner_id) = match visit.level() {
        (Level::Instance, _) => (RunnerKind::Instance, None),
        (Level::Group, id) => (RunnerKind::Group, Some(id)),
        (Level::Project, id) => (RunnerKind::Project, Some(id)),
    };
    let new = NewRunner {
        description: fields.trimmed("description").to_owned(),
        tags: serde_json::to_string(&tags).unwrap_or_default(),
        run_untagged: untagged,
        locked: kind == RunnerKind::Project,
        protected_only: fields.checked("protected"),
        ..plain_runner(kind, owner_id)
    };
    let secret = runner_token()?;
    visit.app.coordinator().make_runner(new, &secret).await?;
    let made = command(&visit, "--token", &secret);
    render(
        StatusCode::CREATED,
        &runners_page(&visit, Some(made)).await?,
    )
}

/// A runner that would take nothing is a mistake.
pub(super) fn fault(tags: &[String], untagged: bool) -> Option<&'static str> {
    if !limits::are_tags(tags) {
        return Some("A runner has 50 tags at most, each of 255 characters.");
    }
    (tags.is_empty() && !untagged).then_some(
        "A runner without tags has to take jobs without tags: give it tags, or check the box.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_takes_something() {
        assert!(fault(&[], false).is_some());
        assert!(fault(&["a".to_owned()], false).is_none());
        assert!(fault(&[], true).is_none());
        assert!(fault(&vec!["a".to_owned(); limits::TAGS + 1], true).is_some());
    }
}
