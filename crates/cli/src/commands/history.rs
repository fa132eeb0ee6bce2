//! `shipway history`: past runs, newest first.

use std::io::Write;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use shipway_coordinator::{Coordinator, PipelineView};

use super::block_on;
use crate::args::HistoryArgs;
use crate::error::Fault;
use crate::output;
use crate::project::Project;
use crate::state;
use crate::style::{self, paint};
use crate::text;

/// Runs the command.
pub(crate) fn history(args: &HistoryArgs) -> Result<u8, Fault> {
    let project = Project::find(&args.project)?;
    let views = block_on(async {
        let store = state::open_existing(&project.state_dir).await?;
        let coordinator = Coordinator::new(store);
        let rows = coordinator.store().pipelines(args.limit).await;
        let mut views = Vec::new();
        for row in rows.map_err(Fault::other)? {
            views.push(coordinator.view(row.id).await.map_err(Fault::other)?);
        }
        Ok(views)
    })?;
    output::print(|out| print(out, &views))?;
    Ok(0)
}

fn print(out: &mut dyn Write, views: &[PipelineView]) -> std::io::Result<()> {
    if views.is_empty() {
        return writeln!(out, "No runs yet.");
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    let header = [
        "Run", "Status", "Started", "Ref", "Jobs", "Duration", "Coverage",
    ];
    table.set_header(header.map(|title| paint(style::BOLD, title)));
    for view in views {
        let status = format!("{} {}", style::symbol(view.status), view.status);
        table.add_row([
            view.id.to_string(),
            paint(style::of(view.status), status),
            local_time(view.created_at),
            format!(
                "{} {}",
                view.ref_name,
                view.sha.get(..8).unwrap_or_default()
            ),
            view.jobs.len().to_string(),
            text::duration(view.duration),
            view.coverage.map(text::percent).unwrap_or_default(),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())
}

/// The time in the zone of this machine.
fn local_time(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .map(|time| {
            let zoned = time.to_zoned(jiff::tz::TimeZone::system());
            zoned.strftime("%Y-%m-%d %H:%M:%S").to_string()
        })
        .unwrap_or_default()
}
