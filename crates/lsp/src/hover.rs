//! What the word at the cursor means.

use crate::names::Kind;
use crate::navigation::{self, Target};
use crate::outline::Role;
use crate::text::Encoding;
use crate::workspace::View;
use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind};
use shipway_config::ExpandOptions;
use shipway_config::vocabulary::{self, PREDEFINED, Takes};
use std::fmt::Write as _;

/// Lines of a merged job; the rest is left out.
const MAX_LINES: usize = 80;
/// Values of a variable.
const MAX_VALUES: usize = 10;

/// What is shown over the cursor.
pub(crate) fn hover(view: &View<'_>, offset: usize, encoding: Encoding) -> Option<Hover> {
    let document = &view.document;
    let spot = document.outline.spot(&document.text, offset);
    let (value, range) = match navigation::target(document, offset) {
        Some((
            Target::Named {
                kind,
                name,
                range,
                inside,
            },
            _,
        )) => {
            let value = match kind {
                Kind::Job => job(view, &name),
                Kind::Variable => variable(view, &name, inside.as_deref()),
                Kind::Input => definition(view, Kind::Input, &name),
                Kind::Stage => stage(view, &name),
            };
            (value?, range)
        }
        _ => (keyword(view, &spot)?, spot.word),
    };
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value,
        }),
        range: Some(document.range(range, encoding)),
    })
}

/// The keyword at the cursor, or the one that the value at the cursor belongs to.
fn keyword(view: &View<'_>, spot: &crate::outline::Spot) -> Option<String> {
    let document = &view.document;
    let node = &document.outline.nodes[spot.current?];
    let mut path: Vec<&str> = spot.path.iter().map(String::as_str).collect();
    let key = node.key.as_ref().map(|key| key.text(&document.text));
    if spot.role != Role::Value
        && let Some(key) = &key
    {
        path.push(key);
    }
    let keyword = vocabulary::keyword(&path)?;
    // Only what is chosen from a few words is explained by its keyword.
    let chosen = |form: &Takes| matches!(form, Takes::Words(_) | Takes::Flag);
    let on_key = spot.role != Role::Value && key.is_some();
    if !on_key && !keyword.takes.iter().any(chosen) {
        return None;
    }
    let below = match vocabulary::globals().get(path[0]) {
        Some(_) => &path[..],
        None => &path[1..],
    };
    let mut text = format!("**`{}`**\n\n{}\n", below.join(":"), keyword.meaning);
    for form in keyword.takes {
        match form {
            Takes::Words(words) if words.len() <= 16 => {
                writeln!(text, "\nOne of: `{}`.", words.join("`, `")).ok();
            }
            Takes::Flag => text.push_str("\n`true` or `false`.\n"),
            Takes::Map(block) | Takes::Maps(block) => {
                let keys: Vec<&str> = block.0.iter().map(|keyword| keyword.name).collect();
                let kind = if matches!(form, Takes::Maps(_)) {
                    "A list; keys of an entry"
                } else {
                    "Keys"
                };
                writeln!(text, "\n{kind}: `{}`.", keys.join("`, `")).ok();
            }
            _ => {}
        }
    }
    let anchor = below.first()?;
    writeln!(
        text,
        "\n[GitLab's documentation](https://docs.gitlab.com/ci/yaml/#{anchor})"
    )
    .ok();
    Some(text)
}

/// A job as it is after includes, references and `extends`.
fn job(view: &View<'_>, name: &str) -> Option<String> {
    let places = definition(view, Kind::Job, name);
    let merged = view.sound.and_then(|(config, files)| {
        let options = ExpandOptions {
            only: vec![name.to_owned()],
            hidden: true,
            plain: false,
        };
        let written = config.expand(files, &options).yaml;
        config.keys().any(|key| key == name).then_some(written)
    });
    if places.is_none() && merged.is_none() {
        return None;
    }
    let mut text = format!("**`{name}`**\n");
    if let Some(merged) = merged {
        let lines: Vec<&str> = merged.lines().collect();
        let shown = lines[..lines.len().min(MAX_LINES)].join("\n");
        let more = if lines.len() > MAX_LINES {
            "\n# …"
        } else {
            ""
        };
        write!(text, "\n```yaml\n{shown}{more}\n```\n").ok();
    }
    if let Some(places) = places {
        write!(text, "\n{places}").ok();
    }
    Some(text)
}

fn variable(view: &View<'_>, name: &str, inside: Option<&str>) -> Option<String> {
    let mut text = format!("**`${name}`**\n");
    let predefined = PREDEFINED.iter().find(|variable| variable.name == name);
    if let Some(predefined) = predefined {
        writeln!(text, "\n{} Predefined.", predefined.meaning).ok();
    }
    let mut number = 0;
    for member in &view.members {
        let (outline, written) = (&member.document.outline, &member.document.text);
        for found in navigation::defined(view, member, Kind::Variable, name, inside) {
            number += 1;
            if number > MAX_VALUES {
                continue;
            }
            let node = &outline.nodes[found.node];
            let value = node.value.clone().or_else(|| {
                let value = outline.entry(Some(found.node), "value", written)?;
                outline.nodes[value].value.clone()
            });
            let value = value
                .map(|value| value.text(written).into_owned())
                .unwrap_or_default();
            let first = value.lines().next().unwrap_or_default();
            let owner = match &found.owner {
                Some(owner) => format!(" in `{owner}`"),
                None => String::new(),
            };
            writeln!(
                text,
                "\n`{}`{owner}, {}",
                first.replace('`', "'"),
                place(view, member, found.range.start)
            )
            .ok();
        }
    }
    (predefined.is_some() || number > 0).then_some(text)
}

fn stage(view: &View<'_>, name: &str) -> Option<String> {
    let jobs: Vec<&str> = (view.members.iter())
        .flat_map(|member| {
            let document = &member.document;
            let uses = document.names.uses.iter();
            uses.filter(|found| found.kind == Kind::Stage && found.text == name)
                .filter_map(|found| {
                    let top = document.outline.lineage(found.node).last()?;
                    let key = document.outline.nodes[top].key.as_ref()?;
                    Some(document.slice(key.inner(&document.text)))
                })
        })
        .collect();
    let jobs = match jobs.is_empty() {
        true => "No job names it.".to_owned(),
        false => format!("`{}`", jobs.join("`, `")),
    };
    Some(format!("**stage `{name}`**\n\n{jobs}\n"))
}

/// Where a name is defined.
fn definition(view: &View<'_>, kind: Kind, name: &str) -> Option<String> {
    let mut places: Vec<String> = Vec::new();
    for member in &view.members {
        for found in navigation::defined(view, member, kind, name, None) {
            let place = place(view, member, found.range.start);
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    (!places.is_empty()).then(|| format!("Defined in {}.\n", places.join(", ")))
}

fn place(view: &View<'_>, member: &crate::workspace::Member, offset: usize) -> String {
    let file = view
        .below_root(member)
        .unwrap_or_else(|| "another project".to_owned());
    let line = member.document.text[..offset].matches('\n').count() + 1;
    format!("`{file}:{line}`")
}
