//! The names of one file: what it defines and what it uses.

use crate::outline::{NodeId, Outline, Scalar};
use shipway_config::vocabulary::{self, Takes};
use std::ops::Range;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A job or hidden entry.
    Job,
    Stage,
    Variable,
    /// An input of the file, or of a job.
    Input,
}

/// One place of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) range: Range<usize>,
    /// The entry of the top level in which a variable is defined; `None` for one of all jobs.
    pub(crate) owner: Option<String>,
    pub(crate) node: NodeId,
}

/// All places of names in a file.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) definitions: Vec<Name>,
    pub(crate) uses: Vec<Name>,
}

impl Names {
    pub(crate) fn of(outline: &Outline, text: &str) -> Self {
        let mut names = Self::default();
        for (id, node) in outline.nodes.iter().enumerate() {
            // Paths are built only where the key around lets hope for a name.
            if let Some(key) = node.key.as_ref().filter(|_| node.colon) {
                let around = around(outline, node.parent, text);
                if around.is_none_or(|key| ["variables", "inputs"].contains(&key)) {
                    names.key(&outline.path(id, text), key, id, text);
                }
            }
            if let Some(value) = &node.value
                && (around(outline, Some(id), text).is_some_and(may_name)
                    || in_reference(outline, id, text))
            {
                names.value(&outline.path(id, text), value, id, outline, text);
            }
        }
        names
    }

    fn key(&mut self, path: &[String], key: &Scalar, node: NodeId, text: &str) {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some((last, above)) = words.split_last() else {
            return;
        };
        let (kind, owner) = match above {
            [] if vocabulary::globals().get(last).is_none() && *last != "<<" => (Kind::Job, None),
            [] => return,
            ["spec", "inputs"] | [_, "inputs"] => (Kind::Input, None),
            [_, ..] if *last == "<<" => return,
            [first, ..] if takes(above, |form| matches!(form, Takes::Variables)) => {
                let of_all = *first == "variables" || *first == "workflow";
                (Kind::Variable, (!of_all).then(|| (*first).to_owned()))
            }
            _ => return,
        };
        self.definitions.push(Name {
            kind,
            text: (*last).to_owned(),
            range: key.inner(text),
            owner,
            node,
        });
    }

    fn value(
        &mut self,
        path: &[String],
        value: &Scalar,
        node: NodeId,
        outline: &Outline,
        text: &str,
    ) {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut add = |list: fn(&mut Self) -> &mut Vec<Name>, kind| {
            let name = Name {
                kind,
                text: value.text(text).into_owned(),
                range: value.inner(text),
                owner: None,
                node,
            };
            list(self).push(name);
        };
        if words == ["stages"] {
            return add(|names| &mut names.definitions, Kind::Stage);
        }
        if let Some(kind) = use_of(&words, node, outline, text) {
            add(|names| &mut names.uses, kind);
        }
    }
}

/// The nearest key of a node and those around it.
fn around<'t>(outline: &Outline, from: Option<NodeId>, text: &'t str) -> Option<&'t str> {
    let mut lineage = outline.lineage(from?);
    let key = lineage.find_map(|id| outline.nodes[id].key.as_ref())?;
    text.get(key.inner(text))
}

/// Whether the values of a key may be names.
fn may_name(key: &str) -> bool {
    const KEYS: [&str; 7] = [
        "stages",
        "stage",
        "needs",
        "job",
        "dependencies",
        "extends",
        "on_stop",
    ];
    KEYS.contains(&key)
}

fn takes(path: &[&str], wanted: impl Fn(&Takes) -> bool) -> bool {
    vocabulary::takes(path).iter().any(wanted)
}

/// Whether a node is an item of `!reference [entry, key]`.
fn in_reference(outline: &Outline, id: NodeId, text: &str) -> bool {
    let parent = outline.nodes[id].parent;
    parent.is_some_and(|parent| outline.tag(parent, text) == "!reference")
}

/// What the value of a node names.
fn use_of(path: &[&str], id: NodeId, outline: &Outline, text: &str) -> Option<Kind> {
    let parent = outline.nodes[id].parent;
    if in_reference(outline, id, text) {
        let is_first = outline.children(parent).next() == Some(id);
        return is_first.then_some(Kind::Job);
    }
    let forms = vocabulary::takes(path);
    if forms.iter().any(|form| matches!(form, Takes::Stage)) {
        return Some(Kind::Stage);
    }
    let names_jobs = (forms.iter()).any(|form| matches!(form, Takes::Jobs | Takes::Entries));
    // A job of another pipeline.
    let elsewhere = || {
        ["project", "pipeline", "artifact"]
            .iter()
            .any(|key| outline.entry(parent, key, text).is_some())
    };
    let in_map = path.last() == Some(&"job");
    (names_jobs && !(in_map && elsewhere())).then_some(Kind::Job)
}

/// The variable that a `$` before or in a place of a text names: where its name stands.
pub(crate) fn variable_at(text: &str, offset: usize) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let start = text[..offset].trim_end_matches(is_name).len();
    let rest = &text[offset..];
    let end = offset + rest.len() - rest.trim_start_matches(is_name).len();
    let before = &text[..start];
    let named = before.ends_with('$') || before.ends_with("${");
    // `$$NAME` is a dollar sign and a text.
    let escaped = before.ends_with("$$") || before.ends_with("$${");
    (named && !escaped).then_some(start..end)
}

/// All uses of a variable in a text: `$NAME`, `${NAME}`.
pub(crate) fn variable_uses<'t>(
    text: &'t str,
    name: &'t str,
) -> impl Iterator<Item = Range<usize>> + 't {
    text.match_indices(name)
        .filter_map(|(at, _)| variable_at(text, at))
        .filter(|range| range.len() == name.len())
}

/// The input that `$[[ inputs.NAME ]]` around a place names: where its name stands.
pub(crate) fn input_at(text: &str, offset: usize) -> Option<Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let start = text[..offset].trim_end_matches(is_name).len();
    let rest = &text[offset..];
    let end = offset + rest.len() - rest.trim_start_matches(is_name).len();
    let before = text[..start].strip_suffix("inputs.")?;
    before.trim_end().ends_with("$[[").then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> (Vec<String>, Vec<String>) {
        let names = Names::of(&Outline::of(text), text);
        let show = |names: &[Name]| {
            let owner = |name: &Name| match &name.owner {
                Some(owner) => format!(" of {owner}"),
                None => String::new(),
            };
            names
                .iter()
                .map(|name| {
                    assert_eq!(&text[name.range.clone()], name.text);
                    format!("{:?} {}{}", name.kind, name.text, owner(name))
                })
                .collect()
        };
        (show(&names.definitions), show(&names.uses))
    }

    #[test]
    fn names_are_told_apart_by_their_place() {
        let (definitions, uses) = names(
            "stages: [a, b]\nvariables:\n  V: 1\n  W: {value: x}\n.base:\n  script: x\ntest:\n  stage: a\n  \
             extends: [.base]\n  needs: [one, {job: two}, {project: p, job: three}]\n  dependencies:\n  - four\n  \
             variables: {X: 1}\n  script: !reference [.base, script]\n  rules:\n  - if: $V\n    variables:\n      Y: 2\n  \
             environment: {name: e, on_stop: five}\nscr\n",
        );
        assert_eq!(
            definitions,
            [
                "Stage a",
                "Stage b",
                "Variable V",
                "Variable W",
                "Job .base",
                "Job test",
                "Variable X of test",
                "Variable Y of test"
            ]
        );
        assert_eq!(
            uses,
            [
                "Stage a",
                "Job .base",
                "Job one",
                "Job two",
                "Job four",
                "Job .base",
                "Job five"
            ]
        );
    }

    #[test]
    fn variables_in_texts() {
        let text = "echo $A ${AB} $$A A \"$A_B\" $A";
        let found: Vec<usize> = variable_uses(text, "A").map(|range| range.start).collect();
        assert_eq!(found, [6, 28]);
        assert_eq!(variable_at(text, 10), Some(10..12));
        assert_eq!(variable_at(text, 2), None);
        assert_eq!(variable_at("$", 1), Some(1..1));
        assert_eq!(input_at("x: $[[ inputs.a-b | x ]]", 16), Some(14..17));
        assert_eq!(input_at("inputs.a", 8), None);
    }
}
