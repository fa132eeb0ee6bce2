//! Which refs a pusher may move, as a function of plain data.

use shipway_coordinator::protections;
use shipway_git::hosting::{Change, RefUpdate};
use shipway_store::{ProtectedRefRow, RefKind};

use crate::permission::Role;

/// Above every role: an administrator's level.
pub(super) const ADMIN: i64 = 60;

/// Why the update is refused, in GitLab's words.
pub(super) fn judge(
    rows: &[ProtectedRefRow],
    level: i64,
    update: &RefUpdate,
    change: Change,
) -> Result<(), String> {
    let verdict = match (update.branch(), update.tag()) {
        (Some(name), _) => branch(rows, level, name, change),
        (_, Some(name)) => tag(rows, level, name, change),
        // Nothing else can be pushed at all.
        (None, None) => Ok(()),
    };
    verdict.map_err(str::to_owned)
}

fn branch(
    rows: &[ProtectedRefRow],
    level: i64,
    name: &str,
    change: Change,
) -> Result<(), &'static str> {
    let mut protections = protections(rows, RefKind::Branch, name).peekable();
    if protections.peek().is_none() {
        return Ok(());
    }
    match change {
        Change::Delete if level >= Role::Maintainer as i64 => {
            Err("You can only delete protected branches using the web interface.")
        }
        Change::Delete => Err(
            "You are not allowed to delete protected branches from this project. Only a project maintainer or owner can delete a protected branch.",
        ),
        Change::Force => {
            Err("You are not allowed to force push code to a protected branch on this project.")
        }
        Change::Create | Change::FastForward if protections.any(|row| may_push(row, level)) => {
            Ok(())
        }
        Change::Create | Change::FastForward => {
            Err("You are not allowed to push code to protected branches on this project.")
        }
    }
}

fn tag(
    rows: &[ProtectedRefRow],
    level: i64,
    name: &str,
    change: Change,
) -> Result<(), &'static str> {
    let mut protections = protections(rows, RefKind::Tag, name).peekable();
    match (protections.peek().is_some(), change) {
        (true, Change::Delete) => {
            Err("You can only delete protected tags using the web interface.")
        }
        (true, Change::FastForward | Change::Force) => Err("Protected tags cannot be updated."),
        (true, Change::Create) if !protections.any(|row| may_push(row, level)) => {
            Err("You are not allowed to create this tag as it is protected.")
        }
        (false, Change::FastForward | Change::Force | Change::Delete)
            if level < Role::Maintainer as i64 =>
        {
            Err("You are not allowed to change existing tags on this project.")
        }
        _ => Ok(()),
    }
}

/// Level 0 stands for nobody, not for everybody.
fn may_push(row: &ProtectedRefRow, level: i64) -> bool {
    row.push_level > 0 && level >= row.push_level
}

#[cfg(test)]
mod tests {
    use shipway_store::ProjectId;

    use super::*;

    fn row(kind: RefKind, pattern: &str, push_level: i64) -> ProtectedRefRow {
        ProtectedRefRow {
            id: shipway_store::ProtectedRefId(0),
            project_id: ProjectId(1),
            kind,
            pattern: pattern.to_owned(),
            push_level,
            merge_level: 40,
        }
    }

    /// The lowest level that may: developer, maintainer, administrator; 99 for nobody.
    fn lowest(name: &str, change: Change) -> i64 {
        let rows = [
            row(RefKind::Branch, "main", 40),
            row(RefKind::Branch, "stable-*", 0),
            row(RefKind::Branch, "team/*", 40),
            row(RefKind::Branch, "team/open*", 30),
            row(RefKind::Tag, "v*", 40),
        ];
        let update = RefUpdate {
            name: name.to_owned(),
            old: None,
            new: None,
        };
        let levels = [30, 40, 50, ADMIN];
        let mut may = levels
            .into_iter()
            .filter(|level| judge(&rows, *level, &update, change).is_ok());
        may.next().unwrap_or(99)
    }

    #[test]
    fn who_may_move_what() {
        for (name, [create, forward, force, delete]) in [
            ("refs/heads/x", [30, 30, 30, 30]),
            ("refs/heads/main", [40, 40, 99, 99]),
            ("refs/heads/main2", [30, 30, 30, 30]),
            ("refs/heads/stable-1", [99, 99, 99, 99]),
            ("refs/heads/team/a", [40, 40, 99, 99]),
            ("refs/heads/team/open1", [30, 30, 99, 99]),
            ("refs/tags/x", [30, 40, 40, 40]),
            ("refs/tags/main", [30, 40, 40, 40]),
            ("refs/tags/v1", [40, 99, 99, 99]),
        ] {
            let found = [
                Change::Create,
                Change::FastForward,
                Change::Force,
                Change::Delete,
            ]
            .map(|change| lowest(name, change));
            assert_eq!(found, [create, forward, force, delete], "{name}");
        }
    }
}
