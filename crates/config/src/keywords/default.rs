//! `default`, the same keywords at the top level (deprecated), and how jobs take them over:
//! whole, never merged.

use super::place::{Keys, Place};
use super::report::Report;
use super::values::value;
use super::{artifacts, cache, failure, flow, hooks, id_tokens, image, script};
use crate::yaml::{Map, get};
use crate::{Artifacts, Cache, Image, Limits, Retry, Service};
use indexmap::IndexMap;

pub(crate) const KEYS: Keys = Keys {
    known: &[
        "before_script",
        "after_script",
        "image",
        "services",
        "cache",
        "artifacts",
        "retry",
        "tags",
        "interruptible",
        "timeout",
        "hooks",
        "id_tokens",
        "identity",
    ],
    later: &[],
};

/// Those of them that may also stand at the top level.
pub(crate) const TOP_LEVEL: [&str; 5] = [
    "before_script",
    "after_script",
    "image",
    "services",
    "cache",
];

/// Keywords that jobs inherit. The same shape serves a job's own ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inheritable {
    pub(crate) before_script: Option<Vec<String>>,
    pub(crate) after_script: Option<Vec<String>>,
    pub(crate) image: Option<Image>,
    pub(crate) services: Option<Vec<Service>>,
    pub(crate) cache: Option<Vec<Cache>>,
    pub(crate) artifacts: Option<Artifacts>,
    pub(crate) retry: Option<Retry>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) interruptible: Option<bool>,
    pub(crate) hooks: Option<Vec<String>>,
    pub(crate) id_tokens: Option<IndexMap<String, Vec<String>>>,
    pub(crate) identity: Option<String>,
}

impl Inheritable {
    /// Reads the keywords that are in a map, whatever else is in it.
    pub(crate) fn read(map: &Map, at: &Place<'_>, limits: &Limits) -> Self {
        Self {
            before_script: value(map, "before_script")
                .and_then(|node| script::commands(node, &at.key("before_script"))),
            after_script: value(map, "after_script")
                .and_then(|node| script::commands(node, &at.key("after_script"))),
            image: value(map, "image").and_then(|node| image::image(node, &at.key("image"))),
            services: value(map, "services")
                .and_then(|node| image::services(node, &at.key("services"))),
            cache: value(map, "cache")
                .and_then(|node| cache::caches(node, &at.key("cache"), limits)),
            artifacts: value(map, "artifacts")
                .and_then(|node| artifacts::artifacts(node, &at.key("artifacts"))),
            retry: value(map, "retry").and_then(|node| failure::retry(node, &at.bare_key("retry"))),
            tags: value(map, "tags").and_then(|node| flow::tags(node, &at.key("tags"), limits)),
            interruptible: value(map, "interruptible")
                .and_then(|node| flow::interruptible(node, &at.key("interruptible"))),
            hooks: value(map, "hooks").and_then(|node| hooks::hooks(node, &at.key("hooks"))),
            id_tokens: value(map, "id_tokens")
                .and_then(|node| id_tokens::id_tokens(node, &at.key("id_tokens"))),
            identity: id_tokens::identity(map, at),
        }
    }

    /// Takes over what is not given here. `takes` says which keywords the job inherits.
    pub(crate) fn inherit(&mut self, defaults: &Self, takes: impl Fn(&str) -> bool) {
        fn fill<T: Clone>(own: &mut Option<T>, default: &Option<T>, takes: bool) {
            if own.is_none() && takes {
                own.clone_from(default);
            }
        }
        fill(
            &mut self.before_script,
            &defaults.before_script,
            takes("before_script"),
        );
        fill(
            &mut self.after_script,
            &defaults.after_script,
            takes("after_script"),
        );
        fill(&mut self.image, &defaults.image, takes("image"));
        fill(&mut self.services, &defaults.services, takes("services"));
        fill(&mut self.cache, &defaults.cache, takes("cache"));
        fill(&mut self.artifacts, &defaults.artifacts, takes("artifacts"));
        fill(&mut self.retry, &defaults.retry, takes("retry"));
        fill(&mut self.tags, &defaults.tags, takes("tags"));
        fill(
            &mut self.interruptible,
            &defaults.interruptible,
            takes("interruptible"),
        );
        fill(&mut self.hooks, &defaults.hooks, takes("hooks"));
        fill(&mut self.id_tokens, &defaults.id_tokens, takes("id_tokens"));
        fill(&mut self.identity, &defaults.identity, takes("identity"));
    }
}

/// The defaults of all jobs: `default` and the old keywords at the top level.
pub(crate) fn defaults(root: &Map, report: &Report, limits: &Limits) -> Inheritable {
    let place = Place::top("default", report);
    let mut defaults = Inheritable::default();
    let block = get(root, "default");
    if let Some(entry) = block
        && !entry.node.is_null()
        // With a script it is a job of this name.
        && entry.node.get("script").is_none()
        && let Some(map) = place.map(&entry.node, &KEYS)
    {
        defaults = Inheritable::read(map, &place, limits);
        // It is checked, and has no effect: GitLab takes no time-out from `default`.
        if let Some(node) = value(map, "timeout") {
            flow::timeout(node, &place.key("timeout"));
        }
        for key in TOP_LEVEL {
            if let (Some(top), Some(inner)) = (value(root, key), get(map, key)) {
                place
                    .message(
                        top.span,
                        format!("{key} is defined in top-level and `default:` entry"),
                    )
                    .label("here")
                    .related(inner.key_span, "and here")
                    .hint(format!("keep the `{key}` under `default:`"));
            }
        }
    }
    let mut top = Inheritable::default();
    for key in TOP_LEVEL {
        if let Some(node) = value(root, key) {
            let at = Place::top(key, report);
            match key {
                "before_script" => top.before_script = script::commands(node, &at),
                "after_script" => top.after_script = script::commands(node, &at),
                "image" => top.image = image::image(node, &at),
                "services" => top.services = image::services(node, &at),
                _ => top.cache = cache::caches(node, &at, limits),
            }
        }
    }
    defaults.inherit(&top, |_| true);
    defaults
}
