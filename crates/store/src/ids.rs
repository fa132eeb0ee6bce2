//! Numbers that identify rows, one type for each table so that two cannot be mixed up.
//!
//! Those of pipelines and jobs are the pipeline crate's.

macro_rules! id {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type,
        )]
        #[sqlx(transparent)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl From<$name> for crate::sql::Value<'_> {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl From<Option<$name>> for crate::sql::Value<'_> {
            fn from(id: Option<$name>) -> Self {
                id.map(|id| id.0).into()
            }
        }
    )*};
}

id! {
    /// A user.
    UserId;
    /// A personal access token.
    AccessTokenId;
    /// A group, or the namespace of a user.
    NamespaceId;
    /// A project.
    ProjectId;
    /// A CI/CD variable.
    VariableId;
    /// A runner: one token, however many machines share it.
    RunnerId;
    /// A trigger token.
    TriggerId;
    /// A pipeline schedule.
    ScheduleId;
    /// An environment.
    EnvironmentId;
    /// A deployment.
    DeploymentId;
    /// A protection of branches or tags.
    ProtectedRefId;
    /// What another system says about a commit.
    CommitStatusId;
    /// A release.
    ReleaseId;
    /// A link of a release.
    ReleaseLinkId;
    /// A package.
    PackageId;
    /// A file of a package.
    PackageFileId;
    /// A file of a package that is about to come.
    PackageUploadId;
    /// A badge.
    BadgeId;
    /// A merge request.
    MergeRequestId;
}
