//! `release`.

use super::place::{Keys, Place};
use super::values::{string_or_strings, value};
use crate::yaml::{Map, Node};
use crate::{Release, ReleaseLink};

const KEYS: Keys = Keys {
    known: &[
        "tag_name",
        "tag_message",
        "name",
        "description",
        "ref",
        "released_at",
        "milestones",
        "assets",
    ],
    later: &[],
};

const LINK: Keys = Keys {
    known: &["name", "url", "filepath", "link_type"],
    later: &[],
};

const LINK_TYPES: [&str; 4] = ["other", "runbook", "image", "package"];

/// `release`
pub(crate) fn release(node: &Node, at: &Place<'_>) -> Option<Release> {
    let map = at.map(node, &KEYS)?;
    let tag_name = required(map, "tag_name", node, at);
    let description = required(map, "description", node, at);
    let milestones = match value(map, "milestones") {
        None => Vec::new(),
        Some(node) => match string_or_strings(node) {
            Ok(titles) => titles,
            Err(wrong) => {
                let reason = "should be an array of strings or a string";
                at.attribute(wrong, "milestones", reason);
                Vec::new()
            }
        },
    };
    let release = Release {
        tag_name: String::new(),
        tag_message: at.text(map, "tag_message"),
        name: at.text(map, "name"),
        description: String::new(),
        git_ref: git_ref(map, at),
        milestones,
        released_at: released_at(map, at),
        links: value(map, "assets")
            .map(|node| links(node, &at.key("assets")))
            .unwrap_or_default(),
    };
    Some(Release {
        tag_name: tag_name?,
        description: description?,
        ..release
    })
}

fn required(map: &Map, key: &str, owner: &Node, at: &Place<'_>) -> Option<String> {
    let Some(node) = value(map, key) else {
        at.attribute(owner, key, "can't be blank");
        return None;
    };
    let text = at.text(map, key)?;
    if text.trim().is_empty() {
        at.attribute(node, key, "can't be blank");
        return None;
    }
    Some(text)
}

fn git_ref(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "ref")?;
    match node.as_text() {
        Some(text) if is_ref(text) => Some(text.to_owned()),
        _ => {
            at.attribute(node, "ref", "must be a valid ref");
            None
        }
    }
}

/// The rules of `git check-ref-format`, one level allowed; variables come later.
fn is_ref(text: &str) -> bool {
    let strange = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    !text.is_empty()
        && text != "@"
        && !text.chars().any(strange)
        && !text.contains("..")
        && !text.contains("@{")
        && !text.starts_with('-')
        && !text.ends_with('.')
        && text
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

fn released_at(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "released_at")?;
    match node.as_text() {
        Some(text) if is_datetime(text) => Some(text.to_owned()),
        _ => {
            at.attribute(node, "released_at", "must be a valid datetime")
                .hint("write it as ISO 8601 and in quotes: '2025-03-15T08:00:00Z'");
            None
        }
    }
}

/// A calendar date of ISO 8601, with or without a time of day and a zone.
fn is_datetime(text: &str) -> bool {
    let number = |text: &str, digits: usize, least: u32, most: u32| {
        text.len() == digits
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text
                .parse()
                .is_ok_and(|number| (least..=most).contains(&number))
    };
    let is_date = |date: &str| {
        let parts: Vec<&str> = date.split('-').collect();
        let [year, month, day] = parts[..] else {
            return false;
        };
        number(year, 4, 0, 9999) && number(month, 2, 1, 12) && number(day, 2, 1, days(year, month))
    };
    let is_zone = |zone: &str| {
        zone.is_empty()
            || zone == "Z"
            || zone == "z"
            || zone.strip_prefix(['+', '-']).is_some_and(|zone| {
                let (hour, minute) = match zone.split_once(':') {
                    Some(parts) => parts,
                    None if zone.len() == 4 && zone.is_ascii() => zone.split_at(2),
                    None => (zone, "00"),
                };
                number(hour, 2, 0, 23) && number(minute, 2, 0, 59)
            })
    };
    let is_time = |time: &str| {
        let end = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at(end);
        let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, "0"));
        let parts: Vec<&str> = clock.split(':').collect();
        let fits = match parts[..] {
            [hour, minute] => number(hour, 2, 0, 24) && number(minute, 2, 0, 59),
            [hour, minute, second] => {
                number(hour, 2, 0, 24) && number(minute, 2, 0, 59) && number(second, 2, 0, 60)
            }
            _ => false,
        };
        fits && is_zone(zone)
            && !fraction.is_empty()
            && fraction.bytes().all(|byte| byte.is_ascii_digit())
    };
    match text.split_once(['T', 't']) {
        None => is_date(text),
        Some((date, time)) => is_date(date) && is_time(time),
    }
}

fn days(year: &str, month: &str) -> u32 {
    let year: u32 = year.parse().unwrap_or_default();
    let leap = (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400);
    match month {
        "02" if leap => 29,
        "02" => 28,
        "04" | "06" | "09" | "11" => 30,
        _ => 31,
    }
}

fn links(node: &Node, at: &Place<'_>) -> Vec<ReleaseLink> {
    const ASSETS: Keys = Keys {
        known: &["links"],
        later: &[],
    };
    let Some(map) = at.map(node, &ASSETS) else {
        return Vec::new();
    };
    let at = at.key("links");
    let Some(list) = value(map, "links").and_then(Node::as_list) else {
        at.config(node, "should be a array");
        return Vec::new();
    };
    if list.is_empty() {
        at.config(node, "can't be blank");
    }
    let item = at.item("link");
    list.iter().filter_map(|node| link(node, &item)).collect()
}

fn link(node: &Node, at: &Place<'_>) -> Option<ReleaseLink> {
    let map = at.map(node, &LINK)?;
    let name = required(map, "name", node, at);
    let url = required(map, "url", node, at);
    if let (Some(text), Some(node)) = (&url, value(map, "url"))
        && !text.contains('$')
        && !["http://", "https://", "ftp://"]
            .iter()
            .any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
    {
        at.attribute(
            node,
            "url",
            "is blocked: Only allowed schemes are http, https, ftp",
        );
    }
    let filepath = at.text(map, "filepath");
    let link_type = at.one_of(map, "link_type", &LINK_TYPES).map(str::to_owned);
    Some(ReleaseLink {
        name: name?,
        url: url?,
        filepath,
        link_type,
    })
}

#[cfg(test)]
mod tests {
    use super::{is_datetime, is_ref};

    #[test]
    fn points_in_time() {
        for (text, expected) in [
            ("2025-03-15", true),
            ("2025-03-15T08:00:00Z", true),
            ("2025-03-15T08:00Z", true),
            ("2025-03-15T08:00:00.5+02:00", true),
            ("2025-03-15T08:00:00-0230", true),
            ("2024-02-29", true),
            ("2025-02-29", false),
            ("2025-13-01", false),
            ("2025-03-15T25:00:00Z", false),
            ("2025-03-15 08:00", false),
            ("ABC", false),
            ("", false),
        ] {
            assert_eq!(is_datetime(text), expected, "{text}");
        }
    }

    #[test]
    fn refs() {
        for (text, expected) in [
            ("main", true),
            ("release/1.0", true),
            ("0123abc", true),
            ("$CI_COMMIT_SHA", true),
            ("a\u{8}b", false),
            ("a b", false),
            ("a..b", false),
            ("a/.b", false),
            ("a.lock", false),
            ("", false),
        ] {
            assert_eq!(is_ref(text), expected, "{text}");
        }
    }
}
