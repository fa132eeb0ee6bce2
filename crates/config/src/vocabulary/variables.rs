//! The variables that are there without being defined.

use Known::{Creation, Job};

/// From when on a predefined variable has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Since the pipeline is made: rules can use it.
    Creation,
    /// Since the job is handed out: scripts can use it, rules cannot.
    Job,
}

/// A variable that is there without being defined.
#[derive(Debug)]
pub struct PredefinedVariable {
    /// Without the `$`.
    pub name: &'static str,
    /// What it holds, in a sentence of Markdown.
    pub meaning: &'static str,
    /// From when on.
    pub known: Known,
}

const fn variable(name: &'static str, meaning: &'static str, known: Known) -> PredefinedVariable {
    PredefinedVariable {
        name,
        meaning,
        known,
    }
}

/// The predefined variables, by name.
pub const PREDEFINED: &[PredefinedVariable] = &[
    variable("CI", "`true` in every job.", Creation),
    variable(
        "CI_API_GRAPHQL_URL",
        "The address of the GraphQL API.",
        Creation,
    ),
    variable("CI_API_V4_URL", "The address of the REST API.", Creation),
    variable(
        "CI_BUILDS_DIR",
        "The directory in which the runner works.",
        Job,
    ),
    variable(
        "CI_COMMIT_AUTHOR",
        "The author of the commit: `Name <address>`.",
        Creation,
    ),
    variable(
        "CI_COMMIT_BEFORE_SHA",
        "The commit that the branch was at before; zeros where there is none.",
        Creation,
    ),
    variable(
        "CI_COMMIT_BRANCH",
        "The branch; missing for tags and merge requests.",
        Creation,
    ),
    variable(
        "CI_COMMIT_DESCRIPTION",
        "The message of the commit without its title.",
        Creation,
    ),
    variable(
        "CI_COMMIT_MESSAGE",
        "The whole message of the commit.",
        Creation,
    ),
    variable(
        "CI_COMMIT_MESSAGE_IS_TRUNCATED",
        "`true` where the message is too long to be given whole.",
        Creation,
    ),
    variable("CI_COMMIT_REF_NAME", "The branch or tag.", Creation),
    variable(
        "CI_COMMIT_REF_PROTECTED",
        "`true` where the branch or tag is protected.",
        Creation,
    ),
    variable(
        "CI_COMMIT_REF_SLUG",
        "The branch or tag in lower case, fit for addresses and names of hosts.",
        Creation,
    ),
    variable("CI_COMMIT_SHA", "The commit.", Creation),
    variable(
        "CI_COMMIT_SHORT_SHA",
        "The first eight characters of the commit.",
        Creation,
    ),
    variable("CI_COMMIT_TAG", "The tag; missing for branches.", Creation),
    variable("CI_COMMIT_TAG_MESSAGE", "The message of the tag.", Creation),
    variable(
        "CI_COMMIT_TIMESTAMP",
        "When the commit was made, in ISO 8601.",
        Creation,
    ),
    variable(
        "CI_COMMIT_TITLE",
        "The first line of the commit's message.",
        Creation,
    ),
    variable(
        "CI_COMMIT_USER_LOGIN",
        "Who started the pipeline.",
        Creation,
    ),
    variable(
        "CI_CONCURRENT_ID",
        "Which of the runner's slots the job has.",
        Job,
    ),
    variable(
        "CI_CONCURRENT_PROJECT_ID",
        "Which of the runner's slots for this project the job has.",
        Job,
    ),
    variable("CI_CONFIG_PATH", "The path of the configuration.", Creation),
    variable(
        "CI_DEBUG_SERVICES",
        "`true` to show the logs of services.",
        Creation,
    ),
    variable(
        "CI_DEBUG_TRACE",
        "`true` to show every command with its values.",
        Creation,
    ),
    variable(
        "CI_DEFAULT_BRANCH",
        "The default branch of the project.",
        Creation,
    ),
    variable(
        "CI_DEFAULT_BRANCH_SLUG",
        "The default branch, fit for addresses and names of hosts.",
        Creation,
    ),
    variable(
        "CI_DISPOSABLE_ENVIRONMENT",
        "`true` where the job's surroundings are thrown away after it.",
        Job,
    ),
    variable(
        "CI_ENVIRONMENT_ACTION",
        "The `environment:action` of the job.",
        Job,
    ),
    variable("CI_ENVIRONMENT_NAME", "The environment's name.", Job),
    variable(
        "CI_ENVIRONMENT_SLUG",
        "The environment's name, fit for addresses and names of hosts.",
        Job,
    ),
    variable("CI_ENVIRONMENT_TIER", "The environment's tier.", Job),
    variable("CI_ENVIRONMENT_URL", "The environment's address.", Job),
    variable(
        "CI_JOB_GROUP_NAME",
        "The job's name without its instance.",
        Job,
    ),
    variable("CI_JOB_ID", "The id of the job.", Job),
    variable("CI_JOB_IMAGE", "The image of the job.", Job),
    variable(
        "CI_JOB_MANUAL",
        "`true` where somebody started the job by hand.",
        Job,
    ),
    variable("CI_JOB_NAME", "The name of the job.", Job),
    variable(
        "CI_JOB_NAME_SLUG",
        "The name of the job, fit for addresses and names of hosts.",
        Job,
    ),
    variable("CI_JOB_STAGE", "The stage of the job.", Job),
    variable(
        "CI_JOB_STARTED_AT",
        "When the job started, in ISO 8601.",
        Job,
    ),
    variable(
        "CI_JOB_STARTED_AT_SLUG",
        "The same, fit for names of files.",
        Job,
    ),
    variable(
        "CI_JOB_STATUS",
        "In `after_script`: `success`, `failed` or `canceled`.",
        Job,
    ),
    variable("CI_JOB_TIMEOUT", "How many seconds the job may take.", Job),
    variable(
        "CI_JOB_TOKEN",
        "The token with which the job may ask the server.",
        Job,
    ),
    variable("CI_JOB_URL", "The address of the job.", Job),
    variable(
        "CI_MERGE_REQUEST_DRAFT",
        "`true` where the merge request is a draft.",
        Creation,
    ),
    variable(
        "CI_MERGE_REQUEST_ID",
        "The id of the merge request; only in its pipelines.",
        Creation,
    ),
    variable(
        "CI_MERGE_REQUEST_IID",
        "The number of the merge request in its project.",
        Creation,
    ),
    variable(
        "CI_MERGE_REQUEST_LABELS",
        "The labels of the merge request.",
        Creation,
    ),
    variable(
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
        "The branch that is to be merged.",
        Creation,
    ),
    variable(
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
        "The branch that it is to be merged into.",
        Creation,
    ),
    variable(
        "CI_MERGE_REQUEST_TITLE",
        "The title of the merge request.",
        Creation,
    ),
    variable(
        "CI_NODE_INDEX",
        "Which instance of a parallel job this is, from 1.",
        Job,
    ),
    variable(
        "CI_NODE_TOTAL",
        "How many instances a parallel job has.",
        Job,
    ),
    variable(
        "CI_OPEN_MERGE_REQUESTS",
        "Open merge requests of the branch.",
        Creation,
    ),
    variable(
        "CI_PIPELINE_CREATED_AT",
        "When the pipeline was made, in ISO 8601.",
        Job,
    ),
    variable("CI_PIPELINE_ID", "The id of the pipeline.", Job),
    variable(
        "CI_PIPELINE_IID",
        "The number of the pipeline in its project.",
        Job,
    ),
    variable(
        "CI_PIPELINE_NAME",
        "What `workflow:name` calls the pipeline.",
        Job,
    ),
    variable(
        "CI_PIPELINE_SCHEDULE_DESCRIPTION",
        "The description of the schedule that made the pipeline.",
        Creation,
    ),
    variable(
        "CI_PIPELINE_SOURCE",
        "What made the pipeline: `push`, `web`, `schedule`, `merge_request_event`, …",
        Creation,
    ),
    variable(
        "CI_PIPELINE_TRIGGERED",
        "`true` where a trigger token made the pipeline.",
        Creation,
    ),
    variable("CI_PIPELINE_URL", "The address of the pipeline.", Job),
    variable(
        "CI_PROJECT_DESCRIPTION",
        "The description of the project.",
        Creation,
    ),
    variable("CI_PROJECT_DIR", "The directory of the sources.", Job),
    variable("CI_PROJECT_ID", "The id of the project.", Creation),
    variable(
        "CI_PROJECT_NAME",
        "The last part of the project's path.",
        Creation,
    ),
    variable(
        "CI_PROJECT_NAMESPACE",
        "The project's path without its name.",
        Creation,
    ),
    variable(
        "CI_PROJECT_NAMESPACE_ID",
        "The id of the project's namespace.",
        Creation,
    ),
    variable(
        "CI_PROJECT_NAMESPACE_SLUG",
        "The namespace, fit for addresses and names of hosts.",
        Creation,
    ),
    variable("CI_PROJECT_PATH", "The full path of the project.", Creation),
    variable(
        "CI_PROJECT_PATH_SLUG",
        "The full path, fit for addresses and names of hosts.",
        Creation,
    ),
    variable(
        "CI_PROJECT_ROOT_NAMESPACE",
        "The first part of the project's path.",
        Creation,
    ),
    variable("CI_PROJECT_TITLE", "The title of the project.", Creation),
    variable("CI_PROJECT_URL", "The address of the project.", Creation),
    variable(
        "CI_PROJECT_VISIBILITY",
        "`private`, `internal` or `public`.",
        Creation,
    ),
    variable(
        "CI_REPOSITORY_URL",
        "The address for git, with the job's token.",
        Job,
    ),
    variable(
        "CI_RUNNER_DESCRIPTION",
        "The description of the runner.",
        Job,
    ),
    variable(
        "CI_RUNNER_EXECUTABLE_ARCH",
        "The system and processor of the runner.",
        Job,
    ),
    variable("CI_RUNNER_ID", "The id of the runner.", Job),
    variable("CI_RUNNER_REVISION", "The revision of the runner.", Job),
    variable("CI_RUNNER_TAGS", "The tags of the runner.", Job),
    variable("CI_RUNNER_VERSION", "The version of the runner.", Job),
    variable("CI_SERVER", "`yes` in every job.", Job),
    variable(
        "CI_SERVER_FQDN",
        "The server's host, with the port where it is not the usual one.",
        Creation,
    ),
    variable("CI_SERVER_HOST", "The server's host.", Creation),
    variable(
        "CI_SERVER_NAME",
        "The name of the server's program.",
        Creation,
    ),
    variable("CI_SERVER_PORT", "The server's port.", Creation),
    variable("CI_SERVER_PROTOCOL", "`http` or `https`.", Creation),
    variable(
        "CI_SERVER_REVISION",
        "The revision of the server's program.",
        Creation,
    ),
    variable(
        "CI_SERVER_SHELL_SSH_HOST",
        "The host for git over SSH.",
        Creation,
    ),
    variable(
        "CI_SERVER_SHELL_SSH_PORT",
        "The port for git over SSH.",
        Creation,
    ),
    variable(
        "CI_SERVER_TLS_CA_FILE",
        "The file with the certificates of the server.",
        Job,
    ),
    variable("CI_SERVER_URL", "The address of the server.", Creation),
    variable("CI_SERVER_VERSION", "The version of the server.", Creation),
    variable(
        "CI_SERVER_VERSION_MAJOR",
        "The first number of the version.",
        Creation,
    ),
    variable(
        "CI_SERVER_VERSION_MINOR",
        "The second number of the version.",
        Creation,
    ),
    variable(
        "CI_SERVER_VERSION_PATCH",
        "The third number of the version.",
        Creation,
    ),
    variable(
        "CI_SHARED_ENVIRONMENT",
        "`true` where the job shares its surroundings with others.",
        Job,
    ),
    variable("GITLAB_CI", "`true` in every job.", Creation),
    variable(
        "GITLAB_FEATURES",
        "Licensed features of the server.",
        Creation,
    ),
    variable(
        "GITLAB_USER_EMAIL",
        "The address of who started the pipeline.",
        Creation,
    ),
    variable(
        "GITLAB_USER_ID",
        "The id of who started the pipeline.",
        Creation,
    ),
    variable(
        "GITLAB_USER_LOGIN",
        "The user name of who started the pipeline.",
        Creation,
    ),
    variable(
        "GITLAB_USER_NAME",
        "The name of who started the pipeline.",
        Creation,
    ),
];
