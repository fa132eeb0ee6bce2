//! How long texts may be that people send by forms and programs by the REST API, and how many
//! things they may make: one table for both.

use shipway_coordinator::ServerLimits;
use shipway_store::Level;

use crate::error::ApiError;

/// Names, short descriptions, refs, patterns, expressions, in characters: GitLab's columns.
pub(crate) const SHORT: usize = 255;

/// The description of a project in characters: GitLab's.
pub(crate) const PROJECT_DESCRIPTION: usize = 2_000;

/// A text that no other limit is named for, in bytes: GitLab's limit of a variable's value.
pub(crate) const TEXT: usize = 10_000;

/// An address, in characters.
pub(crate) const URL: usize = 2_048;

/// The notes of a release, in bytes.
pub(crate) const NOTES: usize = 1_000_000;

/// A whole body, and a text that may fill it, in bytes.
pub(crate) const BODY: usize = 2 * 1024 * 1024;

/// Tags of a runner; each is [`SHORT`].
pub(crate) const TAGS: usize = 50;

/// Whether a runner may have these tags.
pub(crate) fn are_tags(tags: &[String]) -> bool {
    tags.len() <= TAGS && tags.iter().all(|tag| tag.chars().count() <= SHORT)
}

/// A text is longer than it may be.
pub(crate) fn too_long(name: &str, longest: usize) -> ApiError {
    ApiError::invalid(
        name,
        format!("is too long (maximum is {longest} characters)"),
    )
}

/// The longest value of a form's field, in characters.
pub(crate) fn of_field(name: &str) -> usize {
    match name {
        "content" => BODY,
        "value" => TEXT,
        "tags" => TAGS * (SHORT + 2),
        "project[description]" => PROJECT_DESCRIPTION,
        _ => SHORT,
    }
}

/// What is said where a level has as many variables as it may have; GitLab's words.
pub(crate) fn too_many_variables(
    limits: &ServerLimits,
    level: Level,
    there: usize,
) -> Option<String> {
    let (kind, limit) = match level {
        Level::Instance => ("instance", limits.instance_variables),
        Level::Group => ("group", limits.group_variables),
        Level::Project => ("project", limits.project_variables),
    };
    let full = !ServerLimits::allows(limit, there);
    full.then(|| {
        format!(
            "Maximum number of {kind} ci variables ({limit}) exceeded; it is the limit \
             `{kind}-variables` of the server"
        )
    })
}

/// What is said where a project has as many schedules as it may have; GitLab's words.
pub(crate) fn too_many_schedules(limits: &ServerLimits, there: usize) -> Option<String> {
    let limit = limits.schedules;
    let full = !ServerLimits::allows(limit, there);
    full.then(|| {
        format!(
            "Maximum number of pipeline schedules ({limit}) exceeded; it is the limit \
             `schedules` of the server"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_few_and_short() {
        let tags = |count: usize, length: usize| vec!["ü".repeat(length); count];
        assert!(are_tags(&[]) && are_tags(&tags(TAGS, SHORT)));
        assert!(!are_tags(&tags(TAGS + 1, 1)));
        assert!(!are_tags(&tags(1, SHORT + 1)));
    }
}
