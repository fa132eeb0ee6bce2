//! Closed sets of names that columns hold, by GitLab's spelling.

/// A column holds a name that this version of Shipway does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no {set}")]
pub struct UnknownName {
    /// The set it should be of.
    pub set: &'static str,
    /// What was found.
    pub name: String,
}

macro_rules! names {
    ($($(#[$meta:meta])* $set:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)* })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $set {
            $($(#[$doc])* $variant,)*
        }

        impl $set {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        impl std::fmt::Display for $set {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $set {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                let found = Self::ALL.iter().find(|known| known.as_str() == name);
                found.copied().ok_or_else(|| UnknownName {
                    set: stringify!($set),
                    name: name.to_owned(),
                })
            }
        }

        impl From<$set> for crate::sql::Value<'_> {
            fn from(name: $set) -> Self {
                name.as_str().into()
            }
        }

        crate::sql::decoded_from_text!($set);
    )*};
}

names! {
    /// Whether a user may sign in.
    UserState {
        /// May.
        Active = "active",
        /// May not; tokens do not work either.
        Blocked = "blocked",
    }

    /// What a namespace is.
    NamespaceKind {
        /// The place of one user's own projects.
        User = "user",
        /// A group.
        Group = "group",
    }

    /// Who sees a project without being a member.
    Visibility {
        /// Nobody.
        Private = "private",
        /// Whoever is signed in.
        Internal = "internal",
        /// Everybody.
        Public = "public",
    }

    /// What somebody is a member of.
    MemberSource {
        /// A group, with all below it.
        Namespace = "namespace",
        /// One project.
        Project = "project",
    }

    /// What kind of ref a protection is for.
    RefKind {
        /// Branches.
        Branch = "branch",
        /// Tags.
        Tag = "tag",
    }

    /// Where something is defined that reaches all below it.
    Level {
        /// Everywhere; the level's number is 0.
        Instance = "instance",
        /// A group; the number is its namespace's.
        Group = "group",
        /// A project; the number is the project's.
        Project = "project",
    }

    /// How a job sees a variable.
    VariableType {
        /// As an environment variable.
        EnvVar = "env_var",
        /// As a file, whose path is the environment variable.
        File = "file",
    }

    /// Whose jobs a runner takes.
    RunnerKind {
        /// Everybody's.
        Instance = "instance",
        /// Those of the projects of its owner, a group, and of the groups below.
        Group = "group",
        /// Those of the projects that it is assigned to; its owner is the first of them.
        Project = "project",
    }

    /// Where a merge request stands.
    MergeRequestState {
        /// It can be merged.
        Opened = "opened",
        /// Somebody closed it.
        Closed = "closed",
        /// It is merged.
        Merged = "merged",
    }

    /// Whether an environment is in use.
    EnvironmentState {
        /// It is.
        Available = "available",
        /// Its stop job runs.
        Stopping = "stopping",
        /// It was stopped.
        Stopped = "stopped",
    }

    /// Who reads an artifact, of those who read the job; GitLab's names.
    Accessibility {
        /// Everybody.
        Public = "public",
        /// Developers.
        Private = "private",
        /// Maintainers.
        Maintainer = "maintainer",
        /// Nobody but later jobs.
        None = "none",
    }

    /// Where a deployment stands.
    DeploymentStatus {
        /// Its job waits.
        Created = "created",
        /// Its job runs.
        Running = "running",
        /// It is deployed.
        Success = "success",
        /// Its job failed.
        Failed = "failed",
        /// Its job was cancelled.
        Canceled = "canceled",
        /// Its job was skipped.
        Skipped = "skipped",
        /// It waits for a person.
        Blocked = "blocked",
    }
}
