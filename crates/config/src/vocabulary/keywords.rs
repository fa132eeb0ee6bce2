//! The table: every map of the language with its keys.

use super::Block;
use super::Keyword;
use super::Takes::{
    self, Condition, Entries, File, Flag, Jobs, Map, Maps, Named, Script, Stage, Stages, Text,
    Texts, Variables, Words,
};
use crate::keywords::RETRY_WHEN;

const fn keyword(name: &'static str, meaning: &'static str, takes: &'static [Takes]) -> Keyword {
    Keyword {
        name,
        meaning,
        takes,
    }
}

/// After which result something is kept.
const RESULTS: [&str; 3] = ["on_success", "on_failure", "always"];
/// Types of inputs.
const TYPES: [&str; 4] = ["string", "number", "boolean", "array"];
/// Kinds of refs and pipelines that `only` and `except` know.
const REFS: [&str; 13] = [
    "branches",
    "tags",
    "merge_requests",
    "pushes",
    "web",
    "schedules",
    "triggers",
    "pipelines",
    "api",
    "chat",
    "external",
    "external_pull_requests",
    "parent_pipeline",
];
/// What can be inherited of `default`.
const DEFAULTS: [&str; 13] = [
    "after_script",
    "artifacts",
    "before_script",
    "cache",
    "hooks",
    "id_tokens",
    "identity",
    "image",
    "interruptible",
    "retry",
    "services",
    "tags",
    "timeout",
];

/// The top level.
pub(super) static GLOBAL: Block = Block(&[
    keyword(
        "stages",
        "The stages of the pipeline, in order. `.pre` and `.post` are always there; without this keyword they are `build`, `test` and `deploy`.",
        &[Stages],
    ),
    keyword(
        "include",
        "Files whose content is put under this one: this file wins. A path, an address, a map with the kind of source, or a list of these.",
        &[File, Maps(&INCLUDE), Map(&INCLUDE)],
    ),
    keyword(
        "variables",
        "Variables of all jobs, unless a job has one of the same name.",
        &[Variables],
    ),
    keyword(
        "workflow",
        "Whether there is a pipeline at all, its name, and what cancels it.",
        &[Map(&WORKFLOW)],
    ),
    keyword(
        "default",
        "What jobs take over for the keywords that they do not have themselves: whole, never merged.",
        &[Map(&DEFAULT)],
    ),
    keyword(
        "spec",
        "The header of a file that takes inputs; ends with a line `---`.",
        &[Map(&SPEC)],
    ),
    keyword(
        "before_script",
        "The old place of `default:before_script`.",
        &[Script],
    ),
    keyword(
        "after_script",
        "The old place of `default:after_script`.",
        &[Script],
    ),
    keyword(
        "image",
        "The old place of `default:image`.",
        &[Text, Map(&IMAGE)],
    ),
    keyword(
        "services",
        "The old place of `default:services`.",
        &[Text, Maps(&SERVICE)],
    ),
    keyword(
        "cache",
        "The old place of `default:cache`.",
        &[Maps(&CACHE), Map(&CACHE)],
    ),
]);

/// `default`
pub(super) static DEFAULT: Block = Block(&[
    keyword(
        "before_script",
        "Commands before those of every job.",
        &[Script],
    ),
    keyword(
        "after_script",
        "Commands after every job, also one that failed.",
        &[Script],
    ),
    keyword(
        "image",
        "The container image of every job.",
        &[Text, Map(&IMAGE)],
    ),
    keyword(
        "services",
        "Containers that run beside every job.",
        &[Text, Maps(&SERVICE)],
    ),
    keyword(
        "cache",
        "What every job keeps for later pipelines.",
        &[Maps(&CACHE), Map(&CACHE)],
    ),
    keyword(
        "artifacts",
        "What is kept of every job.",
        &[Map(&ARTIFACTS)],
    ),
    keyword(
        "retry",
        "How often and after which failures a job is tried again.",
        &[Text, Map(&RETRY)],
    ),
    keyword("tags", "Which runners take the jobs.", &[Text]),
    keyword(
        "interruptible",
        "Whether a job may be cancelled when a newer pipeline makes it pointless.",
        &[Flag],
    ),
    keyword(
        "timeout",
        "Is read and has no effect here; give `timeout` in the job.",
        &[Text],
    ),
    keyword(
        "hooks",
        "Commands at other moments of a job.",
        &[Map(&HOOKS)],
    ),
    keyword(
        "id_tokens",
        "Signed tokens that jobs get as variables.",
        &[Named(&ID_TOKEN)],
    ),
    keyword(
        "identity",
        "With which identity provider a job signs in.",
        &[Words(&["google_cloud"])],
    ),
]);

/// A job.
pub(super) static JOB: Block = Block(&[
    keyword(
        "script",
        "The commands that the runner executes, in one shell. The first that fails ends the job.",
        &[Script],
    ),
    keyword(
        "stage",
        "The stage in which the job runs; `test` where none is given. Jobs of one stage run side by side.",
        &[Stage],
    ),
    keyword(
        "image",
        "The container image in which the job runs.",
        &[Text, Map(&IMAGE)],
    ),
    keyword(
        "needs",
        "The jobs that must be over before this one starts, whatever the stages say. An empty list: start at once.",
        &[Jobs, Maps(&NEED)],
    ),
    keyword(
        "rules",
        "When the job is in the pipeline, and how. The first rule that holds decides; where none does, the job is left out.",
        &[Maps(&RULE)],
    ),
    keyword(
        "extends",
        "Entries whose keys this job takes over. Later entries win over earlier ones, the job over all.",
        &[Entries],
    ),
    keyword(
        "variables",
        "Variables of this job; they win over those of the top level.",
        &[Variables],
    ),
    keyword(
        "before_script",
        "Commands before `script`, in the same shell.",
        &[Script],
    ),
    keyword(
        "after_script",
        "Commands after the job in a shell of their own, also when it failed. They do not change its result.",
        &[Script],
    ),
    keyword(
        "artifacts",
        "Files that are kept after the job and handed to later jobs.",
        &[Map(&ARTIFACTS)],
    ),
    keyword(
        "cache",
        "Files that are kept for the next pipelines, to save time. They may be missing.",
        &[Maps(&CACHE), Map(&CACHE)],
    ),
    keyword(
        "services",
        "Containers that run beside the job, such as a database.",
        &[Text, Maps(&SERVICE)],
    ),
    keyword(
        "tags",
        "Only a runner with all of these tags takes the job.",
        &[Text],
    ),
    keyword(
        "environment",
        "The environment that the job deploys to.",
        &[Text, Map(&ENVIRONMENT)],
    ),
    keyword(
        "when",
        "When the job runs, where no rule says otherwise.",
        &[Words(&[
            "on_success",
            "on_failure",
            "always",
            "manual",
            "delayed",
            "never",
        ])],
    ),
    keyword(
        "allow_failure",
        "Whether the pipeline goes on when the job fails.",
        &[Flag, Map(&ALLOW_FAILURE)],
    ),
    keyword(
        "dependencies",
        "The jobs of earlier stages whose artifacts are fetched; all where it is missing. An empty list: none.",
        &[Jobs],
    ),
    keyword(
        "parallel",
        "How many copies of the job run side by side, or the matrix of variables that makes them.",
        &[Text, Map(&PARALLEL)],
    ),
    keyword(
        "retry",
        "How often, and after which failures, the job is tried again: 0, 1 or 2 times.",
        &[Text, Map(&RETRY)],
    ),
    keyword(
        "timeout",
        "How long the job may take: `30m`, `1h 30m`.",
        &[Text],
    ),
    keyword(
        "coverage",
        "The regular expression that finds the coverage in the log: `/TOTAL.*? (\\d+)%/`.",
        &[Text],
    ),
    keyword(
        "trigger",
        "Starts another pipeline: of this project by `include`, or of another project. In place of `script`.",
        &[Text, Map(&TRIGGER)],
    ),
    keyword(
        "interruptible",
        "Whether the job may be cancelled when a newer pipeline makes it pointless.",
        &[Flag],
    ),
    keyword(
        "resource_group",
        "Jobs of one group never run at the same time, in no pipeline of the project.",
        &[Text],
    ),
    keyword(
        "start_in",
        "How long a job with `when: delayed` waits: `30 minutes`.",
        &[Text],
    ),
    keyword(
        "manual_confirmation",
        "What a person is asked before a manual job starts.",
        &[Text],
    ),
    keyword(
        "inherit",
        "Which of the defaults and variables of the top level the job takes.",
        &[Map(&INHERIT)],
    ),
    keyword(
        "release",
        "Makes a release after the job succeeded.",
        &[Map(&RELEASE)],
    ),
    keyword(
        "pages",
        "Publishes a folder of the job as the project's site.",
        &[Flag, Map(&PAGES)],
    ),
    keyword(
        "publish",
        "The folder that is published; the old place of `pages:publish`.",
        &[Text],
    ),
    keyword(
        "secrets",
        "Secrets of a provider that the job gets as variables.",
        &[Named(&SECRET)],
    ),
    keyword(
        "id_tokens",
        "Signed tokens that the job gets as variables.",
        &[Named(&ID_TOKEN)],
    ),
    keyword(
        "identity",
        "With which identity provider the job signs in.",
        &[Words(&["google_cloud"])],
    ),
    keyword(
        "hooks",
        "Commands at other moments of the job.",
        &[Map(&HOOKS)],
    ),
    keyword("run", "Steps in place of a script.", &[Maps(&STEP)]),
    keyword(
        "inputs",
        "What a person may give when the manual job is started.",
        &[Named(&JOB_INPUT)],
    ),
    keyword(
        "only",
        "The old form of `rules`: for which refs or conditions the job is in the pipeline.",
        &[Words(&REFS), Map(&POLICY)],
    ),
    keyword(
        "except",
        "The old form of `rules`: for which refs or conditions the job is left out.",
        &[Words(&REFS), Map(&POLICY)],
    ),
    keyword(
        "dast_configuration",
        "Profiles of GitLab's dynamic security scan.",
        &[Map(&DAST)],
    ),
]);

/// An entry of `include`.
pub(super) static INCLUDE: Block = Block(&[
    keyword(
        "local",
        "A file of this project; the path starts at its root. `*` and `**` stand for several.",
        &[File],
    ),
    keyword(
        "project",
        "The path of another project; `file` names its files.",
        &[Text],
    ),
    keyword("file", "Files of the other project.", &[Text]),
    keyword(
        "ref",
        "Branch, tag or commit of the other project.",
        &[Text],
    ),
    keyword("remote", "An address of HTTP or HTTPS.", &[Text]),
    keyword(
        "template",
        "The name of one of GitLab's templates.",
        &[Text],
    ),
    keyword(
        "component",
        "A component: `HOST/PROJECT/NAME@VERSION`.",
        &[Text],
    ),
    keyword(
        "artifact",
        "A file made by a job; only in `trigger:include`.",
        &[File],
    ),
    keyword("job", "The job that made the artifact.", &[Jobs]),
    keyword("inputs", "Values for the inputs of the file.", &[Texts]),
    keyword("with", "The old name of `inputs`.", &[Texts]),
    keyword(
        "rules",
        "When the file is included.",
        &[Maps(&INCLUDE_RULE)],
    ),
    keyword(
        "integrity",
        "The digest that a remote file must have: `sha256-…`.",
        &[Text],
    ),
    keyword("cache", "How long a remote file may be kept.", &[Text]),
]);

/// `include:rules`
pub(super) static INCLUDE_RULE: Block = Block(&[
    keyword(
        "if",
        "Holds if the expression does; only variables that are known before the jobs are.",
        &[Condition],
    ),
    keyword(
        "changes",
        "Holds if one of these files changed.",
        &[Text, Map(&CHANGES)],
    ),
    keyword(
        "exists",
        "Holds if one of these files exists.",
        &[Text, Map(&EXISTS)],
    ),
    keyword(
        "when",
        "`never` leaves the file out.",
        &[Words(&["always", "never"])],
    ),
]);

/// `workflow`
pub(super) static WORKFLOW: Block = Block(&[
    keyword(
        "name",
        "The name of pipelines; variables are put in.",
        &[Text],
    ),
    keyword(
        "rules",
        "When there is a pipeline. The first rule that holds decides; where none does, there is none.",
        &[Maps(&WORKFLOW_RULE)],
    ),
    keyword(
        "auto_cancel",
        "What cancels jobs of running pipelines.",
        &[Map(&AUTO_CANCEL)],
    ),
]);

/// `workflow:rules`
pub(super) static WORKFLOW_RULE: Block = Block(&[
    keyword("if", "Holds if the expression does.", &[Condition]),
    keyword(
        "changes",
        "Holds if one of these files changed.",
        &[Text, Map(&CHANGES)],
    ),
    keyword(
        "exists",
        "Holds if one of these files exists.",
        &[Text, Map(&EXISTS)],
    ),
    keyword(
        "when",
        "Whether there is a pipeline when the rule holds.",
        &[Words(&["always", "never"])],
    ),
    keyword(
        "variables",
        "Variables of the pipeline when the rule holds.",
        &[Variables],
    ),
    keyword(
        "auto_cancel",
        "What cancels jobs when the rule holds.",
        &[Map(&AUTO_CANCEL)],
    ),
    keyword("start_in", "Means nothing here.", &[Text]),
    keyword("allow_failure", "Means nothing here.", &[Flag]),
    keyword("needs", "Means nothing here.", &[Jobs]),
    keyword("interruptible", "Means nothing here.", &[Flag]),
]);

/// `workflow:auto_cancel`
pub(super) static AUTO_CANCEL: Block = Block(&[
    keyword(
        "on_new_commit",
        "What a newer commit on the branch cancels.",
        &[Words(&["conservative", "interruptible", "none"])],
    ),
    keyword(
        "on_job_failure",
        "What the failure of a job cancels.",
        &[Words(&["none", "all"])],
    ),
]);

/// An entry of `rules`.
pub(super) static RULE: Block = Block(&[
    keyword(
        "if",
        "Holds if the expression does: `$CI_COMMIT_BRANCH == \"main\"`.",
        &[Condition],
    ),
    keyword(
        "changes",
        "Holds if one of these files changed.",
        &[Text, Map(&CHANGES)],
    ),
    keyword(
        "exists",
        "Holds if one of these files exists.",
        &[Text, Map(&EXISTS)],
    ),
    keyword(
        "when",
        "When the job runs if the rule holds; `never` leaves it out.",
        &[Words(&[
            "on_success",
            "on_failure",
            "always",
            "never",
            "manual",
            "delayed",
        ])],
    ),
    keyword("start_in", "How long `when: delayed` waits.", &[Text]),
    keyword(
        "allow_failure",
        "Whether the pipeline goes on when the job fails.",
        &[Flag, Map(&ALLOW_FAILURE)],
    ),
    keyword(
        "variables",
        "Variables of the job if the rule holds.",
        &[Variables],
    ),
    keyword(
        "needs",
        "The `needs` of the job if the rule holds.",
        &[Jobs, Maps(&NEED)],
    ),
    keyword(
        "interruptible",
        "Whether the job may be cancelled, if the rule holds.",
        &[Flag],
    ),
]);

/// `rules:changes`
pub(super) static CHANGES: Block = Block(&[
    keyword("paths", "Patterns of files: `src/**/*.py`.", &[Text]),
    keyword("regexp", "A regular expression of paths.", &[Text]),
    keyword(
        "compare_to",
        "The ref with which files are compared, in place of what the commit followed.",
        &[Text],
    ),
]);

/// `rules:exists`
pub(super) static EXISTS: Block = Block(&[
    keyword("paths", "Patterns of files: `**/Dockerfile`.", &[Text]),
    keyword("regexp", "A regular expression of paths.", &[Text]),
    keyword(
        "project",
        "The project in which the files are looked for.",
        &[Text],
    ),
    keyword("ref", "The ref of that project.", &[Text]),
]);

/// An entry of `needs`.
pub(super) static NEED: Block = Block(&[
    keyword("job", "The job that is needed.", &[Jobs]),
    keyword("artifacts", "Whether its artifacts are fetched.", &[Flag]),
    keyword(
        "optional",
        "Whether the need is dropped where that job is not in the pipeline.",
        &[Flag],
    ),
    keyword(
        "parallel",
        "Which instances of a parallel job are needed.",
        &[Map(&MATRIX)],
    ),
    keyword(
        "pipeline",
        "A pipeline whose artifacts are fetched, or whose status is mirrored.",
        &[Text],
    ),
    keyword(
        "project",
        "Another project from whose latest job artifacts are fetched.",
        &[Text],
    ),
    keyword("ref", "The ref of that project.", &[Text]),
]);

/// `needs:parallel`
pub(super) static MATRIX: Block = Block(&[keyword(
    "matrix",
    "Variables with lists of values; each combination is an instance.",
    &[Texts],
)]);

/// `parallel`
pub(super) static PARALLEL: Block = Block(&[keyword(
    "matrix",
    "Variables with lists of values; each combination is an instance of the job.",
    &[Texts],
)]);

/// `allow_failure`
pub(super) static ALLOW_FAILURE: Block = Block(&[keyword(
    "exit_codes",
    "The exit codes that are allowed.",
    &[Text],
)]);

/// `retry`
pub(super) static RETRY: Block = Block(&[
    keyword("max", "How often at most: 0, 1 or 2.", &[Text]),
    keyword("when", "After which failures.", &[Words(&RETRY_WHEN)]),
    keyword("exit_codes", "After which exit codes.", &[Text]),
]);

/// `image`
pub(super) static IMAGE: Block = Block(&[
    keyword(
        "name",
        "The name of the image, with registry and tag.",
        &[Text],
    ),
    keyword(
        "entrypoint",
        "The entrypoint, in place of the image's own.",
        &[Text],
    ),
    keyword(
        "pull_policy",
        "When the image is pulled.",
        &[Words(&["always", "if-not-present", "never"])],
    ),
    keyword(
        "docker",
        "Options of the Docker executor: `platform`, `user`.",
        &[Map(&DOCKER)],
    ),
    keyword(
        "kubernetes",
        "Options of the Kubernetes executor.",
        &[Map(&KUBERNETES_IMAGE)],
    ),
]);

/// An entry of `services`.
pub(super) static SERVICE: Block = Block(&[
    keyword(
        "name",
        "The name of the image, with registry and tag.",
        &[Text],
    ),
    keyword("alias", "Names by which the job reaches it.", &[Text]),
    keyword(
        "entrypoint",
        "The entrypoint, in place of the image's own.",
        &[Text],
    ),
    keyword(
        "command",
        "The command, in place of the image's own.",
        &[Text],
    ),
    keyword("variables", "Variables of the service alone.", &[Variables]),
    keyword(
        "pull_policy",
        "When the image is pulled.",
        &[Words(&["always", "if-not-present", "never"])],
    ),
    keyword(
        "docker",
        "Options of the Docker executor: `platform`, `user`.",
        &[Map(&DOCKER)],
    ),
    keyword(
        "kubernetes",
        "Options of the Kubernetes executor.",
        &[Map(&KUBERNETES_IMAGE)],
    ),
]);

/// `image:docker`
pub(super) static DOCKER: Block = Block(&[
    keyword(
        "platform",
        "The platform of the image: `linux/arm64`.",
        &[Text],
    ),
    keyword("user", "The user in the container.", &[Text]),
]);

/// `image:kubernetes`
pub(super) static KUBERNETES_IMAGE: Block =
    Block(&[keyword("user", "The user in the container.", &[Text])]);

/// `artifacts`
pub(super) static ARTIFACTS: Block = Block(&[
    keyword(
        "paths",
        "Files and folders, relative to the project; patterns are allowed.",
        &[Text],
    ),
    keyword("exclude", "What of them is left out.", &[Text]),
    keyword(
        "expire_in",
        "How long they are kept: `1 week`, `never`.",
        &[Text],
    ),
    keyword(
        "reports",
        "Files that are read: test results, coverage, variables for later jobs.",
        &[Map(&REPORTS)],
    ),
    keyword("name", "The name of the archive.", &[Text]),
    keyword(
        "when",
        "After which result they are kept.",
        &[Words(&RESULTS)],
    ),
    keyword(
        "untracked",
        "Whether all files are taken that git does not track.",
        &[Flag],
    ),
    keyword("expose_as", "The link that merge requests show.", &[Text]),
    keyword(
        "access",
        "Who may download them.",
        &[Words(&["none", "developer", "maintainer", "all"])],
    ),
    keyword(
        "public",
        "The old form of `access`: whether anyone may download them.",
        &[Flag],
    ),
]);

/// `artifacts:reports`
pub(super) static REPORTS: Block = Block(&[
    keyword("junit", "Test results as JUnit XML.", &[Text]),
    keyword(
        "coverage_report",
        "Coverage line by line.",
        &[Map(&COVERAGE)],
    ),
    keyword(
        "dotenv",
        "Lines `KEY=VALUE` that become variables of later jobs.",
        &[Text],
    ),
    keyword(
        "codequality",
        "Findings on the quality of the code.",
        &[Text],
    ),
    keyword("terraform", "A Terraform plan as JSON.", &[Text]),
    keyword("metrics", "Figures in the OpenMetrics format.", &[Text]),
    keyword("accessibility", "Findings of pa11y.", &[Text]),
    keyword(
        "annotations",
        "Links that the page of the job shows.",
        &[Text],
    ),
    keyword("api_fuzzing", "Findings of API fuzzing.", &[Text]),
    keyword("browser_performance", "Figures of sitespeed.io.", &[Text]),
    keyword(
        "cluster_image_scanning",
        "Findings in images of a cluster.",
        &[Text],
    ),
    keyword(
        "container_scanning",
        "Findings in container images.",
        &[Text],
    ),
    keyword("coverage_fuzzing", "Findings of fuzzing.", &[Text]),
    keyword("cyclonedx", "Bills of materials as CycloneDX.", &[Text]),
    keyword("dast", "Findings of a dynamic security scan.", &[Text]),
    keyword("dependency_scanning", "Findings in dependencies.", &[Text]),
    keyword(
        "license_scanning",
        "Licences of dependencies; GitLab does not read it any more.",
        &[Text],
    ),
    keyword("load_performance", "Figures of k6.", &[Text]),
    keyword("lsif", "Data for navigation in code.", &[Text]),
    keyword(
        "repository_xray",
        "Facts of the repository for GitLab's assistant.",
        &[Text],
    ),
    keyword(
        "requirements",
        "Results of requirements, in the old form.",
        &[Text],
    ),
    keyword("requirements_v2", "Results of requirements.", &[Text]),
    keyword("sarif", "Findings as SARIF.", &[Text]),
    keyword("sast", "Findings of a static security scan.", &[Text]),
    keyword("secret_detection", "Secrets that were found.", &[Text]),
]);

/// `artifacts:reports:coverage_report`
pub(super) static COVERAGE: Block = Block(&[
    keyword(
        "coverage_format",
        "The format of the file.",
        &[Words(&["cobertura", "jacoco"])],
    ),
    keyword("path", "The file.", &[Text]),
]);

/// `cache`
pub(super) static CACHE: Block = Block(&[
    keyword(
        "key",
        "Caches with the same key are the same cache; variables are put in.",
        &[Text, Map(&CACHE_KEY)],
    ),
    keyword(
        "paths",
        "Files and folders, relative to the project; patterns are allowed.",
        &[Text],
    ),
    keyword(
        "policy",
        "Whether the job fetches the cache, stores it, or both.",
        &[Words(&["pull-push", "pull", "push"])],
    ),
    keyword(
        "when",
        "After which result it is stored.",
        &[Words(&RESULTS)],
    ),
    keyword(
        "fallback_keys",
        "Keys that are tried where there is no cache of the first one.",
        &[Text],
    ),
    keyword(
        "untracked",
        "Whether all files are taken that git does not track.",
        &[Flag],
    ),
    keyword(
        "unprotect",
        "Whether protected and other branches share the cache.",
        &[Flag],
    ),
]);

/// `cache:key`
pub(super) static CACHE_KEY: Block = Block(&[
    keyword(
        "files",
        "The key is made of the content of these files.",
        &[Text],
    ),
    keyword(
        "files_commits",
        "The key is made of the latest commits of these files.",
        &[Text],
    ),
    keyword("prefix", "Stands before the key.", &[Text]),
]);

/// `environment`
pub(super) static ENVIRONMENT: Block = Block(&[
    keyword(
        "name",
        "Its name; variables are put in: `review/$CI_COMMIT_REF_SLUG`.",
        &[Text],
    ),
    keyword("url", "Where it is to be seen.", &[Text]),
    keyword("on_stop", "The job that stops it.", &[Jobs]),
    keyword(
        "action",
        "What the job does with it.",
        &[Words(&["start", "stop", "prepare", "verify", "access"])],
    ),
    keyword("auto_stop_in", "How long it stays: `1 day`.", &[Text]),
    keyword(
        "deployment_tier",
        "What kind it is.",
        &[Words(&[
            "production",
            "staging",
            "testing",
            "development",
            "other",
        ])],
    ),
    keyword(
        "kubernetes",
        "The cluster in which it is.",
        &[Map(&KUBERNETES)],
    ),
]);

/// `environment:kubernetes`
pub(super) static KUBERNETES: Block = Block(&[
    keyword(
        "agent",
        "The agent of the cluster: `path/to/project:name`.",
        &[Text],
    ),
    keyword(
        "namespace",
        "The old place of `dashboard:namespace`.",
        &[Text],
    ),
    keyword(
        "flux_resource_path",
        "The old place of `dashboard:flux_resource_path`.",
        &[Text],
    ),
    keyword("dashboard", "What the dashboard shows.", &[Map(&DASHBOARD)]),
    keyword(
        "managed_resources",
        "Whether GitLab makes what the environment needs.",
        &[Map(&MANAGED)],
    ),
]);

/// `environment:kubernetes:dashboard`
pub(super) static DASHBOARD: Block = Block(&[
    keyword("namespace", "The namespace.", &[Text]),
    keyword("flux_resource_path", "The resource of Flux.", &[Text]),
]);

/// `environment:kubernetes:managed_resources`
pub(super) static MANAGED: Block = Block(&[keyword("enabled", "Whether it does.", &[Flag])]);

/// `trigger`
pub(super) static TRIGGER: Block = Block(&[
    keyword(
        "include",
        "The configuration of a child pipeline.",
        &[File, Maps(&INCLUDE), Map(&INCLUDE)],
    ),
    keyword(
        "project",
        "The project in which a pipeline starts.",
        &[Text],
    ),
    keyword("branch", "The branch of that project.", &[Text]),
    keyword(
        "strategy",
        "Whether the job waits for the other pipeline and takes its status.",
        &[Words(&["depend", "mirror"])],
    ),
    keyword(
        "forward",
        "Which variables the other pipeline gets.",
        &[Map(&FORWARD)],
    ),
    keyword("inputs", "Inputs of the other pipeline.", &[Texts]),
]);

/// `trigger:forward`
pub(super) static FORWARD: Block = Block(&[
    keyword(
        "yaml_variables",
        "Whether it gets the variables of this job.",
        &[Flag],
    ),
    keyword(
        "pipeline_variables",
        "Whether it gets the variables of this pipeline.",
        &[Flag],
    ),
]);

/// `inherit`
pub(super) static INHERIT: Block = Block(&[
    keyword(
        "default",
        "Whether the job takes the defaults, or the list of those that it takes.",
        &[Flag, Words(&DEFAULTS)],
    ),
    keyword(
        "variables",
        "Whether the job takes the variables of the top level, or the list of those that it takes.",
        &[Flag, Text],
    ),
]);

/// `hooks`
pub(super) static HOOKS: Block = Block(&[keyword(
    "pre_get_sources_script",
    "Commands before the runner fetches the sources.",
    &[Script],
)]);

/// A token of `id_tokens`.
pub(super) static ID_TOKEN: Block = Block(&[keyword("aud", "For whom the token is.", &[Text])]);

/// `only` and `except`
pub(super) static POLICY: Block = Block(&[
    keyword(
        "refs",
        "Branches, tags, expressions `/^v/` and kinds of pipelines.",
        &[Words(&REFS)],
    ),
    keyword(
        "variables",
        "Expressions of which one must hold.",
        &[Condition],
    ),
    keyword("changes", "Files of which one must have changed.", &[Text]),
    keyword(
        "kubernetes",
        "Whether there is a cluster.",
        &[Words(&["active"])],
    ),
]);

/// `pages`
pub(super) static PAGES: Block = Block(&[
    keyword(
        "publish",
        "The folder that is published; `public` where it is missing.",
        &[Text],
    ),
    keyword(
        "path_prefix",
        "The path below which this version is published.",
        &[Text],
    ),
    keyword("expire_in", "How long it is kept.", &[Text]),
]);

/// `release`
pub(super) static RELEASE: Block = Block(&[
    keyword(
        "tag_name",
        "The tag; it is made where it is missing.",
        &[Text],
    ),
    keyword(
        "description",
        "The notes, or the path of a file with them.",
        &[Text],
    ),
    keyword("name", "The name of the release.", &[Text]),
    keyword("tag_message", "The message of a tag that is made.", &[Text]),
    keyword("ref", "The commit of a tag that is made.", &[Text]),
    keyword("released_at", "When it was released, in ISO 8601.", &[Text]),
    keyword("milestones", "Milestones of the release.", &[Text]),
    keyword("assets", "Links of the release.", &[Map(&ASSETS)]),
]);

/// `release:assets`
pub(super) static ASSETS: Block = Block(&[keyword(
    "links",
    "Links, each with a name and an address.",
    &[Maps(&LINK)],
)]);

/// A link of a release.
pub(super) static LINK: Block = Block(&[
    keyword("name", "The text of the link.", &[Text]),
    keyword("url", "Its address.", &[Text]),
    keyword(
        "filepath",
        "The path of a permanent address for it.",
        &[Text],
    ),
    keyword(
        "link_type",
        "What is behind it.",
        &[Words(&["other", "runbook", "image", "package"])],
    ),
]);

/// A secret of `secrets`.
pub(super) static SECRET: Block = Block(&[
    keyword(
        "vault",
        "A secret of HashiCorp Vault.",
        &[Text, Map(&VAULT)],
    ),
    keyword(
        "azure_key_vault",
        "A secret of Azure Key Vault.",
        &[Map(&VERSIONED)],
    ),
    keyword(
        "gcp_secret_manager",
        "A secret of Google's Secret Manager.",
        &[Map(&VERSIONED)],
    ),
    keyword(
        "aws_secrets_manager",
        "A secret of AWS Secrets Manager.",
        &[Text, Map(&AWS)],
    ),
    keyword("akeyless", "A secret of Akeyless.", &[Text]),
    keyword(
        "gitlab_secrets_manager",
        "A secret of GitLab itself.",
        &[Map(&GITLAB_SECRET)],
    ),
    keyword(
        "file",
        "Whether the variable is the path of a file with the secret.",
        &[Flag],
    ),
    keyword("token", "The ID token with which the job asks.", &[Text]),
]);

/// `secrets:vault`
pub(super) static VAULT: Block = Block(&[
    keyword("engine", "The engine of secrets.", &[Map(&ENGINE)]),
    keyword("path", "The path of the secret.", &[Text]),
    keyword("field", "The field of the secret.", &[Text]),
]);

/// `secrets:vault:engine`
pub(super) static ENGINE: Block = Block(&[
    keyword("name", "The name of the engine.", &[Text]),
    keyword("path", "The path of the engine.", &[Text]),
]);

/// A secret with a version.
pub(super) static VERSIONED: Block = Block(&[
    keyword("name", "The name of the secret.", &[Text]),
    keyword(
        "version",
        "Its version; the newest where it is missing.",
        &[Text],
    ),
]);

/// `secrets:aws_secrets_manager`
pub(super) static AWS: Block = Block(&[
    keyword("secret_id", "The name or ARN of the secret.", &[Text]),
    keyword("version_id", "Its version.", &[Text]),
    keyword("version_stage", "The stage of its version.", &[Text]),
    keyword("region", "The region.", &[Text]),
    keyword("role_arn", "The role that is taken on.", &[Text]),
    keyword("role_session_name", "The name of the session.", &[Text]),
    keyword("field", "The field of the secret.", &[Text]),
]);

/// `secrets:gitlab_secrets_manager`
pub(super) static GITLAB_SECRET: Block = Block(&[
    keyword("name", "The name of the secret.", &[Text]),
    keyword("source", "The project or group that keeps it.", &[Text]),
]);

/// A step of `run`.
pub(super) static STEP: Block = Block(&[
    keyword("name", "The name of the step.", &[Text]),
    keyword("script", "A command.", &[Script]),
    keyword("step", "Where the step comes from.", &[Text]),
    keyword("action", "A GitHub action.", &[Text]),
    keyword("env", "Variables of the step.", &[Texts]),
    keyword("inputs", "Inputs of the step.", &[Texts]),
]);

/// `dast_configuration`
pub(super) static DAST: Block = Block(&[
    keyword("site_profile", "The profile of the site.", &[Text]),
    keyword("scanner_profile", "The profile of the scanner.", &[Text]),
]);

/// `spec`
pub(super) static SPEC: Block = Block(&[
    keyword(
        "inputs",
        "What the file takes: each input with its type, default and description.",
        &[Named(&INPUT)],
    ),
    keyword(
        "include",
        "Files with further inputs.",
        &[File, Maps(&INCLUDE)],
    ),
    keyword(
        "component",
        "What the file may know of the component it is.",
        &[Words(&["name", "sha", "version", "reference"])],
    ),
    keyword("description", "What the file is for.", &[Text]),
]);

/// An input of a file.
pub(super) static INPUT: Block = Block(&[
    keyword(
        "default",
        "Its value where none is given; without one it must be given.",
        &[Text],
    ),
    keyword("description", "What it is for.", &[Text]),
    keyword("options", "The values it may have.", &[Text]),
    keyword(
        "regex",
        "The regular expression that its value must match.",
        &[Text],
    ),
    keyword(
        "type",
        "The type of its value; `string` where it is missing.",
        &[Words(&TYPES)],
    ),
    keyword(
        "rules",
        "Options and default that depend on other inputs.",
        &[Maps(&INPUT_RULE)],
    ),
]);

/// An entry of an input's `rules`.
pub(super) static INPUT_RULE: Block = Block(&[
    keyword(
        "if",
        "Holds if the expression on other inputs does: `$[[ inputs.kind ]] == \"a\"`.",
        &[Text],
    ),
    keyword("options", "The values it may have then.", &[Text]),
    keyword("default", "Its value then.", &[Text]),
]);

/// An input of a job.
pub(super) static JOB_INPUT: Block = Block(&[
    keyword("default", "Its value where none is given.", &[Text]),
    keyword("description", "What it is for.", &[Text]),
    keyword("options", "The values it may have.", &[Text]),
    keyword(
        "regex",
        "The regular expression that its value must match.",
        &[Text],
    ),
    keyword(
        "type",
        "The type of its value; `string` where it is missing.",
        &[Words(&TYPES)],
    ),
]);

/// A variable with more than a value.
pub(super) static VARIABLE: Block = Block(&[
    keyword("value", "Its value.", &[Text]),
    keyword(
        "description",
        "What the form for manual pipelines says about it.",
        &[Text],
    ),
    keyword("options", "The values that the form offers.", &[Text]),
    keyword(
        "expand",
        "Whether variables in its value are replaced.",
        &[Flag],
    ),
]);
