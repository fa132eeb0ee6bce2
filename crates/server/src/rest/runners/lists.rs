//! Lists of runners.

use std::collections::HashSet;

use shipway_store::{RunnerKind, RunnerRow};

use super::access::may_manage;
use super::details::tags;
use crate::clock::now;
use crate::error::ApiError;
use crate::permission::{Action, Role};
use crate::rest::call::{Answer, Call, GroupCall, ProjectCall};
use crate::rest::paging::{Paging, WHOLE};
use crate::rest::params::Params;
use crate::rest::routes::{InGroup, Routes, Who};
use crate::rest::runner::{Runner, kind_name, status};

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/runners", Who::SignedIn, own)
        .get("/runners/all", Who::Administrator, all)
        .get("/projects/{id}/runners", Action::ManageRunners, of_project)
        .get(
            "/groups/{id}/runners",
            InGroup::As(Role::Maintainer),
            of_group,
        )
}

/// Which runners of a list are wanted.
struct Filter {
    kind: Option<&'static str>,
    status: Option<&'static str>,
    paused: Option<bool>,
    tags: Vec<String>,
    version: Option<String>,
}

const KINDS: [&str; 3] = ["instance_type", "group_type", "project_type"];

impl Filter {
    fn of(params: &Params) -> Result<Self, ApiError> {
        let statuses = [
            "active",
            "paused",
            "online",
            "offline",
            "never_contacted",
            "stale",
        ];
        let scopes = [
            "active",
            "paused",
            "online",
            "offline",
            "never_contacted",
            "stale",
            "shared",
            "specific",
            "instance_type",
            "group_type",
            "project_type",
        ];
        // The old name of both.
        let scope = params.one_of("scope", &scopes)?;
        let kind = params.one_of("type", &KINDS)?;
        let status = params.one_of("status", &statuses)?;
        let of_scope = |known: &[&str]| scope.filter(|scope| known.contains(scope));
        let kind = kind.or(match scope {
            Some("shared") => Some("instance_type"),
            Some("specific") => Some("project_type"),
            _ => of_scope(&KINDS),
        });
        Ok(Self {
            kind,
            status: status.or(of_scope(&statuses)),
            paused: params.boolean("paused")?,
            tags: params.comma_list("tag_list")?.unwrap_or_default(),
            version: params.text("version_prefix")?,
        })
    }

    fn takes(&self, row: &RunnerRow, now: i64) -> bool {
        let status = status(row.contacted_at, row.created_at, now);
        let tags_of = tags(row);
        let in_status = match self.status {
            Some("active") => !row.paused,
            Some("paused") => row.paused,
            // GitLab counts whoever is not online.
            Some("offline") => matches!(status, "offline" | "stale"),
            Some(wanted) => wanted == status,
            None => true,
        };
        in_status
            && self.kind.is_none_or(|kind| kind == kind_name(row.kind))
            && self.paused.is_none_or(|paused| paused == row.paused)
            && self.tags.iter().all(|tag| tags_of.contains(tag))
            && self.version.as_ref().is_none_or(|prefix| {
                row.version
                    .as_ref()
                    .is_some_and(|version| version.starts_with(prefix))
            })
    }
}

fn answer(call: &Call, rows: Vec<RunnerRow>) -> Answer {
    let paging = Paging::of(call)?;
    let filter = Filter::of(&call.params)?;
    let now = now();
    let mut rows: Vec<RunnerRow> = rows
        .into_iter()
        .filter(|row| filter.takes(row, now))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    let (rows, total) = paging.cut(rows);
    paging.answer(call, rows.iter().map(Runner::new).collect(), Some(total))
}

async fn all(call: Call) -> Answer {
    let rows = call.store().runners(None, None, WHOLE).await?.rows;
    answer(&call, rows)
}

/// Those that the asker may change.
async fn own(call: Call) -> Answer {
    let mut rows = Vec::new();
    for row in call.store().runners(None, None, WHOLE).await?.rows {
        if row.kind != RunnerKind::Instance && may_manage(&call, &row).await? {
            rows.push(row);
        }
    }
    answer(&call, rows)
}

async fn of_project(call: ProjectCall) -> Answer {
    let rows = call.store().runners_for_project(call.project.id).await?;
    answer(&call, rows)
}

async fn of_group(call: GroupCall) -> Answer {
    let above = call.store().namespace_with_ancestors(call.group.id).await?;
    let above: HashSet<i64> = above.iter().map(|group| group.id.0).collect();
    let mut rows = call.store().runners(None, None, WHOLE).await?.rows;
    rows.retain(|row| match row.kind {
        RunnerKind::Instance => true,
        RunnerKind::Group => row.owner_id.is_some_and(|id| above.contains(&id)),
        RunnerKind::Project => false,
    });
    answer(&call, rows)
}
