//! `shipway clean`: deletes old runs until what is kept fits a budget.

use super::block_on;
use crate::args::CleanArgs;
use crate::error::Fault;
use crate::output;
use crate::project::{self, Project};
use crate::state;
use crate::text;

/// Runs the command.
pub(crate) fn clean(args: &CleanArgs) -> Result<u8, Fault> {
    let project = Project::find(&args.project)?;
    let cache = project.state_dir.join("cache");
    let (pruned, caches) = block_on(async {
        let store = state::open_existing(&project.state_dir).await?;
        let cached = shipway_store::tree_size(&cache).map_err(Fault::other)?;
        let pruned = store.prune(args.budget.saturating_sub(cached)).await;
        let mut pruned = pruned.map_err(Fault::other)?;
        // Caches go last: they can be made anew, yet every run profits from them.
        let mut caches = 0;
        if pruned.remaining + cached > args.budget && cached > 0 {
            std::fs::remove_dir_all(&cache).map_err(|cause| {
                Fault::usage_text(format!("cannot delete {}: {cause}", cache.display()))
            })?;
            caches = cached;
        } else {
            pruned.remaining += cached;
        }
        Ok((pruned, caches))
    })?;
    let own_state = args.project.state_dir.is_some();
    let builds = project::builds_dir(&project.root, &project.state_dir, own_state);
    output::print(|out| {
        writeln!(
            out,
            "Deleted {}, freed {}; {} remain.",
            text::count(pruned.pipelines.len(), "run"),
            text::bytes(pruned.freed + caches),
            text::bytes(pruned.remaining),
        )?;
        if caches > 0 {
            writeln!(
                out,
                "The caches did not fit the budget and are deleted too."
            )?;
        }
        writeln!(
            out,
            "Jobs run in {}, which is emptied after each.",
            builds.display()
        )
    })?;
    Ok(0)
}
