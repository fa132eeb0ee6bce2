//! Members of a project or a group.

use askama::Template;
use axum::response::Response;
use shipway_store::{MemberRow, MemberSource, NamespaceKind};

use super::fields::Fields;
use super::shell::{Place, Shell};
use super::visit::{Subject, Visit};
use super::{page, refused};
use crate::error::ApiError;
use crate::permission::{Action, Role};

/// Roles by GitLab's numbers.
const ROLES: [(i64, &str); 5] = [
    (10, "Guest"),
    (20, "Reporter"),
    (30, "Developer"),
    (40, "Maintainer"),
    (50, "Owner"),
];

#[derive(Debug, Template)]
#[template(path = "members.html")]
struct MembersPage {
    shell: Shell,
    base: String,
    rows: Vec<Row>,
    roles: Vec<(i64, &'static str)>,
    may_manage: bool,
}

#[derive(Debug)]
struct Row {
    name: String,
    username: String,
    level: i64,
    role: &'static str,
    from: String,
    may_change: bool,
}

/// What somebody is a member of here, and where the page is.
fn subject(visit: &Visit) -> Result<(MemberSource, i64, &'static str), ApiError> {
    match &visit.subject {
        Subject::Instance => Err(ApiError::no_route()),
        Subject::Group(group) => Ok((MemberSource::Namespace, group.id.0, "/-/group_members")),
        Subject::Project(project) => {
            Ok((MemberSource::Project, project.id.0, "/-/project_members"))
        }
    }
}

/// `GET /-/project_members`, `/-/group_members`.
pub(super) async fn list(visit: Visit) -> Result<Response, ApiError> {
    see(&visit)?;
    page(&members_page(&visit, None).await?)
}

/// Who is a member is for those who see more than the project's name.
fn see(visit: &Visit) -> Result<(), ApiError> {
    match visit.subject {
        Subject::Group(_) => visit.require(Action::ReadProject),
        Subject::Instance | Subject::Project(_) => visit.require(Action::ReadCode),
    }
}

async fn members_page(visit: &Visit, fault: Option<String>) -> Result<MembersPage, ApiError> {
    let (source, id, below) = subject(visit)?;
    let store = visit.app.store();
    let may_manage = visit.allows(Action::ManageMembers);
    let mut rows = Vec::new();
    for member in store.members(source, id).await? {
        rows.extend(row(visit, &member, "here".to_owned(), may_manage).await?);
    }
    if let Some(namespace) = visit.namespace() {
        let above = store.namespace_with_ancestors(namespace).await?;
        for group in above
            .iter()
            .filter(|group| source == MemberSource::Project || group.id.0 != id)
        {
            for member in store.members(MemberSource::Namespace, group.id.0).await? {
                let from = group.full_path.clone();
                rows.extend(row(visit, &member, from, false).await?);
            }
        }
    }
    let mut shell = visit.shell(Place::Members, "Members");
    shell.fault = fault;
    Ok(MembersPage {
        shell,
        base: format!("{}{below}", visit.url),
        rows,
        roles: roles(visit),
        may_manage,
    })
}

async fn row(
    visit: &Visit,
    member: &MemberRow,
    from: String,
    may_change: bool,
) -> Result<Option<Row>, ApiError> {
    let user = visit.app.store().user(member.user_id).await?;
    let role = ROLES
        .iter()
        .rfind(|(level, _)| *level <= member.access_level);
    Ok(user.map(|user| Row {
        // Who is an owner is changed by owners.
        may_change: may_change
            && roles(visit)
                .iter()
                .any(|(level, _)| *level >= member.access_level),
        name: user.name,
        username: user.username,
        level: member.access_level,
        role: role.map_or("None", |(_, name)| name),
        from,
    }))
}

/// The roles that they may give: none above their own.
fn roles(visit: &Visit) -> Vec<(i64, &'static str)> {
    let owner = visit.allows(Action::DeleteProject);
    let given = ROLES.into_iter();
    given
        .filter(|(level, _)| owner || *level < Role::Owner as i64)
        .collect()
}

/// `POST /-/project_members`: a member, or another role for one.
pub(super) async fn save(visit: Visit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageMembers)?;
    let (source, source_id, below) = subject(&visit)?;
    if let Subject::Group(group) = &visit.subject
        && group.kind == NamespaceKind::User
    {
        return Err(ApiError::bad_request(
            "the namespace of a user has no other members; add them to the project",
        ));
    }
    let level = fields.get("access_level").parse().ok();
    let level = level.filter(|level| roles(&visit).iter().any(|(known, _)| known == level));
    let username = fields
        .trimmed("username")
        .trim_start_matches('@')
        .to_owned();
    let user = visit.app.store().user_by_username(&username).await?;
    let (Some(user), Some(access_level)) = (user, level) else {
        let fault = match level {
            None => "Choose a role that is not above your own.".to_owned(),
            Some(_) => format!("There is no user {username}. An administrator can make one."),
        };
        return refused(&members_page(&visit, Some(fault)).await?);
    };
    guard_owner(&visit, source, source_id, user.id).await?;
    let row = MemberRow {
        source,
        source_id,
        user_id: user.id,
        access_level,
        created_at: Some(crate::clock::now()),
    };
    let mut transaction = visit.app.store().begin().await?;
    transaction.set_member(&row).await?;
    transaction.commit().await?;
    Ok(visit.to(below, "member"))
}

/// Who is above oneself is not changed.
async fn guard_owner(
    visit: &Visit,
    source: MemberSource,
    id: i64,
    user: shipway_store::UserId,
) -> Result<(), ApiError> {
    let members = visit.app.store().members(source, id).await?;
    let known = members.iter().find(|member| member.user_id == user);
    let highest = roles(visit).last().map_or(0, |(level, _)| *level);
    match known {
        Some(member) if member.access_level > highest => Err(ApiError::forbidden_because(
            "Only Owners change the role of an Owner",
        )),
        _ => Ok(()),
    }
}

/// `POST /-/project_members/remove`.
pub(super) async fn remove(visit: Visit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageMembers)?;
    let (source, id, below) = subject(&visit)?;
    let user = visit
        .app
        .store()
        .user_by_username(fields.trimmed("username"))
        .await?;
    let user = user.ok_or_else(|| ApiError::not_found("User"))?;
    guard_owner(&visit, source, id, user.id).await?;
    let mut transaction = visit.app.store().begin().await?;
    let found = transaction.remove_member(source, id, user.id).await?;
    transaction.commit().await?;
    Ok(visit.to(below, if found { "member-removed" } else { "nothing" }))
}
