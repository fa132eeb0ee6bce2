//! What makes an entry of the top level a job, and which keys it may have then.

use super::place::{Keys, Place};
use crate::yaml::{Entry, Map, Node, get};

/// Of a job with commands.
pub(crate) const KEYS: Keys = Keys {
    known: &[
        "extends",
        "stage",
        "script",
        "run",
        "before_script",
        "after_script",
        "hooks",
        "image",
        "services",
        "variables",
        "inherit",
        "rules",
        "only",
        "except",
        "when",
        "start_in",
        "manual_confirmation",
        "allow_failure",
        "needs",
        "dependencies",
        "artifacts",
        "cache",
        "tags",
        "retry",
        "timeout",
        "coverage",
        "parallel",
        "interruptible",
        "resource_group",
        "environment",
        "release",
        "pages",
        "publish",
        "secrets",
        "id_tokens",
        "identity",
        "inputs",
        "dast_configuration",
    ],
    later: &[],
};

/// Of a job that starts another pipeline or mirrors one.
const TRIGGER_KEYS: Keys = Keys {
    known: &[
        "trigger",
        "parallel",
        "extends",
        "stage",
        "only",
        "except",
        "rules",
        "variables",
        "inherit",
        "allow_failure",
        "when",
        "needs",
        "resource_group",
        "interruptible",
        "environment",
    ],
    later: &[],
};

/// What makes an entry a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `script` or `run`.
    Commands,
    /// `trigger`, or needs without commands.
    Trigger,
    /// None of them.
    Unknown,
}

/// Told by its keys, whatever their values are.
pub(crate) fn kind(node: &Node) -> Kind {
    let has = |key: &str| node.as_map().is_some_and(|map| get(map, key).is_some());
    if has("script") || has("run") {
        Kind::Commands
    } else if has("trigger") || has("needs") {
        Kind::Trigger
    } else {
        Kind::Unknown
    }
}

impl Kind {
    /// Tells of keys that such a job does not have.
    pub(crate) fn check_keys(self, map: &Map, at: &Place<'_>) {
        match self {
            Self::Commands => at.check_keys(map, &KEYS),
            Self::Trigger => at.check_keys(map, &TRIGGER_KEYS),
            Self::Unknown => {}
        }
    }
}

/// An entry without commands: a slip in `script`, or no job at all.
pub(crate) fn without_commands(name: &str, entry: &Entry, at: &Place<'_>) {
    let text = format!(
        "jobs {} config should implement the script:, run:, or trigger: keyword",
        name.to_lowercase()
    );
    let fault = at.message(entry.key_span, text);
    let slip = entry.node.as_map().and_then(|map| {
        map.keys()
            .map(|key| key.as_str())
            .find(|key| !KEYS.known.contains(key) && crate::suggest(key, ["script"]).is_some())
    });
    let globals = super::GLOBALS.iter().copied();
    if let Some(slip) = slip {
        fault
            .label("no `script`")
            .hint(format!("`{slip}` is not a keyword; did you mean `script`?"));
    } else if let Some(near) = crate::suggest(name, globals) {
        fault
            .label("taken for a job")
            .hint(format!("did you mean the keyword `{near}`?"));
    } else if entry.node.as_map().is_some() {
        fault
            .label("no `script`")
            .hint("add `script`, or put a dot before the name to make it a template");
    } else {
        fault
            .label("taken for a job")
            .hint("a job is a map with `script`");
    }
}
