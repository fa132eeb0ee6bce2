//! What the failure of a job means: `allow_failure` and `retry`.

use super::place::{Keys, Place};
use super::values::{string_or_strings, value, whole_number};
use crate::yaml::{Map, Node, Value};
use crate::{AllowFailure, Retry};

/// `allow_failure`: true, false, or exit codes.
pub(crate) fn allow_failure(map: &Map, at: &Place<'_>) -> Option<AllowFailure> {
    const KEYS: Keys = Keys {
        known: &["exit_codes"],
        later: &[],
    };
    let node = value(map, "allow_failure")?;
    match &node.value {
        Value::Bool(allowed) => Some(AllowFailure::Always(*allowed)),
        Value::Map(inner) => {
            let at = at.key("allow_failure");
            at.check_keys(inner, &KEYS);
            exit_codes(inner, &at).map(AllowFailure::ExitCodes)
        }
        _ => {
            at.attribute(node, "allow_failure", "should be a hash or a boolean value");
            None
        }
    }
}

fn exit_codes(map: &Map, at: &Place<'_>) -> Option<Vec<i32>> {
    let node = value(map, "exit_codes")?;
    let code = |node: &Node| match node.value {
        Value::Integer(code) => i32::try_from(code).ok(),
        _ => None,
    };
    let codes = match node.as_list() {
        Some(list) => list.iter().map(code).collect(),
        None => code(node).map(|code| vec![code]),
    };
    if codes.is_none() {
        at.attribute(
            node,
            "exit_codes",
            "should be an array of integers or an integer",
        );
    }
    codes
}

/// What `retry:when` may name: every reason a job of GitLab can fail for, and `always`.
pub(crate) const RETRY_WHEN: [&str; 53] = [
    "always",
    "unknown_failure",
    "script_failure",
    "api_failure",
    "stuck_or_timeout_failure",
    "runner_system_failure",
    "missing_dependency_failure",
    "runner_unsupported",
    "stale_schedule",
    "job_execution_timeout",
    "archived_failure",
    "unmet_prerequisites",
    "scheduler_failure",
    "data_integrity_failure",
    "forward_deployment_failure",
    "user_blocked",
    "project_deleted",
    "ci_quota_exceeded",
    "pipeline_loop_detected",
    "no_matching_runner",
    "trace_size_exceeded",
    "builds_disabled",
    "environment_creation_failure",
    "deployment_rejected",
    "failed_outdated_deployment_job",
    "job_execution_server_timeout",
    "stuck_pending_with_matching_runners",
    "stuck_pending_no_matching_runners",
    "no_updates_running",
    "no_updates_canceling",
    "server_timeout_running",
    "server_timeout_canceling",
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "protected_environment_failure",
    "insufficient_bridge_permissions",
    "downstream_bridge_project_not_found",
    "invalid_bridge_trigger",
    "upstream_bridge_project_not_found",
    "insufficient_upstream_permissions",
    "bridge_pipeline_is_child_pipeline",
    "downstream_pipeline_creation_failed",
    "secrets_provider_not_found",
    "reached_max_descendant_pipelines_depth",
    "ip_restriction_failure",
    "reached_max_pipeline_hierarchy_size",
    "reached_downstream_pipeline_trigger_rate_limit",
    "duo_workflow_not_allowed",
    "job_router_failure",
    "job_token_expired",
    "id_token_burned_project_path",
    "downstream_project_trigger_resolved_to_empty",
];

/// `retry`: a number, or a map.
pub(crate) fn retry(node: &Node, at: &Place<'_>) -> Option<Retry> {
    const KEYS: Keys = Keys {
        known: &["max", "when", "exit_codes"],
        later: &[],
    };
    match &node.value {
        Value::Integer(_) | Value::Float(_) => Some(Retry {
            max: whole_number(node, 0, 2, |reason| {
                at.config(node, reason);
            })? as u8,
            ..Retry::default()
        }),
        Value::Map(map) => {
            at.check_keys(map, &KEYS);
            let max = match value(map, "max") {
                Some(node) => whole_number(node, 0, 2, |reason| {
                    at.attribute(node, "max", reason);
                })?,
                // GitLab takes a map without `max` for no retries at all.
                None => 0,
            };
            Some(Retry {
                max: max as u8,
                when: retry_when(map, at),
                exit_codes: exit_codes(map, at).unwrap_or_default(),
            })
        }
        _ => {
            at.config(node, "has to be either an integer or a hash");
            None
        }
    }
}

fn retry_when(map: &Map, at: &Place<'_>) -> Vec<String> {
    let Some(node) = value(map, "when") else {
        return Vec::new();
    };
    let Ok(reasons) = string_or_strings(node) else {
        at.attribute(node, "when", "should be an array of strings or a string");
        return Vec::new();
    };
    let unknown: Vec<&str> = reasons
        .iter()
        .map(String::as_str)
        .filter(|reason| !RETRY_WHEN.contains(reason))
        .collect();
    if let Some(first) = unknown.first() {
        let text = if node.as_list().is_some() {
            format!("contains unknown values: {}", unknown.join(", "))
        } else {
            "is not included in the list".to_owned()
        };
        at.attribute(node, "when", &text)
            .label("no failure reason that can be retried")
            .did_you_mean(Some(first), &RETRY_WHEN);
    }
    reasons
}
