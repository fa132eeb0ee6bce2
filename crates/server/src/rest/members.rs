//! Members of projects and groups.

use std::collections::BTreeMap;

use serde::Serialize;
use shipway_store::{MemberRow, MemberSource, NamespaceId, UserId};

use super::call::{Answer, Call, GroupCall, ProjectCall, created, no_content, ok};
use super::groups;
use super::paging::Paging;
use super::routes::{InGroup, Routes};
use super::time::iso;
use super::user::UserBasic;
use crate::clock::now;
use crate::error::ApiError;
use crate::permission::{Action, Role};

pub(super) fn routes(routes: Routes) -> Routes {
    let (read, manage) = (Action::ReadCode, Action::ManageMembers);
    let (see, own) = (InGroup::Read, InGroup::As(Role::Owner));
    let project = "/projects/{id}/members";
    let of_project = "/projects/{id}/members/{user_id}";
    let group = "/groups/{id}/members";
    let of_group = "/groups/{id}/members/{user_id}";
    routes
        .get(project, read, |call| async {
            list(in_project(call).await?, false).await
        })
        .get("/projects/{id}/members/all", read, |call| async {
            list(in_project(call).await?, true).await
        })
        .get("/projects/{id}/members/all/{user_id}", read, |call| async {
            show(in_project(call).await?, true).await
        })
        .get(of_project, read, |call| async {
            show(in_project(call).await?, false).await
        })
        .post(project, manage, |call| async {
            add(in_project(call).await?).await
        })
        .put(of_project, manage, |call| async {
            change(in_project(call).await?).await
        })
        .delete(of_project, manage, |call| async {
            remove(in_project(call).await?).await
        })
        .get(group, see, |call| async {
            list(in_group(call).await?, false).await
        })
        .get("/groups/{id}/members/all", see, |call| async {
            list(in_group(call).await?, true).await
        })
        .get("/groups/{id}/members/all/{user_id}", see, |call| async {
            show(in_group(call).await?, true).await
        })
        .get(of_group, see, |call| async {
            show(in_group(call).await?, false).await
        })
        .post(group, own, |call| async {
            add(in_group(call).await?).await
        })
        .put(of_group, own, |call| async {
            change(in_group(call).await?).await
        })
        .delete(of_group, own, |call| async {
            remove(in_group(call).await?).await
        })
}

/// Of what somebody is a member, and the call about it.
struct Place {
    call: Call,
    source: MemberSource,
    id: i64,
    /// From this namespace on, and from those above it, members are inherited.
    namespace: NamespaceId,
    /// The highest role that the asker may give, take or change.
    highest: i64,
}

async fn in_project(call: ProjectCall) -> Result<Place, ApiError> {
    let action = Action::DeleteProject;
    let owner = call
        .app
        .allows(&call.identity, &call.project, action)
        .await?;
    Ok(Place {
        source: MemberSource::Project,
        id: call.project.id.0,
        namespace: call.project.namespace_id,
        highest: if owner {
            Role::Owner as i64
        } else {
            Role::Maintainer as i64
        },
        call: call.call,
    })
}

async fn in_group(call: GroupCall) -> Result<Place, ApiError> {
    let role = groups::role(&call.app, &call.identity, call.group.id).await?;
    Ok(Place {
        source: MemberSource::Namespace,
        id: call.group.id.0,
        namespace: call.group.id,
        highest: role.map_or(0, |role| role as i64),
        call: call.call,
    })
}

/// GitLab's `Member`.
#[derive(Debug, Serialize)]
struct Member {
    #[serde(flatten)]
    user: UserBasic,
    access_level: i64,
    /// Unknown of old memberships, which were not dated.
    created_at: Option<String>,
    /// Memberships do not end by themselves.
    expires_at: Option<String>,
    membership_state: &'static str,
}

impl Place {
    /// Members by the ids of the users; of each the membership with the highest role.
    async fn members(&self, inherited: bool) -> Result<BTreeMap<UserId, MemberRow>, ApiError> {
        let store = self.call.store();
        let mut rows = store.members(self.source, self.id).await?;
        if inherited {
            for group in store.namespace_with_ancestors(self.namespace).await? {
                rows.extend(store.members(MemberSource::Namespace, group.id.0).await?);
            }
        }
        let mut members: BTreeMap<UserId, MemberRow> = BTreeMap::new();
        for row in rows {
            let known = members.entry(row.user_id).or_insert(row);
            if row.access_level > known.access_level {
                *known = row;
            }
        }
        Ok(members)
    }

    async fn entity(&self, member: &MemberRow) -> Result<Option<Member>, ApiError> {
        let user = self.call.store().user(member.user_id).await?;
        Ok(user.map(|user| Member {
            user: UserBasic::new(&self.call.app, &user),
            access_level: member.access_level,
            created_at: member.created_at.map(iso),
            expires_at: None,
            membership_state: "active",
        }))
    }

    /// The member in the address.
    async fn find(&self, inherited: bool) -> Result<MemberRow, ApiError> {
        let user = UserId(self.call.path.number("user_id")?);
        let member = self.members(inherited).await?.get(&user).copied();
        member.ok_or_else(|| ApiError::not_found("Member"))
    }

    /// The role in the parameters, which is not above the asker's.
    fn given_level(&self) -> Result<i64, ApiError> {
        let missing = || ApiError::parameter("access_level is missing");
        let level = self
            .call
            .params
            .number("access_level")?
            .ok_or_else(missing)?;
        if self.call.params.text("expires_at")?.is_some() {
            return Err(ApiError::bad_request(
                "expires_at is not supported: remove the member when the time has come",
            ));
        }
        match Role::ALL.into_iter().any(|role| role as i64 == level) {
            true => self.require(level).map(|()| level),
            false => Err(ApiError::parameter(
                "access_level does not have a valid value",
            )),
        }
    }

    /// That the asker's role is not below this one.
    fn require(&self, level: i64) -> Result<(), ApiError> {
        match level <= self.highest {
            true => Ok(()),
            false => Err(ApiError::forbidden()),
        }
    }

    async fn store(&self, row: &MemberRow) -> Result<Member, ApiError> {
        let mut transaction = self.call.store().begin().await?;
        transaction.set_member(row).await?;
        transaction.commit().await?;
        let entity = self.entity(row).await?;
        entity.ok_or_else(|| ApiError::not_found("User"))
    }
}

async fn list(place: Place, inherited: bool) -> Answer {
    let paging = Paging::of(&place.call)?;
    let query = place
        .call
        .params
        .text("query")?
        .map(|text| text.to_lowercase());
    let ids = place.call.params.comma_list("user_ids")?;
    let mut members = Vec::new();
    for member in place.members(inherited).await?.values() {
        members.extend(place.entity(member).await?);
    }
    members.retain(|member| {
        let user = &member.user;
        ids.as_ref()
            .is_none_or(|ids| ids.contains(&user.id.to_string()))
            && query.as_ref().is_none_or(|text| {
                user.username.to_lowercase().contains(text)
                    || user.name.to_lowercase().contains(text)
            })
    });
    let (members, total) = paging.cut(members);
    paging.answer(&place.call, members, Some(total))
}

async fn show(place: Place, inherited: bool) -> Answer {
    let member = place.find(inherited).await?;
    let entity = place.entity(&member).await?;
    ok(entity.ok_or_else(|| ApiError::not_found("Member"))?)
}

async fn add(place: Place) -> Answer {
    let params = &place.call.params;
    let level = place.given_level()?;
    let store = place.call.store();
    let user = match (params.number("user_id")?, params.text("username")?) {
        (Some(id), _) => store.user(UserId(id)).await?,
        (None, Some(name)) => store.user_by_username(&name).await?,
        (None, None) => {
            return Err(ApiError::parameter(
                "user_id, username are missing, at least one parameter must be provided",
            ));
        }
    };
    let user = user.ok_or_else(|| ApiError::not_found("User"))?;
    if place.members(false).await?.contains_key(&user.id) {
        return Err(ApiError::conflict("Member already exists"));
    }
    let member = MemberRow {
        source: place.source,
        source_id: place.id,
        user_id: user.id,
        access_level: level,
        created_at: Some(now()),
    };
    created(place.store(&member).await?)
}

async fn change(place: Place) -> Answer {
    let known = place.find(false).await?;
    place.require(known.access_level)?;
    let member = MemberRow {
        access_level: place.given_level()?,
        ..known
    };
    ok(place.store(&member).await?)
}

async fn remove(place: Place) -> Answer {
    let known = place.find(false).await?;
    place.require(known.access_level)?;
    let mut transaction = place.call.store().begin().await?;
    transaction
        .remove_member(place.source, place.id, known.user_id)
        .await?;
    transaction.commit().await?;
    no_content()
}
