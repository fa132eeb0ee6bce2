//! The context of a merge request's pipeline: a server's, or one that a local run makes up for
//! `--source merge_request_event`.

use shipway_config::variables::{Collection, Variable};
use shipway_git::Facts;
use shipway_pipeline::{Context, RefKind};
use shipway_store::MergeRequestRow;

/// GitLab's limit of `CI_MERGE_REQUEST_DESCRIPTION`, in characters.
const DESCRIPTION: usize = 2700;

/// What a pipeline is told of its merge request.
struct Details<'a> {
    id: String,
    iid: String,
    source: &'a str,
    target: &'a str,
    target_protected: bool,
    title: &'a str,
    description: &'a str,
    /// The last commit that both branches have.
    base: &'a str,
    /// `CI_OPEN_MERGE_REQUESTS`.
    open: String,
    /// Its commits become one where nobody wishes otherwise.
    squash: bool,
}

/// Turns the context of a branch into that of a made-up merge request from it into the default
/// branch.
pub(crate) fn make(context: &mut Context, facts: &Facts) {
    let details = Details {
        id: "1".to_owned(),
        iid: "1".to_owned(),
        source: &facts.ref_name,
        target: &facts.default_branch,
        target_protected: true,
        title: &facts.title,
        description: "",
        base: "",
        open: format!("{}!1", context.project_path),
        squash: false,
    };
    detach(context, &details);
}

/// Turns the context of the source branch into that of its merge request. `base` is the last
/// commit that both branches have.
pub(crate) fn of(
    context: &mut Context,
    row: &MergeRequestRow,
    target_protected: bool,
    base: Option<&str>,
    squash: bool,
) {
    let open = context.predefined.value("CI_OPEN_MERGE_REQUESTS");
    let details = Details {
        id: row.id.to_string(),
        iid: row.iid.to_string(),
        source: &row.source_branch,
        target: &row.target_branch,
        target_protected,
        title: &row.title,
        description: &row.description,
        base: base.unwrap_or_default(),
        open: open.unwrap_or_default().to_owned(),
        squash,
    };
    detach(context, &details);
}

/// As GitLab has it for a detached pipeline: there is no `CI_COMMIT_BRANCH`.
fn detach(context: &mut Context, details: &Details<'_>) {
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
    let iid = &details.iid;
    set("ID", &details.id);
    set("IID", iid);
    set("REF_PATH", &format!("refs/merge-requests/{iid}/head"));
    for (part, value) in &project {
        set(&format!("PROJECT_{part}"), value);
        set(&format!("SOURCE_PROJECT_{part}"), value);
    }
    set("SOURCE_BRANCH_NAME", details.source);
    set("SOURCE_BRANCH_PROTECTED", &of("CI_COMMIT_REF_PROTECTED"));
    set("TARGET_BRANCH_NAME", details.target);
    let protected = details.target_protected.to_string();
    set("TARGET_BRANCH_PROTECTED", &protected);
    set("TITLE", details.title);
    if !details.description.is_empty() {
        let cut: String = details.description.chars().take(DESCRIPTION).collect();
        let truncated = (cut.len() < details.description.len()).to_string();
        set("DESCRIPTION", &cut);
        set("DESCRIPTION_IS_TRUNCATED", &truncated);
    }
    if !details.base.is_empty() {
        set("DIFF_BASE_SHA", details.base);
    }
    set("EVENT_TYPE", "detached");
    let draft = details.title.starts_with("Draft:").to_string();
    set("DRAFT", &draft);
    set("SQUASH_ON_MERGE", &details.squash.to_string());
    // Only pipelines of merge results know these.
    set("SOURCE_BRANCH_SHA", "");
    set("TARGET_BRANCH_SHA", "");
    if !details.open.is_empty() {
        variables.push(Variable::new("CI_OPEN_MERGE_REQUESTS", &details.open));
    }
    context.predefined = variables;
}
