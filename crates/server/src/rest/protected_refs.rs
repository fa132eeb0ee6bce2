//! `/projects/:id/protected_branches` and `/projects/:id/protected_tags`.

use serde_json::{Value, json};
use shipway_store::{ProtectedRefId, ProtectedRefRow, RefKind};

use super::call::{Answer, ProjectCall, created, no_content, ok};
use super::paging::Paging;
use super::routes::Routes;
use crate::error::ApiError;
use crate::permission::{Action, Role};

pub(super) fn routes(routes: Routes) -> Routes {
    let manage = Action::ManageProtectedRefs;
    let branches = "/projects/{id}/protected_branches";
    let branch = "/projects/{id}/protected_branches/{name}";
    let tags = "/projects/{id}/protected_tags";
    let tag = "/projects/{id}/protected_tags/{name}";
    routes
        .get(branches, manage, |call| list(call, RefKind::Branch))
        .get(branch, manage, |call| show(call, RefKind::Branch))
        .post(branches, manage, |call| create(call, RefKind::Branch))
        .delete(branch, manage, |call| delete(call, RefKind::Branch))
        .get(tags, manage, |call| list(call, RefKind::Tag))
        .get(tag, manage, |call| show(call, RefKind::Tag))
        .post(tags, manage, |call| create(call, RefKind::Tag))
        .delete(tag, manage, |call| delete(call, RefKind::Tag))
}

/// Who may, by GitLab's numbers and in its words.
const LEVELS: [(i64, &str); 4] = [
    (0, "No one"),
    (30, "Developers + Maintainers"),
    (40, "Maintainers"),
    (60, "Administrators"),
];

fn levels(level: i64) -> Value {
    let known = LEVELS.iter().rfind(|(known, _)| *known <= level);
    json!([{
        "access_level": level,
        "access_level_description": known.map(|(_, text)| text),
        "user_id": null,
        "group_id": null,
        "deploy_key_id": null,
    }])
}

/// GitLab's `ProtectedBranch` or `ProtectedTag`.
fn entity(row: &ProtectedRefRow) -> Value {
    match row.kind {
        RefKind::Tag => json!({
            "id": row.id.0,
            "name": row.pattern,
            "create_access_levels": levels(row.push_level),
        }),
        RefKind::Branch => json!({
            "id": row.id.0,
            "name": row.pattern,
            "push_access_levels": levels(row.push_level),
            "merge_access_levels": levels(row.merge_level),
            "allow_force_push": false,
            "code_owner_approval_required": false,
        }),
    }
}

fn what(kind: RefKind) -> &'static str {
    match kind {
        RefKind::Branch => "Protected branch",
        RefKind::Tag => "Protected tag",
    }
}

async fn rows(call: &ProjectCall, kind: RefKind) -> Result<Vec<ProtectedRefRow>, ApiError> {
    let mut rows = call.store().protected_refs(call.project.id).await?;
    rows.retain(|row| row.kind == kind);
    Ok(rows)
}

async fn list(call: ProjectCall, kind: RefKind) -> Answer {
    let paging = Paging::of(&call)?;
    let search = call.params.text("search")?;
    let mut rows = rows(&call, kind).await?;
    rows.retain(|row| (search.as_ref()).is_none_or(|text| row.pattern.contains(text)));
    let (rows, total) = paging.cut(rows);
    paging.answer(&call, rows.iter().map(entity).collect(), Some(total))
}

async fn show(call: ProjectCall, kind: RefKind) -> Answer {
    let name = call.path.text("name");
    let rows = rows(&call, kind).await?;
    let row = rows.iter().find(|row| row.pattern == name);
    ok(entity(row.ok_or_else(|| ApiError::not_found(what(kind)))?))
}

fn level(call: &ProjectCall, name: &str) -> Result<i64, ApiError> {
    let level = call.params.number(name)?.unwrap_or(Role::Maintainer as i64);
    match LEVELS.iter().any(|(known, _)| *known == level) {
        true => Ok(level),
        false => Err(ApiError::parameter(format!(
            "{name} does not have a valid value"
        ))),
    }
}

async fn create(call: ProjectCall, kind: RefKind) -> Answer {
    let pattern = call.params.required_short("name")?;
    if call.params.boolean("allow_force_push")?.unwrap_or(false) {
        return Err(ApiError::bad_request(
            "allow_force_push is not supported: a protected branch is never force pushed",
        ));
    }
    let (push, merge) = match kind {
        RefKind::Branch => ("push_access_level", "merge_access_level"),
        RefKind::Tag => ("create_access_level", "create_access_level"),
    };
    let row = ProtectedRefRow {
        id: ProtectedRefId(0),
        project_id: call.project.id,
        kind,
        push_level: level(&call, push)?,
        merge_level: level(&call, merge)?,
        pattern,
    };
    if (rows(&call, kind).await?.iter()).any(|known| known.pattern == row.pattern) {
        let fault = format!("{} '{}' already exists", what(kind), row.pattern);
        return Err(ApiError::conflict(fault));
    }
    let mut transaction = call.store().begin().await?;
    let row = transaction.set_protected_ref(&row).await?;
    transaction.commit().await?;
    created(entity(&row))
}

async fn delete(call: ProjectCall, kind: RefKind) -> Answer {
    let name = call.path.text("name");
    let mut transaction = call.store().begin().await?;
    let project = call.project.id;
    let found = transaction
        .delete_protected_ref(project, kind, name)
        .await?;
    transaction.commit().await?;
    match found {
        true => no_content(),
        false => Err(ApiError::not_found(what(kind))),
    }
}
