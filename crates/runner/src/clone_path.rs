//! `GIT_CLONE_PATH`: where a job wants its project to be.

use std::path::{Component, Path};

/// Why a job's project is not where it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClonePathError {
    /// The runner's configuration does not let jobs choose.
    #[error(
        "setting GIT_CLONE_PATH is not allowed, enable `custom_build_dir` feature: \
         `[runners.custom_build_dir]` with `enabled = true` in the runner's configuration"
    )]
    NotAllowed,
    /// It could be anywhere.
    #[error(
        "the GIT_CLONE_PATH=\"{path}\" has to be within \"{builds}\"; begin it with $CI_BUILDS_DIR/"
    )]
    Outside { path: String, builds: String },
}

/// The path, once it is certain that it is below the builds directory, which both are as the
/// job sees them.
pub(crate) fn check(path: &str, builds: &str, allowed: bool) -> Result<String, ClonePathError> {
    if !allowed {
        return Err(ClonePathError::NotAllowed);
    }
    let outside = || ClonePathError::Outside {
        path: path.to_owned(),
        builds: builds.to_owned(),
    };
    let below = Path::new(path)
        .strip_prefix(builds)
        .map_err(|_| outside())?;
    let mut names = below.components();
    let stays = names.all(|name| matches!(name, Component::Normal(_)));
    if !stays || below.as_os_str().is_empty() || path.contains('\0') {
        return Err(outside());
    }
    let below = below.to_str().ok_or_else(outside)?;
    Ok(format!("{builds}/{}", below.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_stays_below_the_builds() {
        for (path, expected) in [
            ("/builds/p", Some("/builds/p")),
            ("/builds/0/go/src/p/", Some("/builds/0/go/src/p")),
            ("/builds//p", Some("/builds/p")),
            ("/builds", None),
            ("/builds/", None),
            ("/builds/../etc", None),
            ("/buildsx/p", None),
            ("/etc", None),
            ("p", None),
            ("/builds/a\0b", None),
        ] {
            let found = check(path, "/builds", true);
            assert_eq!(found.ok().as_deref(), expected, "{path:?}");
        }
    }

    #[test]
    fn the_reason_is_in_gitlabs_words() {
        let refused = check("/builds/p", "/builds", false).unwrap_err();
        let text = refused.to_string();
        assert!(
            text.starts_with("setting GIT_CLONE_PATH is not allowed, enable `custom_build_dir`")
        );
        let outside = check("/x", "/builds", true).unwrap_err().to_string();
        assert!(outside.starts_with("the GIT_CLONE_PATH=\"/x\" has to be within \"/builds\""));
    }
}
