//! `cache`.

use super::artifacts::{paths_entry, result_when};
use super::place::{Keys, Place};
use super::values::value;
use crate::yaml::{Map, Node, get};
use crate::{Cache, CacheKey, Limits};

const KEYS: Keys = Keys {
    known: &[
        "key",
        "paths",
        "untracked",
        "unprotect",
        "when",
        "policy",
        "fallback_keys",
    ],
    later: &[],
};

const KEY: Keys = Keys {
    known: &["files", "files_commits", "prefix"],
    later: &[],
};

const POLICIES: [&str; 3] = ["pull-push", "push", "pull"];

/// `cache`: one map or a list of them; an empty list means no cache.
pub(crate) fn caches(node: &Node, at: &Place<'_>, limits: &Limits) -> Option<Vec<Cache>> {
    let Some(list) = node.as_list() else {
        return cache(node, at).map(|cache| vec![cache]);
    };
    if list.len() > limits.caches {
        let reason = format!("no more than {} caches can be created", limits.caches);
        at.config(node, &reason).label("too many caches");
        return None;
    }
    list.iter().map(|node| cache(node, at)).collect()
}

fn cache(node: &Node, at: &Place<'_>) -> Option<Cache> {
    let map = at.map(node, &KEYS)?;
    let key = match value(map, "key") {
        Some(node) => key(node, &at.key("key"))?,
        None => CacheKey::default(),
    };
    let paths = match value(map, "paths") {
        Some(node) => paths_entry(node, &at.key("paths")).unwrap_or_default(),
        None => Vec::new(),
    };
    Some(Cache {
        key,
        paths,
        untracked: flag(map, "untracked", at),
        unprotect: flag(map, "unprotect", at),
        when: result_when(map, at),
        policy: policy(map, at),
        fallback_keys: fallback_keys(map, at),
    })
}

fn flag(map: &Map, key: &str, at: &Place<'_>) -> bool {
    let Some(node) = value(map, key) else {
        return false;
    };
    node.as_bool().unwrap_or_else(|| {
        at.key(key).config(node, "should be a boolean value");
        false
    })
}

fn policy(map: &Map, at: &Place<'_>) -> String {
    let Some(node) = value(map, "policy") else {
        return "pull-push".to_owned();
    };
    // A policy with variables is known only when the job runs.
    match node.as_text() {
        Some(text) if POLICIES.contains(&text) || text.contains('$') => text.to_owned(),
        text => {
            let reason = format!("should be a variable or one of: {}", POLICIES.join(", "));
            at.attribute(node, "policy", &reason)
                .did_you_mean(text, &POLICIES);
            String::new()
        }
    }
}

fn fallback_keys(map: &Map, at: &Place<'_>) -> Vec<String> {
    let Some(node) = value(map, "fallback_keys") else {
        return Vec::new();
    };
    let place = at.key("fallback_keys");
    let keys = paths_entry(node, &place).unwrap_or_default();
    if keys.len() > 5 {
        // The slip is GitLab's.
        at.attribute(node, "fallback_keys", "has to many entries (maximum 5)")
            .label("too many keys");
    }
    keys
}

fn key(node: &Node, at: &Place<'_>) -> Option<CacheKey> {
    if let Some(text) = node.as_text() {
        return key_text(text, node, at).map(CacheKey::Text);
    }
    let Some(map) = node.as_map() else {
        at.form(node, "should be a hash, a string or a symbol")
            .hint("put the key in quotes");
        return None;
    };
    at.check_keys(map, &KEY);
    let prefix = match value(map, "prefix") {
        None => None,
        Some(node) => match node.as_text() {
            Some(text) => key_text(text, node, &at.key("prefix")),
            None => {
                at.key("prefix")
                    .config(node, "should be a string or symbol");
                return None;
            }
        },
    };
    if value(map, "files").is_some() && value(map, "files_commits").is_some() {
        at.config(
            node,
            "must use exactly one of these keys: files, files_commits",
        );
        return None;
    }
    let (name, most) = match value(map, "files_commits") {
        Some(_) => ("files_commits", 2),
        None => ("files", 10),
    };
    let Some(files) = get(map, name) else {
        // An unknown key has been told; the missing one would only repeat it.
        if map.keys().all(|key| KEY.known.contains(&key.as_str())) {
            at.config(node, "missing required keys: files");
        }
        return None;
    };
    let place = at.key(name);
    let list = paths_entry(&files.node, &place)?;
    if list.is_empty() {
        place.config(&files.node, "requires at least 1 item");
        return None;
    }
    if list.len() > most {
        let reason = format!("has too many items (maximum is {most})");
        place.config(&files.node, &reason);
        return None;
    }
    Some(if name == "files" {
        CacheKey::Files {
            files: list,
            prefix,
        }
    } else {
        CacheKey::FilesCommits {
            files: list,
            prefix,
        }
    })
}

/// The key is a file name on the runner: no `/`, and not only dots.
fn key_text(text: &str, node: &Node, at: &Place<'_>) -> Option<String> {
    let plain = text.replace("%2E", ".").replace("%2e", ".");
    if text.contains('/') || text.to_ascii_lowercase().contains("%2f") {
        at.config(node, "cannot contain the \"/\" character");
        return None;
    }
    if !plain.is_empty() && plain.chars().all(|c| c == '.') {
        at.config(node, "cannot be \".\" or \"..\"");
        return None;
    }
    Some(text.to_owned())
}
