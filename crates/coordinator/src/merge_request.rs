//! The pipeline of a merge request that a local run makes up: `--source merge_request_event`.

use shipway_config::variables::{Collection, Variable};
use shipway_git::Facts;
use shipway_pipeline::{Context, RefKind};

/// What the made-up merge request is called by.
const NUMBER: &str = "1";

/// Turns the context of a branch into that of a merge request from it into the default branch,
/// as GitLab has it for a detached pipeline: there is no `CI_COMMIT_BRANCH`.
pub(crate) fn make(context: &mut Context, facts: &Facts) {
    context.ref_kind = RefKind::MergeRequest;
    let before = std::mem::take(&mut context.predefined);
    let of = |name: &str| before.value(name).unwrap_or_default().to_owned();
    let project = ["ID", "PATH", "URL"].map(|part| (part, of(&format!("CI_PROJECT_{part}"))));
    let mut variables: Collection = before
        .iter()
        .filter(|variable| variable.key != "CI_COMMIT_BRANCH")
        .cloned()
        .collect();
    let mut set = |part: &str, value: &str| {
        variables.push(Variable::new(format!("CI_MERGE_REQUEST_{part}"), value));
    };
    set("ID", NUMBER);
    set("IID", NUMBER);
    set("REF_PATH", &format!("refs/merge-requests/{NUMBER}/head"));
    for (part, value) in &project {
        set(&format!("PROJECT_{part}"), value);
        set(&format!("SOURCE_PROJECT_{part}"), value);
    }
    set("SOURCE_BRANCH_NAME", &facts.ref_name);
    set("SOURCE_BRANCH_PROTECTED", &of("CI_COMMIT_REF_PROTECTED"));
    set("TARGET_BRANCH_NAME", &facts.default_branch);
    set("TARGET_BRANCH_PROTECTED", "true");
    set("TITLE", &facts.title);
    set("EVENT_TYPE", "detached");
    set("DRAFT", "false");
    set("SQUASH_ON_MERGE", "false");
    // Only pipelines of merge results know these.
    set("SOURCE_BRANCH_SHA", "");
    set("TARGET_BRANCH_SHA", "");
    let path = &context.project_path;
    let open = format!("{path}!{NUMBER}");
    variables.push(Variable::new("CI_OPEN_MERGE_REQUESTS", open));
    context.predefined = variables;
}
