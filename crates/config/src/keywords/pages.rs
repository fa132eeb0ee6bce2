//! `pages`, and `publish` in its old place beside it.

use super::place::{Keys, Place};
use super::values::value;
use crate::yaml::{Map, Node, Value};
use crate::{Artifacts, Pages, duration};

const KEYS: Keys = Keys {
    known: &["publish", "path_prefix", "expire_in"],
    later: &[],
};

/// The folder that is published unless another is named.
const FOLDER: &str = "public";

/// The site of a job: one called `pages`, unless it says no, or one that says so.
pub(crate) fn pages(name: &str, map: &Map, at: &Place<'_>) -> Option<Pages> {
    let node = value(map, "pages");
    let published = at.text(map, "publish");
    let mut pages = match node.map(|node| &node.value) {
        Some(Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Pages::default()),
        None => (name == "pages").then(Pages::default),
        Some(Value::Map(_)) => node.and_then(|node| read(node, &at.key("pages"))),
        Some(_) => {
            if let Some(node) = node {
                at.key("pages")
                    .config(node, "should be a hash or a boolean value");
            }
            None
        }
    };
    match &mut pages {
        Some(pages) => {
            if pages.publish.is_empty() {
                pages.publish = published.unwrap_or_else(|| FOLDER.to_owned());
            } else if let Some(node) = value(map, "publish") {
                at.attribute(
                    node,
                    "publish",
                    "cannot be used together with `pages.publish`",
                );
            }
        }
        None => {
            if let Some(node) = value(map, "publish") {
                at.attribute(node, "publish", "can only be used within a `pages` job")
                    .hint("add `pages: true`");
            }
        }
    }
    pages
}

fn read(node: &Node, at: &Place<'_>) -> Option<Pages> {
    let map = at.map(node, &KEYS)?;
    Some(Pages {
        publish: at.text(map, "publish").unwrap_or_default(),
        path_prefix: at.text(map, "path_prefix"),
        expire_in: expire_in(map, at),
    })
}

fn expire_in(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "expire_in")?;
    let text = node.as_text().filter(|text| {
        text.contains('$')
            || text.eq_ignore_ascii_case("never")
            || duration::parse_seconds(text).is_some()
    });
    if text.is_none() {
        at.attribute(node, "expire_in", "should be a duration");
    }
    text.map(str::to_owned)
}

/// What is published is an artifact too.
pub(crate) fn add_to_artifacts(pages: &Pages, artifacts: &mut Option<Artifacts>) {
    let paths = &mut artifacts.get_or_insert_default().paths;
    if !paths.contains(&pages.publish) {
        paths.push(pages.publish.clone());
    }
}
