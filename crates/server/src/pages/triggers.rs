//! Trigger tokens of a project.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use shipway_store::{NewTrigger, TriggerId};

use super::fields::Fields;
use super::html::Html;
use super::shell::{Place, Shell};
use super::visit::ProjectVisit;
use super::{page, refused, render, users, when};
use crate::error::ApiError;
use crate::identity::token;
use crate::permission::Action;

/// What a trigger token begins with, as GitLab's do.
const TRIGGER_TOKEN: &str = "glptt-";

/// Characters of a token that are shown later, as GitLab does.
const SHOWN: usize = 4;

/// Where the page is, below the project.
const BASE: &str = "/-/triggers";

#[derive(Debug, Template)]
#[template(path = "triggers.html")]
struct TriggersPage {
    shell: Shell,
    base: String,
    made: Option<String>,
    rows: Vec<Row>,
    example: String,
    job_example: String,
}

#[derive(Debug)]
struct Row {
    token: String,
    description: String,
    owner: String,
    used: Html,
    delete_url: String,
}

/// `GET /-/triggers`.
pub(super) async fn list(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ManageTriggers)?;
    page(&triggers_page(&visit, None).await?)
}

async fn triggers_page(
    visit: &ProjectVisit,
    made: Option<String>,
) -> Result<TriggersPage, ApiError> {
    let store = visit.app.store();
    let base = format!("{}{BASE}", visit.url);
    let mut rows = Vec::new();
    for row in store.triggers(visit.project.id).await? {
        let owner = store.user(row.owner_id).await?;
        rows.push(Row {
            token: format!("{}…", row.token_prefix),
            description: row.description,
            owner: users::username(owner.as_ref()),
            used: (row.last_used_at).map_or_else(
                || Html::trusted("never".to_owned()),
                |at| when::time(at, visit.now),
            ),
            delete_url: format!("{base}/{}/delete", row.id),
        });
    }
    let url = visit.app.settings().external_url.as_str();
    let branch = visit.project.default_branch.as_deref().unwrap_or("main");
    let address = format!(
        "{url}/api/v4/projects/{}/trigger/pipeline",
        visit.project.id
    );
    let token = made.as_deref().unwrap_or("TOKEN");
    Ok(TriggersPage {
        shell: visit.shell(Place::Triggers, "Triggers"),
        base,
        example: format!(
            "curl -X POST --fail -F token={token} -F ref={branch} -F \"variables[KEY]=value\" {address}"
        ),
        job_example: format!(
            "curl -X POST --fail -F token=$CI_JOB_TOKEN -F ref={branch} {address}"
        ),
        made,
        rows,
    })
}

/// `POST /-/triggers`: a token, which is shown once.
pub(super) async fn create(visit: ProjectVisit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageTriggers)?;
    let owner = visit.identity.signed_in()?.id;
    let description = fields.trimmed("description");
    if description.is_empty() {
        let mut body = triggers_page(&visit, None).await?;
        let fault = "Say what the token is for, and who has it.";
        body.shell.fault = Some(fault.to_owned());
        return refused(&body);
    }
    let secret = token::new(TRIGGER_TOKEN);
    let new = NewTrigger {
        project_id: visit.project.id,
        description: description.to_owned(),
        token_digest: token::digest(&secret),
        token_prefix: secret.chars().take(TRIGGER_TOKEN.len() + SHOWN).collect(),
        owner_id: owner,
        created_at: visit.now,
        last_used_at: None,
    };
    let mut transaction = visit.app.store().begin().await?;
    transaction.insert_trigger(&new).await?;
    transaction.commit().await?;
    render(
        StatusCode::CREATED,
        &triggers_page(&visit, Some(secret)).await?,
    )
}

/// `POST /-/triggers/{id}/delete`.
pub(super) async fn delete(visit: ProjectVisit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    visit.require(Action::ManageTriggers)?;
    let row = visit.app.store().trigger(TriggerId(id)).await?;
    let row = row.filter(|row| row.project_id == visit.project.id);
    let row = row.ok_or_else(|| ApiError::not_found("Trigger"))?;
    let mut transaction = visit.app.store().begin().await?;
    transaction.delete_trigger(row.id).await?;
    transaction.commit().await?;
    Ok(visit.to(BASE, "trigger-revoked"))
}
