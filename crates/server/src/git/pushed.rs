//! What follows when refs moved: the default branch of a new project, and pipelines.

use shipway_config::variables::Variable;
use shipway_coordinator::{PipelineRequest, Started};
use shipway_git::hosting::{Push, RefUpdate};
use shipway_pipeline::{Source, Status};
use shipway_store::{ProjectRow, ProtectedRefRow, RefKind, UserRow};

use crate::app::App;
use crate::error::{ApiError, chain};
use crate::permission::Role;

/// A push gets pipelines for so many of its refs, as in GitLab: whoever pushes a whole
/// repository does not want one for each of its branches.
const PIPELINES_PER_PUSH: usize = 4;

/// Does what a push entails; the lines are shown to the pusher. The refs have moved: nothing
/// that goes wrong here is the push's fault.
pub(super) async fn pushed(
    app: &App,
    project: &ProjectRow,
    user: &UserRow,
    push: &Push,
) -> Vec<String> {
    let mut lines = Vec::new();
    let project = match with_default_branch(app, project, push).await {
        Ok(Some(project)) => {
            let url = &app.settings().external_url;
            let (kind, path) = (project.visibility, &project.full_path);
            lines.push(String::new());
            lines.push(format!("The {kind} project {path} is at:"));
            lines.push(format!("  {url}/{path}"));
            project
        }
        Ok(None) => project.clone(),
        Err(error) => {
            tracing::error!(project = project.id.0, %error, "push.default_branch.failed");
            project.clone()
        }
    };
    for option in &push.options.unknown {
        lines.push(format!("The push option {option} is not known."));
    }
    let moved: Vec<&RefUpdate> = (push.updates.iter())
        .filter(|update| update.new.is_some())
        .collect();
    for (index, update) in moved.into_iter().enumerate() {
        if index == PIPELINES_PER_PUSH {
            lines.push(format!(
                "A push gets pipelines for {PIPELINES_PER_PUSH} branches and tags at most."
            ));
            break;
        }
        lines.extend(pipeline(app, &project, user, push, update).await);
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// The first push of a branch makes it the default one, which is protected from then on. The
/// project as it is then, if that happened now.
async fn with_default_branch(
    app: &App,
    project: &ProjectRow,
    push: &Push,
) -> Result<Option<ProjectRow>, ApiError> {
    let branches: Vec<&str> = (push.updates.iter())
        .filter(|update| update.new.is_some())
        .filter_map(RefUpdate::branch)
        .collect();
    if project.default_branch.is_some() || branches.is_empty() {
        return Ok(None);
    }
    let number = u64::try_from(project.id.0).unwrap_or_default();
    let repository = app.repositories().get(number).await?;
    let head = repository.default_branch().await?;
    let chosen = match branches.contains(&head.as_str()) {
        true => head.as_str(),
        false => branches[0],
    };
    if chosen != head {
        repository.set_default_branch(chosen).await?;
    }
    let mut transaction = app.store().begin().await?;
    let mut row = transaction.project(project.id).await?;
    if row.default_branch.is_some() {
        // Another push was first.
        return Ok(None);
    }
    row.default_branch = Some(chosen.to_owned());
    transaction.update_project(&row).await?;
    let protection = ProtectedRefRow {
        project_id: row.id,
        kind: RefKind::Branch,
        pattern: chosen.to_owned(),
        push_level: Role::Maintainer as i64,
        merge_level: Role::Maintainer as i64,
    };
    transaction.set_protected_ref(&protection).await?;
    transaction.commit().await?;
    Ok(Some(row))
}

/// Asks for the pipeline of one ref; what the pusher is told of it.
async fn pipeline(
    app: &App,
    project: &ProjectRow,
    user: &UserRow,
    push: &Push,
    update: &RefUpdate,
) -> Vec<String> {
    let name = update.branch().or(update.tag()).unwrap_or(&update.name);
    match start(app, project, user, push, update).await {
        Ok(Some(Started::Pipeline(row))) => {
            let url = &app.settings().external_url;
            let (path, id) = (&project.full_path, row.id);
            let said = match row.status {
                Status::Skipped => format!("The pipeline of {name} is skipped:"),
                Status::Failed => format!("The pipeline of {name} has a faulty configuration:"),
                _ => format!("The pipeline of {name}:"),
            };
            let faults = row.yaml_errors.as_deref().unwrap_or_default().lines();
            let faults = faults.map(|fault| format!("  {fault}"));
            let address = format!("  {url}/{path}/-/pipelines/{id}");
            [String::new(), said, address]
                .into_iter()
                .chain(faults)
                .collect()
        }
        // Most often there is no configuration; GitLab says nothing either.
        Ok(Some(Started::None(reason))) => {
            tracing::debug!(project = project.id.0, name, %reason, "push.pipeline.none");
            Vec::new()
        }
        Ok(None) => Vec::new(),
        Err(fault) => {
            tracing::error!(project = project.id.0, name, fault, "push.pipeline.failed");
            let said = format!(
                "The pipeline of {name} could not be created; the push is stored. Start the pipeline by hand, and see the server's log."
            );
            vec![String::new(), said]
        }
    }
}

async fn start(
    app: &App,
    project: &ProjectRow,
    user: &UserRow,
    push: &Push,
    update: &RefUpdate,
) -> Result<Option<Started>, String> {
    let number = u64::try_from(project.id.0).unwrap_or_default();
    let repository = app.repositories().get(number).await;
    let repository = repository.map_err(|error| chain(&error))?;
    let Some(object) = &update.new else {
        return Ok(None);
    };
    // An annotated tag is an object of its own; it leads to a commit, or to none.
    let commit = repository.resolve(object).await;
    let Some(sha) = commit.map_err(|error| chain(&error))? else {
        return Ok(None);
    };
    let request = PipelineRequest {
        project: project.clone(),
        user: Some(user.clone()),
        reference: update.name.clone(),
        sha,
        before_sha: Some(update.before().to_owned()),
        source: Source::Push,
        variables: (push.options.variables.iter())
            .map(|(key, value)| variable(key, value))
            .collect(),
        skip: push.options.skip,
    };
    let started = app.coordinator().start_pipeline(&request).await;
    started.map(Some).map_err(|error| chain(&error))
}

fn variable(key: &str, value: &str) -> Variable {
    Variable {
        key: key.to_owned(),
        value: value.to_owned(),
        public: true,
        masked: false,
        file: false,
        raw: false,
    }
}
