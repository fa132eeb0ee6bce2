//! `rules` of jobs.

use super::flow::start_in;
use super::hints;
use super::needs;
use super::place::{Keys, Place};
use super::values::{flattened, value};
use super::{paths, variables};
use crate::expression::{Expression, Operator, Tree};
use crate::yaml::{Map, Node};
use crate::{Changes, Exists, Rule, Variables, When};

const KEYS: Keys = Keys {
    known: &[
        "if",
        "changes",
        "exists",
        "when",
        "start_in",
        "allow_failure",
        "variables",
        "needs",
        "interruptible",
    ],
    later: &[],
};

const WHENS: [&str; 6] = [
    "on_success",
    "on_failure",
    "always",
    "never",
    "manual",
    "delayed",
];

/// `rules`: a list of maps, lists in it flattened.
pub(crate) fn rules(node: &Node, at: &Place<'_>) -> Option<Vec<Rule>> {
    let reason = "should be an array containing hashes and arrays of hashes";
    if node.as_list().is_none() {
        at.attribute(node, "rules", reason)
            .hint("write each rule behind a dash: `- if: …`");
        return None;
    }
    // The list itself is the first level.
    let nodes = match flattened(node, 11) {
        Ok(nodes) => nodes,
        Err(too_deep) => {
            at.attribute(too_deep, "rules", reason)
                .label("nested deeper than 10 levels");
            return None;
        }
    };
    let list = at.key("rules");
    let item = list.item("rule");
    nodes.into_iter().map(|node| rule(node, &item)).collect()
}

fn rule(node: &Node, at: &Place<'_>) -> Option<Rule> {
    let map = at.map(node, &KEYS)?;
    let when = when(map, at, &WHENS);
    let start_in = match when {
        Some(When::Delayed) => start_in(value(map, "start_in"), node, at, "can't be blank"),
        _ => {
            if let Some(node) = value(map, "start_in") {
                at.attribute(node, "start_in", "must be blank")
                    .hint("`start_in` belongs to `when: delayed`");
            }
            None
        }
    };
    Some(Rule {
        condition: condition(map, at),
        changes: paths::changes(map, at),
        exists: paths::exists(map, at),
        when,
        start_in,
        allow_failure: at.boolean(map, "allow_failure"),
        variables: match value(map, "variables") {
            Some(node) => variables::of_rule(node, &at.key("variables")),
            None => Variables::default(),
        },
        needs: value(map, "needs").and_then(|node| needs::of_rule(node, &at.key("needs"))),
        interruptible: match value(map, "interruptible") {
            Some(node) => super::flow::interruptible(node, &at.key("interruptible")),
            None => None,
        },
    })
}

/// An entry of `include:rules`.
#[derive(Debug, Clone, Default)]
pub(crate) struct IncludeRule {
    pub(crate) condition: Option<String>,
    pub(crate) changes: Option<Changes>,
    pub(crate) exists: Option<Exists>,
    /// `when: never`
    pub(crate) never: bool,
}

/// `include:rules`
pub(crate) fn of_include(node: &Node, at: &Place<'_>) -> Vec<IncludeRule> {
    const KEYS: Keys = Keys {
        known: &["if", "changes", "exists", "when"],
        later: &[],
    };
    let Some(list) = node.as_list() else {
        at.config(node, "should be an array of hashes");
        return Vec::new();
    };
    let item = at.item("rule");
    list.iter()
        .filter_map(|node| {
            let map = item.map(node, &KEYS)?;
            Some(IncludeRule {
                condition: condition(map, &item),
                changes: paths::changes(map, &item),
                exists: paths::exists(map, &item),
                never: when(map, &item, &["never", "always"]) == Some(When::Never),
            })
        })
        .collect()
}

/// `when` of a rule, one of the words given.
pub(crate) fn when(map: &Map, at: &Place<'_>, allowed: &[&str]) -> Option<When> {
    let node = value(map, "when")?;
    let text = node.as_text();
    match text.filter(|text| allowed.contains(text)) {
        Some(text) => super::flow::when_of(text),
        None => {
            let written = node.scalar_text().unwrap_or_else(|| node.kind().to_owned());
            at.attribute(node, "when", &format!("unknown value: {written}"))
                .label(format!("may be {}", allowed.join(", ")))
                .did_you_mean(text, allowed);
            None
        }
    }
}

/// `if`, checked.
pub(crate) fn condition(map: &Map, at: &Place<'_>) -> Option<String> {
    let node = value(map, "if")?;
    let reason = "invalid expression syntax";
    let Some(text) = node.as_text() else {
        at.attribute(node, "if", reason)
            .label(format!("this is {}", node.kind()))
            .hint("an expression is a text, `$CI_COMMIT_BRANCH == \"main\"` for example");
        return None;
    };
    match at.check_expression(text) {
        Ok(()) => {
            warn_of_booleans(text, node, at);
            Some(text.to_owned())
        }
        Err(error) => {
            at.attribute(node, "if", reason)
                .label(error.message)
                .hint(hints::expression(text));
            None
        }
    }
}

/// `$A == true` never holds, because the value of a variable is a text.
fn warn_of_booleans(text: &str, node: &Node, at: &Place<'_>) {
    fn compares(tree: &Tree) -> bool {
        match tree {
            Tree::Binary(Operator::Equals | Operator::NotEquals, left, right) => {
                matches!(
                    (&**left, &**right),
                    (Tree::Variable(_), Tree::Bool(_)) | (Tree::Bool(_), Tree::Variable(_))
                ) || compares(left)
                    || compares(right)
            }
            Tree::Binary(_, left, right) => compares(left) || compares(right),
            Tree::Not(operand) => compares(operand),
            _ => false,
        }
    }
    // Most expressions have no such word and need not be read again.
    if (text.contains("true") || text.contains("false"))
        && Expression::parse(text).is_ok_and(|expression| compares(expression.tree()))
    {
        at.attribute(node, "if", "compares a variable with a boolean")
            .warning()
            .label("variables are texts, so they never equal it")
            .hint("put it in quotes: `== \"true\"`");
    }
}
