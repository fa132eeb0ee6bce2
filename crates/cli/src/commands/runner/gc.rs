//! `shipway runner gc`: what the runners made, and what of it goes.

use std::io::{self, Write};
use std::path::Path;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use shipway_runner::disk::{Budget, Collected, Item, Kind, Removal, State};

use super::{block_on, load, surroundings};
use crate::error::Fault;
use crate::output;
use crate::runner_args::GcArgs;
use crate::style::{self, paint};
use crate::text;

pub(super) fn gc(args: &GcArgs, path: &Path) -> Result<u8, Fault> {
    let (_, settings) = load(path)?;
    if settings.runners.is_empty() {
        return Err(
            Fault::usage_text(format!("there is no runner in {}", path.display()))
                .hint("add one with `shipway runner register`, or name the file with --config"),
        );
    }
    let set = settings.disk_budget().map_err(Fault::usage)?;
    let of_file = set.unwrap_or_default();
    let budget = Budget {
        limit: args.budget.or(of_file.limit),
        floor: args.floor.unwrap_or(of_file.floor),
    };
    let surroundings = surroundings(path, &args.working_directory)?;
    let collector = settings.collector(&surroundings, budget);
    let collector = collector.map_err(Fault::usage)?;
    let found = block_on(async { Ok(collector.round(args.dry_run).await) })?;
    output::print(|out| show(out, &found, &budget, args.dry_run))?;
    let failed = (found.removals.iter()).any(|one| matches!(one, Removal::Failed(_)));
    Ok(u8::from(failed))
}

fn show(
    out: &mut dyn Write,
    found: &Collected,
    budget: &Budget,
    is_rehearsal: bool,
) -> io::Result<()> {
    if !found.items.is_empty() {
        writeln!(out, "{}", table(found, is_rehearsal).trim_fmt())?;
        writeln!(out)?;
    }
    let limit = match budget.limit {
        Some(limit) => format!("of a budget of {}", text::bytes(limit)),
        None => "and there is no budget".to_owned(),
    };
    let plan = &found.plan;
    writeln!(out, "{} used {limit}.", text::bytes(plan.total))?;
    match is_rehearsal {
        true if plan.evict.is_empty() => writeln!(out, "Nothing would go.")?,
        true => writeln!(
            out,
            "{} would go, {}. Nothing was removed.",
            text::count(plan.evict.len(), "thing"),
            text::bytes(plan.freed)
        )?,
        false => {
            let gone = (found.removals.iter()).filter(|one| **one == Removal::Gone);
            let gone = text::count(gone.count(), "thing");
            writeln!(out, "Removed {gone}, {}.", text::bytes(found.freed()))?;
        }
    }
    for reason in &found.unreachable {
        writeln!(out, "What is on an engine is not counted: {reason}")?;
    }
    if plan.over > 0 {
        writeln!(
            out,
            "{} too much stays, which jobs use.",
            text::bytes(plan.over)
        )?;
    }
    for (place, bytes) in &plan.short {
        let path = found.places[*place].path.display();
        let bytes = text::bytes(*bytes);
        writeln!(
            out,
            "{bytes} of the floor are missing where {path} is; others fill it."
        )?;
    }
    Ok(())
}

fn table(found: &Collected, is_rehearsal: bool) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(
        ["Kind", "Size", "Last used", "", "Name"].map(|title| paint(style::BOLD, title)),
    );
    let mut order: Vec<usize> = (0..found.items.len()).collect();
    order.sort_by_key(|index| found.items[*index].last_used);
    for index in order {
        let item = &found.items[index];
        let planned = found
            .plan
            .evict
            .iter()
            .position(|evicted| *evicted == index);
        let fate = match (planned, item.state) {
            (None, State::InUse) => "in use".to_owned(),
            (None, _) => "stays".to_owned(),
            (Some(_), _) if is_rehearsal => "would go".to_owned(),
            (Some(place), _) => match found.removals.get(place) {
                Some(Removal::Gone) => "removed".to_owned(),
                Some(Removal::Failed(reason)) => format!("not removed: {reason}"),
                _ => "in use by now".to_owned(),
            },
        };
        table.add_row([
            item.kind.as_str().to_owned(),
            text::bytes(item.bytes),
            last_used(item),
            fate,
            item.name.clone(),
        ]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// In local time; nothing for what nobody can use.
fn last_used(item: &Item) -> String {
    if item.state == State::Leftover || item.kind == Kind::Remains {
        return "left over".to_owned();
    }
    let seconds = i64::try_from(item.last_used).unwrap_or_default();
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let zoned = time.to_zoned(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M").to_string()
}
