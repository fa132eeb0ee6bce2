//! `include:rules`: whether a file is included at all.

use crate::conditions::{ConditionError, Paths};
use crate::expression::Expression;
use crate::keywords::IncludeRule;
use crate::variables::{Collection, FileReferences, Undefined};

/// Whether the first rule that holds lets the file in. None: it is left out.
pub(super) fn lets_in(
    rules: &[IncludeRule],
    variables: &Collection,
    paths: &Paths<'_>,
) -> Result<bool, ConditionError> {
    let expand = |text: &str| variables.expand(text, Undefined::Keep, FileReferences::Content);
    for rule in rules {
        let condition = rule.condition.as_ref().is_none_or(|condition| {
            Expression::parse(condition)
                .is_ok_and(|expression| expression.is_true(&|name| variables.value(name)))
        });
        let holds = condition
            && match &rule.changes {
                Some(changes) => paths.changes(changes, &expand)?,
                None => true,
            }
            && match &rule.exists {
                Some(exists) => paths.exists(exists, &expand)?,
                None => true,
            };
        if holds {
            return Ok(!rule.never);
        }
    }
    Ok(false)
}
