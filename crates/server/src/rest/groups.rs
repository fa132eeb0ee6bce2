//! Groups.

use serde::Serialize;
use shipway_store::{
    MemberRow, MemberSource, NamespaceId, NamespaceKind, NamespaceRow, NewNamespace, Page,
    ProjectFilter, StoreError, Viewer,
};

use super::call::{Answer, Call, GroupCall, accepted, created, ok};
use super::namespace::{Namespace, last_name};
use super::paging::Paging;
use super::projects;
use super::routes::{InGroup, Routes, Who};
use crate::app::App;
use crate::error::ApiError;
use crate::identity::Identity;
use crate::permission::Role;
use crate::users::RESERVED;

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/groups", Who::Everybody, list)
        .post("/groups", Who::SignedIn, create)
        .get("/groups/{id}", InGroup::Read, show)
        .delete("/groups/{id}", InGroup::As(Role::Owner), delete)
        .get("/groups/{id}/projects", InGroup::Read, of_group)
        .get("/groups/{id}/subgroups", InGroup::Read, subgroups)
        .get("/namespaces", Who::SignedIn, namespaces)
        .get("/namespaces/{id}", Who::SignedIn, namespace)
}

/// GitLab's `Group`.
#[derive(Debug, Serialize)]
struct Group {
    id: i64,
    web_url: String,
    name: String,
    path: String,
    description: &'static str,
    visibility: &'static str,
    full_name: String,
    full_path: String,
    parent_id: Option<i64>,
    avatar_url: Option<String>,
}

impl Group {
    async fn read(app: &App, row: &NamespaceRow) -> Result<Self, ApiError> {
        let above = app.store().namespace_with_ancestors(row.id).await?;
        let mut names: Vec<&str> = above.iter().map(|one| one.name.as_str()).collect();
        names.reverse();
        let base = &app.settings().external_url;
        Ok(Self {
            id: row.id.0,
            web_url: format!("{base}/groups/{}", row.full_path),
            name: row.name.clone(),
            path: last_name(&row.full_path).to_owned(),
            description: "",
            // Groups have none of their own: who sees a project sees its groups.
            visibility: "private",
            full_name: names.join(" / "),
            full_path: row.full_path.clone(),
            parent_id: row.parent_id.map(|parent| parent.0),
            avatar_url: None,
        })
    }
}

/// The user's highest role in a group, as a member of it or of one above.
pub(super) async fn role(
    app: &App,
    identity: &Identity,
    group: NamespaceId,
) -> Result<Option<Role>, ApiError> {
    let Some(user) = identity.user() else {
        return Ok(None);
    };
    if user.admin {
        return Ok(Some(Role::Owner));
    }
    let above = app.store().namespace_with_ancestors(group).await?;
    let memberships = app.store().memberships(user.id).await?;
    let levels = memberships.iter().filter(|member| {
        member.source == MemberSource::Namespace
            && above.iter().any(|one| one.id.0 == member.source_id)
    });
    let highest = levels.map(|member| member.access_level).max();
    Ok(highest.and_then(Role::from_level))
}

async fn find(app: &App, text: &str) -> Result<Option<NamespaceRow>, ApiError> {
    let number = text.parse().ok().filter(|number: &i64| *number >= 0);
    Ok(match number {
        Some(id) => app.store().namespace(NamespaceId(id)).await?,
        None => app.store().namespace_by_path(text).await?,
    })
}

/// The group that a request names, if the rule lets the asker in.
pub(super) async fn admit(
    app: &App,
    identity: &Identity,
    text: &str,
    rule: InGroup,
) -> Result<NamespaceRow, ApiError> {
    let missing = || ApiError::not_found("Group");
    let row = find(app, text).await?;
    let row = row.filter(|row| row.kind == NamespaceKind::Group);
    let row = row.ok_or_else(missing)?;
    let role = role(app, identity, row.id).await?;
    if role.is_none() && !is_seen(app, identity, &row).await? {
        return Err(missing());
    }
    match rule {
        InGroup::Read => Ok(row),
        InGroup::As(least) if role.is_some_and(|role| role >= least) => Ok(row),
        InGroup::As(_) if identity.is_anonymous() => Err(ApiError::unauthorized()),
        InGroup::As(_) => Err(ApiError::forbidden()),
    }
}

/// Whoever sees a project of a group sees the group.
async fn is_seen(app: &App, identity: &Identity, row: &NamespaceRow) -> Result<bool, ApiError> {
    let filter = ProjectFilter {
        seen_by: match identity.user() {
            Some(user) => Viewer::User(user.id),
            None => Viewer::Anonymous,
        },
        namespace: Some(row.id),
        ..ProjectFilter::default()
    };
    Ok(app.store().projects(&filter, Page::first(1)).await?.total > 0)
}

/// The groups that the asker sees.
async fn seen(call: &Call) -> Result<Vec<NamespaceRow>, ApiError> {
    let search = call.params.text("search")?.map(|text| text.to_lowercase());
    let mut rows = Vec::new();
    for row in call.store().namespaces().await? {
        let found = search.as_ref().is_none_or(|text| {
            row.full_path.to_lowercase().contains(text) || row.name.to_lowercase().contains(text)
        });
        if found
            && row.kind == NamespaceKind::Group
            && (role(&call.app, &call.identity, row.id).await?.is_some()
                || is_seen(&call.app, &call.identity, &row).await?)
        {
            rows.push(row);
        }
    }
    Ok(rows)
}

async fn list(call: Call) -> Answer {
    let paging = Paging::of(&call)?;
    let params = &call.params;
    let top = params.boolean("top_level_only")?.unwrap_or(false);
    let least = match params.boolean("owned")?.unwrap_or(false) {
        true => Some(50),
        false => params.number("min_access_level")?,
    };
    let mut rows = seen(&call).await?;
    rows.retain(|row| !top || row.parent_id.is_none());
    if let Some(least) = least {
        let mut kept = Vec::new();
        for row in rows {
            let role = role(&call.app, &call.identity, row.id).await?;
            if role.is_some_and(|role| i64::from(role as u8) >= least) {
                kept.push(row);
            }
        }
        rows = kept;
    }
    groups(&call, paging, rows).await
}

async fn groups(call: &Call, paging: Paging, rows: Vec<NamespaceRow>) -> Answer {
    let (rows, total) = paging.cut(rows);
    let mut entities = Vec::new();
    for row in &rows {
        entities.push(Group::read(&call.app, row).await?);
    }
    paging.answer(call, entities, Some(total))
}

async fn show(call: GroupCall) -> Answer {
    ok(Group::read(&call.app, &call.group).await?)
}

async fn create(call: Call) -> Answer {
    let user = call.identity.signed_in()?;
    let name = call.params.required_short("name")?;
    let path = call.params.required_short("path")?;
    let parent = match call.params.number("parent_id")? {
        None => None,
        Some(id) => {
            let rule = InGroup::As(Role::Maintainer);
            Some(admit(&call.app, &call.identity, &id.to_string(), rule).await?)
        }
    };
    let invalid = |fault: String| ApiError::invalid("path", fault);
    let full_path = match &parent {
        Some(parent) => format!("{}/{path}", parent.full_path),
        None => path.clone(),
    };
    let reserved = parent.is_none() && RESERVED.contains(&path.to_lowercase().as_str());
    if path.contains('/') || reserved {
        return Err(invalid("is a reserved name".to_owned()));
    }
    shipway_git::hosting::FullPath::parse(&format!("{full_path}/x"))
        .map_err(|error| invalid(error.to_string()))?;
    let taken = || invalid("has already been taken".to_owned());
    if call.store().project_by_path(&full_path).await?.is_some() {
        return Err(taken());
    }
    let mut transaction = call.store().begin().await?;
    let new = NewNamespace {
        full_path,
        name,
        kind: NamespaceKind::Group,
        owner_id: None,
        parent_id: parent.map(|parent| parent.id),
    };
    let row = match transaction.insert_namespace(&new).await {
        Err(StoreError::Taken { .. }) => return Err(taken()),
        row => row?,
    };
    transaction
        .set_member(&MemberRow {
            source: MemberSource::Namespace,
            source_id: row.id.0,
            user_id: user.id,
            access_level: Role::Owner as i64,
            created_at: Some(crate::clock::now()),
        })
        .await?;
    transaction.commit().await?;
    created(Group::read(&call.app, &row).await?)
}

async fn delete(call: GroupCall) -> Answer {
    let group = call.group.id;
    let filter = ProjectFilter {
        namespace: Some(group),
        ..ProjectFilter::default()
    };
    let projects = call.store().projects(&filter, Page::first(1)).await?.total;
    if projects > 0 || !call.store().subgroups(group).await?.is_empty() {
        return Err(ApiError::conflict(
            "Group has projects or groups; delete or move them first",
        ));
    }
    let mut transaction = call.store().begin().await?;
    transaction.delete_namespace(group).await?;
    transaction.commit().await?;
    accepted()
}

async fn of_group(call: GroupCall) -> Answer {
    let user = call.identity.user();
    let filter = ProjectFilter {
        seen_by: match user {
            Some(user) if user.admin => Viewer::Admin,
            Some(user) => Viewer::User(user.id),
            None => Viewer::Anonymous,
        },
        namespace: Some(call.group.id),
        search: call.params.text("search")?,
        ..ProjectFilter::default()
    };
    projects::answer(call.call, filter).await
}

async fn subgroups(call: GroupCall) -> Answer {
    let paging = Paging::of(&call)?;
    let mut rows = Vec::new();
    for row in call.store().subgroups(call.group.id).await? {
        let member = role(&call.app, &call.identity, row.id).await?.is_some();
        if member || is_seen(&call.app, &call.identity, &row).await? {
            rows.push(row);
        }
    }
    groups(&call, paging, rows).await
}

async fn namespaces(call: Call) -> Answer {
    let paging = Paging::of(&call)?;
    let user = call.identity.signed_in()?;
    let mut rows = Vec::from_iter(call.store().namespace_of_user(user.id).await?);
    rows.extend(seen(&call).await?);
    let (rows, total) = paging.cut(rows);
    let entities = rows
        .iter()
        .map(|row| Namespace::new(&call.app, row))
        .collect();
    paging.answer(&call, entities, Some(total))
}

async fn namespace(call: Call) -> Answer {
    let missing = || ApiError::not_found("Namespace");
    let user = call.identity.signed_in()?;
    let row = find(&call.app, call.path.text("id")).await?;
    let row = row.ok_or_else(missing)?;
    let visible = match row.kind {
        NamespaceKind::User => user.admin || row.owner_id == Some(user.id),
        NamespaceKind::Group => {
            role(&call.app, &call.identity, row.id).await?.is_some()
                || is_seen(&call.app, &call.identity, &row).await?
        }
    };
    match visible {
        true => ok(Namespace::new(&call.app, &row)),
        false => Err(missing()),
    }
}
