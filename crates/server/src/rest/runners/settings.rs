//! What can be set of a runner.

use serde_json::json;
use shipway_store::{NewRunner, RunnerRow};

use crate::error::ApiError;
use crate::limits;
use crate::rest::params::Params;

/// The fewest seconds that a runner may limit jobs to.
const SHORTEST_TIMEOUT: i64 = 600;

/// What the parameters say about a runner, on top of what it is.
pub(super) fn apply(params: &Params, row: &mut NewRunner) -> Result<(), ApiError> {
    let (paused, active) = (params.boolean("paused")?, params.boolean("active")?);
    if paused.is_some() && active.is_some() {
        return Err(ApiError::parameter("active, paused are mutually exclusive"));
    }
    if let Some(paused) = paused.or(active.map(|active| !active)) {
        row.paused = paused;
    }
    if let Some(description) = params.short("description")? {
        row.description = description;
    }
    if let Some(note) = params.short("maintenance_note")? {
        row.maintenance_note = Some(note).filter(|note| !note.is_empty());
    }
    if let Some(tags) = params.comma_list("tag_list")? {
        if !limits::are_tags(&tags) {
            return Err(ApiError::invalid(
                "tag_list",
                "has too many or too long tags (50 of 255)",
            ));
        }
        row.tags = json!(tags).to_string();
    }
    if let Some(untagged) = params.boolean("run_untagged")? {
        row.run_untagged = untagged;
    }
    if let Some(locked) = params.boolean("locked")? {
        row.locked = locked;
    }
    if let Some(level) = params.one_of("access_level", &["not_protected", "ref_protected"])? {
        row.protected_only = level == "ref_protected";
    }
    if params.has("maximum_timeout") {
        let seconds = params.number("maximum_timeout")?;
        if seconds.is_some_and(|seconds| seconds < SHORTEST_TIMEOUT) {
            let fault = "needs to be at least 10 minutes";
            return Err(ApiError::invalid("maximum_timeout", fault));
        }
        row.maximum_timeout = seconds;
    }
    if !row.run_untagged && row.tags == "[]" {
        let fault = "can not be empty when runner is not allowed to pick untagged jobs";
        return Err(ApiError::invalid("tags_list", fault));
    }
    Ok(())
}

/// What somebody may change of a runner, as a new one has it.
pub(super) fn editable(row: &RunnerRow) -> NewRunner {
    NewRunner {
        token_digest: row.token_digest.clone(),
        token_prefix: row.token_prefix.clone(),
        token_expires_at: row.token_expires_at,
        kind: row.kind,
        owner_id: row.owner_id,
        description: row.description.clone(),
        maintenance_note: row.maintenance_note.clone(),
        tags: row.tags.clone(),
        run_untagged: row.run_untagged,
        locked: row.locked,
        protected_only: row.protected_only,
        paused: row.paused,
        maximum_timeout: row.maximum_timeout,
        version: row.version.clone(),
        revision: row.revision.clone(),
        platform: row.platform.clone(),
        architecture: row.architecture.clone(),
        executor: row.executor.clone(),
        ip: row.ip.clone(),
        contacted_at: row.contacted_at,
        created_at: row.created_at,
    }
}
