//! The jobs that a runner has or had.

use shipway_store::{Beyond, Page, Paged, RunnerJobs};

use super::READ;
use super::access::find_managed;
use crate::error::ApiError;
use crate::permission::Action;
use crate::rest::call::{Answer, Call};
use crate::rest::job::Jobs;
use crate::rest::paging::{Keyset, Paging};
use crate::rest::project::Projects;
use crate::rest::routes::Routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.get("/runners/{runner_id}/jobs", READ, jobs)
}

async fn jobs(call: Call) -> Answer {
    let row = find_managed(&call).await?;
    let paging = Paging::of(&call)?;
    let keyset = Keyset::of(&call)?;
    let status: Option<shipway_pipeline::Status> = call.params.name("status")?;
    let system = call.params.text("system_id")?;
    call.params.one_of("order_by", &["id"])?;
    let ascending = call.params.one_of("sort", &["asc", "desc"])? == Some("asc");
    let wanted = RunnerJobs {
        runner: row.id,
        status,
        system_id: system,
    };
    let (beyond, page) = match keyset {
        Some(keyset) => (keyset.beyond(), Page::first(keyset.size)),
        None => {
            let last = None;
            (Beyond { last, ascending }, paging.page())
        }
    };
    let found = call.store().list_jobs_of_runner(&wanted, beyond, page);
    let Paged { rows, total } = found.await?;
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= page.limit);
    let last = rows.last().map(|job| job.id.0);
    let mut projects = Projects::default();
    let mut entities = Vec::new();
    for job in &rows {
        let project = match job.project_id {
            Some(id) => call.store().project(id).await?,
            None => None,
        };
        let Some(project) = project else {
            continue;
        };
        // A job's log and names are its project's, not the runner's.
        if !call
            .app
            .allows(&call.identity, &project, Action::ReadPipelines)
            .await?
        {
            continue;
        }
        let entity = Jobs::new(&call.app, &project).entity(job).await?;
        let simple = projects.simple(&call.app, &project).await?;
        let fault = |error: serde_json::Error| ApiError::internal(&error);
        let mut entity = serde_json::to_value(entity).map_err(fault)?;
        entity["project"] = serde_json::to_value(simple).map_err(fault)?;
        entities.push(entity);
    }
    match keyset {
        Some(keyset) => keyset.answer(&call, entities, last.filter(|_| full)),
        None => paging.answer(&call, entities, Some(total)),
    }
}
