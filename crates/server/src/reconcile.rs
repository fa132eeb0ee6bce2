//! What happens by itself: rounds that look at the rows and do what is due. They take no
//! input and may be run at any time and by several servers, so that a crash or a lost notice
//! costs time and nothing else.

use std::time::Duration;

use shipway_store::{Page, ProjectFilter, ProjectRow};
use tokio::time::{Instant, interval};

use crate::app::App;
use crate::clock;
use crate::error::chain;

/// Between two looks at delayed jobs and schedules.
const OFTEN: Duration = Duration::from_secs(1);

/// Between two looks at expired artifacts, at environments whose time is over, and at all jobs
/// that follow other pipelines. (Lost runners are the dispatcher's.)
const NOW_AND_THEN: Duration = Duration::from_secs(20);

/// Between two looks at what nobody waits for: expired sessions, repositories to tidy up.
const SELDOM: Duration = Duration::from_secs(600);

/// A push that has written nothing for so long is of a process that died: git itself is ended
/// after ten minutes of silence.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Projects of one page.
const PAGE: i64 = 100;

/// Makes the pipelines of pushes that a dying server left without; once, before anybody can
/// push. A project that cannot be looked at does not keep the server from starting.
pub(crate) async fn catch_up(app: &App) {
    let mut made = 0;
    for project in projects(app).await {
        match app.coordinator().catch_up(&project).await {
            Ok(pipelines) => made += pipelines.len(),
            Err(error) => {
                tracing::warn!(project = project.full_path, error = %chain(&error), "project.not.caught.up");
            }
        }
    }
    if made > 0 {
        tracing::info!(pipelines = made, "caught up with pushes");
    }
}

/// Removes what a killed server was still receiving.
pub(crate) async fn sweep(app: &App) {
    match app.store().sweep_uploads().await {
        Ok(0) => {}
        Ok(uploads) => tracing::info!(uploads, "swept halves of uploads"),
        Err(error) => tracing::warn!(error = %chain(&error), "uploads.not.swept"),
    }
}

/// Goes on until the server closes.
pub(crate) async fn run(app: App) {
    let closing = app.closing().clone();
    let often = async {
        let mut ticks = interval(OFTEN);
        loop {
            ticks.tick().await;
            report("delayed.jobs", app.coordinator().start_all_due().await);
            report("schedules", app.coordinator().run_due_schedules().await);
        }
    };
    let now_and_then = async {
        let mut ticks = interval(NOW_AND_THEN);
        loop {
            ticks.tick().await;
            report("artifacts", app.coordinator().expire_artifacts().await);
            let stopped = app.coordinator().stop_due_environments().await;
            report("environments", stopped);
        }
    };
    let seldom = async {
        let mut ticks = tokio::time::interval_at(Instant::now() + SELDOM, SELDOM);
        loop {
            ticks.tick().await;
            report("sessions", forget_sessions(&app).await);
            let forgotten = app.coordinator().forget_test_failures().await;
            report("tests", forgotten);
            report("packages", app.store().sweep_packages(clock::now()).await);
            housekeep(&app).await;
        }
    };
    let downstream = async {
        let mut ticks = interval(NOW_AND_THEN);
        loop {
            let coordinator = app.coordinator();
            tokio::select! {
                () = coordinator.nudged() => report("downstream", coordinator.settle().await),
                _ = ticks.tick() => report("downstream", coordinator.settle_all().await),
            }
        }
    };
    tokio::select! {
        () = closing.cancelled() => {}
        () = async { tokio::join!(often, now_and_then, seldom, downstream); } => {}
    }
}

async fn forget_sessions(app: &App) -> Result<(), shipway_store::StoreError> {
    let mut transaction = app.store().begin().await?;
    transaction.delete_expired_sessions(clock::now()).await?;
    transaction.commit().await
}

/// Packs the repositories that have many loose objects.
async fn housekeep(app: &App) {
    for project in projects(app).await {
        let number = u64::try_from(project.id.0).unwrap_or_default();
        let Ok(repository) = app.repositories().get(number).await else {
            continue;
        };
        if let Err(error) = repository.sweep(ABANDONED).await {
            tracing::warn!(project = project.full_path, error = %chain(&error), "repository.untidy");
        }
        let due = repository
            .housekeeping()
            .await
            .is_ok_and(|state| state.is_due());
        if due && let Err(error) = repository.housekeep().await {
            tracing::warn!(project = project.full_path, error = %chain(&error), "repository.untidy");
        }
    }
}

/// All projects, as far as the store gives them.
async fn projects(app: &App) -> Vec<ProjectRow> {
    let mut all = Vec::new();
    loop {
        let page = Page {
            limit: PAGE,
            offset: i64::try_from(all.len()).unwrap_or(i64::MAX),
        };
        match app.store().projects(&ProjectFilter::default(), page).await {
            Ok(found) if found.rows.is_empty() => return all,
            Ok(found) => all.extend(found.rows),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "projects.unlisted");
                return all;
            }
        }
    }
}

/// A round that failed is logged; the next one tries again.
fn report<T>(what: &str, round: Result<T, impl std::error::Error>) {
    if let Err(error) = round {
        tracing::warn!(what, error = %chain(&error), "round.failed");
    }
}
