//! Trigger tokens, and the pipelines that they set off.

use serde::Serialize;
use shipway_config::InputValues;
use shipway_config::variables::Variable;
use shipway_pipeline::Source;
use shipway_store::{NewTrigger, ProjectRow, TriggerId, TriggerRow, UserState};

use super::call::{Answer, Call, ProjectCall, created, no_content, ok};
use super::paging::Paging;
use super::pipelines::{self, By, Given};
use super::routes::{Routes, Who};
use super::time::iso;
use super::user::{UserBasic, Users};
use super::variables::check_key;
use crate::access::ProjectRef;
use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::token;
use crate::permission::{self, Action};

/// What a trigger token begins with, as GitLab's do.
const TOKEN: &str = "glptt-";

/// Characters of a token that are shown again.
const SHOWN: usize = 4;

pub(super) fn routes(routes: Routes) -> Routes {
    let manage = Action::ManageTriggers;
    routes
        .get("/projects/{id}/triggers", manage, list)
        .post("/projects/{id}/triggers", manage, create)
        .get("/projects/{id}/triggers/{trigger_id}", manage, show)
        .put("/projects/{id}/triggers/{trigger_id}", manage, update)
        .delete("/projects/{id}/triggers/{trigger_id}", manage, delete)
        // The token in the parameters is all the proof there is.
        .post("/projects/{id}/trigger/pipeline", Who::Everybody, fire)
        .post(
            "/projects/{id}/ref/{reference}/trigger/pipeline",
            Who::Everybody,
            fire_hook,
        )
}

/// GitLab's `Trigger`.
#[derive(Debug, Serialize)]
struct Trigger {
    id: i64,
    /// Whole only in the answer that makes it: afterwards nobody knows it.
    token: String,
    description: String,
    created_at: String,
    updated_at: String,
    deleted_at: Option<String>,
    last_used: Option<String>,
    expires_at: Option<String>,
    owner: UserBasic,
}

async fn entity(app: &App, row: &TriggerRow, users: &mut Users) -> Result<Trigger, ApiError> {
    Ok(Trigger {
        id: row.id.0,
        token: row.token_prefix.clone(),
        description: row.description.clone(),
        created_at: iso(row.created_at),
        updated_at: iso(row.created_at),
        deleted_at: None,
        last_used: row.last_used_at.map(iso),
        expires_at: None,
        owner: users.get(app, Some(row.owner_id)).await?,
    })
}

async fn find(call: &ProjectCall) -> Result<TriggerRow, ApiError> {
    let id = TriggerId(call.path.number("trigger_id")?);
    let row = call.store().trigger(id).await?;
    row.filter(|row| row.project_id == call.project.id)
        .ok_or_else(|| ApiError::not_found("Trigger"))
}

async fn list(call: ProjectCall) -> Answer {
    let paging = Paging::of(&call)?;
    let (rows, total) = paging.cut(call.store().triggers(call.project.id).await?);
    let mut users = Users::default();
    let mut entities = Vec::new();
    for row in &rows {
        entities.push(entity(&call.app, row, &mut users).await?);
    }
    paging.answer(&call, entities, Some(total))
}

async fn show(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    ok(entity(&call.app, &row, &mut Users::default()).await?)
}

async fn create(call: ProjectCall) -> Answer {
    let user = call.identity.signed_in()?;
    let description = call.params.required_short("description")?;
    if call.params.text("expires_at")?.is_some() {
        return Err(ApiError::parameter("expires_at is not supported"));
    }
    let secret = token::new(TOKEN);
    let new = NewTrigger {
        project_id: call.project.id,
        description,
        token_digest: token::digest(&secret),
        token_prefix: secret.chars().take(TOKEN.len() + SHOWN).collect(),
        owner_id: user.id,
        created_at: now(),
        last_used_at: None,
    };
    let mut transaction = call.store().begin().await?;
    let row = transaction.insert_trigger(&new).await?;
    transaction.commit().await?;
    let entity = entity(&call.app, &row, &mut Users::default()).await?;
    created(Trigger {
        token: secret,
        ..entity
    })
}

async fn update(call: ProjectCall) -> Answer {
    let mut row = find(&call).await?;
    if let Some(description) = call.params.short("description")? {
        row.description = description;
    }
    let mut transaction = call.store().begin().await?;
    transaction.update_trigger(&row).await?;
    transaction.commit().await?;
    ok(entity(&call.app, &row, &mut Users::default()).await?)
}

async fn delete(call: ProjectCall) -> Answer {
    let row = find(&call).await?;
    let mut transaction = call.store().begin().await?;
    transaction.delete_trigger(row.id).await?;
    transaction.commit().await?;
    no_content()
}

fn missing() -> ApiError {
    ApiError::message(axum::http::StatusCode::NOT_FOUND, "404 Not Found")
}

/// On whose behalf a token sets off pipelines, and as what.
async fn fired(call: &Call, project: &ProjectRow, secret: &str) -> Result<By, ApiError> {
    let digest = token::digest(secret);
    if let Some(mut row) = call.store().trigger_by_digest(&digest).await? {
        if row.project_id != project.id {
            return Err(missing());
        }
        let user = call.store().user(row.owner_id).await?;
        row.last_used_at = Some(now());
        let mut transaction = call.store().begin().await?;
        transaction.update_trigger(&row).await?;
        transaction.commit().await?;
        return Ok(By::user(user, Source::Trigger));
    }
    let job = call.app.coordinator().job_at_work_by_token(secret).await?;
    let job = job.ok_or_else(missing)?;
    let user = call.app.coordinator().user_of_job(&job).await?;
    Ok(By {
        user,
        source: Source::Pipeline,
        job: Some(job),
    })
}

async fn fire(call: Call) -> Answer {
    let secret = call.params.required("token")?;
    let reference = call.params.required("ref")?;
    let variables = match call.params.map("variables") {
        Ok(variables) => variables.unwrap_or_default(),
        Err(_) => {
            let fault = "variables needs to be a map of key-valued strings";
            return Err(ApiError::bad_request(fault));
        }
    };
    let mut given = Given {
        variables: Vec::new(),
        inputs: call.params.values("inputs")?,
    };
    for (key, value) in variables {
        check_key(&key)?;
        given.variables.push(Variable::new(key, value));
    }
    start(call, &secret, &reference, given).await
}

/// The form for the hooks of forges: what they send is the job's business.
async fn fire_hook(call: Call) -> Answer {
    let secret = call.params.required("token")?;
    let reference = call.path.text("reference").to_owned();
    // Two projects that trigger each other would never end.
    let hook = call.headers.get("x-gitlab-event");
    if hook.is_some_and(|event| event.as_bytes() == b"Pipeline Hook") {
        return Err(ApiError::forbidden());
    }
    let payload = Variable {
        file: true,
        ..Variable::new("TRIGGER_PAYLOAD", call.params.to_json(&["token"]))
    };
    let given = Given {
        variables: vec![payload],
        inputs: InputValues::new(),
    };
    start(call, &secret, &reference, given).await
}

async fn start(call: Call, secret: &str, reference: &str, given: Given) -> Answer {
    let project = match ProjectRef::parse(call.path.text("id")) {
        ProjectRef::Id(id) => call.store().project(id).await?,
        ProjectRef::Path(path) => call.store().project_by_path(&path).await?,
    };
    let project = project.ok_or_else(missing)?;
    let by = fired(&call, &project, secret).await?;
    let user = (by.user.as_ref()).filter(|user| user.state == UserState::Active);
    // The owner of a token may have lost the right since.
    let user = user.ok_or_else(missing)?;
    let level = call.store().access_level(user.id, project.id).await?;
    let viewer = permission::Viewer::User {
        role: level.and_then(permission::Role::from_level),
        admin: user.admin,
    };
    let visibility = crate::access::visibility(&project);
    if !permission::allowed(viewer, visibility, Action::RunPipelines) {
        return Err(missing());
    }
    let call = ProjectCall { call, project };
    let row = pipelines::start(&call, reference, by, given).await?;
    created(pipelines::entity(&call, &row).await?)
}
