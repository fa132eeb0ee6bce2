//! Who may do what: the one table of permissions.
//!
//! Every face asks [`allowed`]; nothing else decides. Roles and visibilities are GitLab's
//! (its permissions page); where GitLab makes it a setting, the default stands here.

/// A member's role, as GitLab's access levels number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// Sees.
    Guest = 10,
    /// Sees code and pipelines of private projects.
    Reporter = 20,
    /// Pushes and runs.
    Developer = 30,
    /// Sets up.
    Maintainer = 40,
    /// Everything.
    Owner = 50,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Self; 5] = [
        Self::Guest,
        Self::Reporter,
        Self::Developer,
        Self::Maintainer,
        Self::Owner,
    ];

    /// The role of a stored access level; a level between two roles is the lower one.
    pub fn from_level(level: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .rfind(|role| level >= i64::from(*role as u8))
    }
}

/// Who can see a project at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Members.
    Private,
    /// Everybody who is signed in.
    Internal,
    /// Everybody.
    Public,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Nobody signed in.
    Anonymous,
    /// Somebody signed in, with the role in the project, direct or through its groups.
    User {
        /// The highest role, where there is any.
        role: Option<Role>,
        /// An administrator of the instance.
        admin: bool,
    },
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See that the project exists, its name and description, its badges.
    ReadProject,
    /// Clone, browse files at a commit.
    ReadCode,
    /// See pipelines and jobs.
    ReadPipelines,
    /// Read a job's log and artifacts.
    ReadJobs,
    /// Read the log of a job that ran with debug tracing on.
    ReadDebugLog,
    /// Read artifacts with `artifacts:access: developer`.
    ReadDeveloperArtifacts,
    /// Read artifacts with `artifacts:access: maintainer`.
    ReadMaintainerArtifacts,
    /// Push to branches and tags that are not protected.
    Push,
    /// Make, change and delete releases.
    ManageReleases,
    /// See packages and fetch their files.
    ReadPackages,
    /// Publish files of packages.
    PublishPackages,
    /// Delete packages and files of them.
    DeletePackages,
    /// Start, cancel and retry pipelines and jobs; play manual jobs.
    RunPipelines,
    /// Set the variables of a pipeline that one starts.
    SetPipelineVariables,
    /// Check a configuration in the project's context.
    Lint,
    /// See environments and deployments.
    ReadEnvironments,
    /// Make and change schedules.
    ManageSchedules,
    /// Make and change trigger tokens.
    ManageTriggers,
    /// Delete a job's log and artifacts.
    EraseJobs,
    /// End a cancelled job whose runner does not say that it has stopped.
    ForceCancelJobs,
    /// See and change the project's variables.
    ManageVariables,
    /// Register, change, pause and remove the project's runners.
    ManageRunners,
    /// Change protected branches and tags.
    ManageProtectedRefs,
    /// Change the project's settings.
    ManageSettings,
    /// Add and remove members.
    ManageMembers,
    /// Delete a pipeline.
    DeletePipelines,
    /// Delete, move or rename the project.
    DeleteProject,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 27] = [
        Self::ReadProject,
        Self::ReadCode,
        Self::ReadPipelines,
        Self::ReadJobs,
        Self::ReadDebugLog,
        Self::ReadDeveloperArtifacts,
        Self::ReadMaintainerArtifacts,
        Self::Push,
        Self::ManageReleases,
        Self::ReadPackages,
        Self::PublishPackages,
        Self::DeletePackages,
        Self::RunPipelines,
        Self::SetPipelineVariables,
        Self::Lint,
        Self::ReadEnvironments,
        Self::ManageSchedules,
        Self::ManageTriggers,
        Self::EraseJobs,
        Self::ForceCancelJobs,
        Self::ManageVariables,
        Self::ManageRunners,
        Self::ManageProtectedRefs,
        Self::ManageSettings,
        Self::ManageMembers,
        Self::DeletePipelines,
        Self::DeleteProject,
    ];

    /// The weakest role that may do it, and whether being able to see the project is enough.
    fn requirement(self) -> (Role, Seeing) {
        use Seeing::{Enough, NotEnough};
        match self {
            Self::ReadProject => (Role::Guest, Enough),
            Self::ReadCode | Self::ReadPipelines | Self::ReadJobs | Self::ReadPackages => {
                (Role::Reporter, Enough)
            }
            Self::ReadEnvironments => (Role::Reporter, NotEnough),
            Self::ReadDebugLog
            | Self::ReadDeveloperArtifacts
            | Self::Push
            | Self::ManageReleases
            | Self::PublishPackages
            | Self::RunPipelines
            | Self::SetPipelineVariables
            | Self::Lint
            | Self::ManageSchedules
            | Self::EraseJobs => (Role::Developer, NotEnough),
            Self::ReadMaintainerArtifacts
            | Self::DeletePackages
            | Self::ManageTriggers
            | Self::ForceCancelJobs
            | Self::ManageVariables
            | Self::ManageRunners
            | Self::ManageProtectedRefs
            | Self::ManageSettings
            | Self::ManageMembers => (Role::Maintainer, NotEnough),
            Self::DeletePipelines | Self::DeleteProject => (Role::Owner, NotEnough),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Seeing {
    Enough,
    NotEnough,
}

/// Whether the viewer may do it in a project of this visibility.
pub fn allowed(viewer: Viewer, visibility: Visibility, action: Action) -> bool {
    let (least, seeing) = action.requirement();
    let sees = match (visibility, viewer) {
        (Visibility::Public, _) | (Visibility::Internal, Viewer::User { .. }) => true,
        (Visibility::Internal | Visibility::Private, Viewer::Anonymous) => false,
        (Visibility::Private, Viewer::User { role, admin }) => admin || role.is_some(),
    };
    let by_role = match viewer {
        Viewer::Anonymous => false,
        Viewer::User { admin: true, .. } => true,
        Viewer::User { role, .. } => role.is_some_and(|role| role >= least),
    };
    // On a project that everybody sees, reading needs no role; on a private one a guest
    // sees less than a reporter.
    let by_seeing = seeing == Seeing::Enough && sees && visibility != Visibility::Private;
    by_role || by_seeing
}

/// The visibility that counts for an action: a project may keep its pipelines and logs to its
/// members (GitLab's "project-based pipeline visibility").
pub fn visibility_for(action: Action, visibility: Visibility, public_jobs: bool) -> Visibility {
    match action {
        Action::ReadPipelines | Action::ReadJobs if !public_jobs => Visibility::Private,
        _ => visibility,
    }
}

/// How a refusal is answered: what somebody may not even see does not exist for them.
pub fn hides(viewer: Viewer, visibility: Visibility) -> bool {
    !allowed(viewer, visibility, Action::ReadProject)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(role: Option<Role>) -> Viewer {
        Viewer::User { role, admin: false }
    }

    /// The weakest of these that may: anonymous, signed in, guest … owner.
    fn weakest(visibility: Visibility, action: Action) -> &'static str {
        let viewers = [
            ("anonymous", Viewer::Anonymous),
            ("signed in", user(None)),
            ("guest", user(Some(Role::Guest))),
            ("reporter", user(Some(Role::Reporter))),
            ("developer", user(Some(Role::Developer))),
            ("maintainer", user(Some(Role::Maintainer))),
            ("owner", user(Some(Role::Owner))),
        ];
        let may: Vec<bool> = (viewers.iter())
            .map(|(_, viewer)| allowed(*viewer, visibility, action))
            .collect();
        let first = may.iter().position(|may| *may).unwrap();
        assert!(
            may[first..].iter().all(|may| *may),
            "{action:?}: a stronger role may less"
        );
        viewers[first].0
    }

    #[test]
    fn pipelines_may_be_for_members_only() {
        for (action, expected) in [
            (Action::ReadPipelines, "reporter"),
            (Action::ReadJobs, "reporter"),
            (Action::ReadCode, "anonymous"),
        ] {
            let visibility = visibility_for(action, Visibility::Public, false);
            assert_eq!(weakest(visibility, action), expected);
            let visibility = visibility_for(action, Visibility::Public, true);
            assert_eq!(weakest(visibility, action), "anonymous");
        }
    }

    #[test]
    fn the_weakest_who_may() {
        use Action::*;
        let table = [
            (ReadProject, "guest", "signed in", "anonymous"),
            (ReadCode, "reporter", "signed in", "anonymous"),
            (ReadPipelines, "reporter", "signed in", "anonymous"),
            (ReadJobs, "reporter", "signed in", "anonymous"),
            (ReadDebugLog, "developer", "developer", "developer"),
            (
                ReadDeveloperArtifacts,
                "developer",
                "developer",
                "developer",
            ),
            (
                ReadMaintainerArtifacts,
                "maintainer",
                "maintainer",
                "maintainer",
            ),
            (Push, "developer", "developer", "developer"),
            (ManageReleases, "developer", "developer", "developer"),
            (ReadPackages, "reporter", "signed in", "anonymous"),
            (PublishPackages, "developer", "developer", "developer"),
            (DeletePackages, "maintainer", "maintainer", "maintainer"),
            (RunPipelines, "developer", "developer", "developer"),
            (SetPipelineVariables, "developer", "developer", "developer"),
            (Lint, "developer", "developer", "developer"),
            (ReadEnvironments, "reporter", "reporter", "reporter"),
            (ManageSchedules, "developer", "developer", "developer"),
            (ManageTriggers, "maintainer", "maintainer", "maintainer"),
            (EraseJobs, "developer", "developer", "developer"),
            (ForceCancelJobs, "maintainer", "maintainer", "maintainer"),
            (ManageVariables, "maintainer", "maintainer", "maintainer"),
            (ManageRunners, "maintainer", "maintainer", "maintainer"),
            (
                ManageProtectedRefs,
                "maintainer",
                "maintainer",
                "maintainer",
            ),
            (ManageSettings, "maintainer", "maintainer", "maintainer"),
            (ManageMembers, "maintainer", "maintainer", "maintainer"),
            (DeletePipelines, "owner", "owner", "owner"),
            (DeleteProject, "owner", "owner", "owner"),
        ];
        assert_eq!(table.len(), Action::ALL.len());
        for (action, private, internal, public) in table {
            assert_eq!(
                weakest(Visibility::Private, action),
                private,
                "{action:?}, private"
            );
            assert_eq!(
                weakest(Visibility::Internal, action),
                internal,
                "{action:?}, internal"
            );
            assert_eq!(
                weakest(Visibility::Public, action),
                public,
                "{action:?}, public"
            );
        }
    }

    #[test]
    fn an_administrator_may_everything() {
        let admin = Viewer::User {
            role: None,
            admin: true,
        };
        for visibility in [
            Visibility::Private,
            Visibility::Internal,
            Visibility::Public,
        ] {
            assert!(
                Action::ALL
                    .iter()
                    .all(|action| allowed(admin, visibility, *action))
            );
        }
    }

    #[test]
    fn what_one_may_not_see_does_not_exist() {
        assert!(hides(Viewer::Anonymous, Visibility::Private));
        assert!(hides(user(None), Visibility::Private));
        assert!(hides(Viewer::Anonymous, Visibility::Internal));
        assert!(!hides(user(None), Visibility::Internal));
        assert!(!hides(Viewer::Anonymous, Visibility::Public));
    }

    #[test]
    fn levels_are_roles() {
        let table = [
            (0, None),
            (10, Some(Role::Guest)),
            (15, Some(Role::Guest)),
            (30, Some(Role::Developer)),
            (60, Some(Role::Owner)),
        ];
        for (level, expected) in table {
            assert_eq!(Role::from_level(level), expected, "{level}");
        }
    }
}
