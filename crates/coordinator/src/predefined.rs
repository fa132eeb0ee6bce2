//! Predefined variables (language inventory, 4): those that exist before the pipeline, and
//! those that come with the pipeline and with a job.

use shipway_config::Job;
use shipway_config::variables::{Collection, Variable};
use shipway_git::Facts;
use shipway_pipeline::{Context, RefKind, Source};
use shipway_store::UserRow;

use crate::hosting::ServerAddress;
use crate::merge_request;
use crate::slug::{environment_slug, slug};

/// What GitLab version the variables speak of. Scripts compare it to learn which features
/// they may use, so it names the version whose language this is, not our own.
const GITLAB_VERSION: [&str; 3] = ["19", "2", "0"];
/// What an unborn branch has instead of a commit.
const ZERO_SHA: &str = "0000000000000000000000000000000000000000";

/// What makes a pipeline, besides the work tree's facts.
#[derive(Debug, Clone, Default)]
pub struct Occasion {
    /// What made the pipeline.
    pub source: Source,
    /// Path of the configuration from the project's root.
    pub config_path: String,
    /// Login name of the person who runs it.
    pub user: String,
    /// Variables of this pipeline alone: the highest level.
    pub variables: Vec<(String, String)>,
}

/// Whose pipeline it is, as the server's rows tell; a local run makes it up.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) server: ServerAddress,
    pub(crate) project_id: i64,
    pub(crate) namespace_id: i64,
    /// The project's name for people.
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) visibility: &'static str,
    pub(crate) ref_protected: bool,
    pub(crate) user_id: i64,
    pub(crate) user_name: String,
    pub(crate) user_email: String,
}

impl Identity {
    /// The only project and the only user of a local run.
    fn local(facts: &Facts, occasion: &Occasion) -> Self {
        let path = facts.project.path.as_str();
        let name = facts.user_name.as_deref().unwrap_or(&occasion.user);
        Self {
            server: ServerAddress::of(facts),
            project_id: 1,
            namespace_id: 1,
            title: path.rsplit('/').next().unwrap_or(path).to_owned(),
            description: String::new(),
            visibility: "private",
            ref_protected: facts.ref_name == facts.default_branch,
            user_id: 1,
            user_name: name.to_owned(),
            user_email: facts.user_email.clone().unwrap_or_default(),
        }
    }
}

/// The context in which a work tree's configuration becomes a plan.
pub fn context(facts: &Facts, occasion: &Occasion) -> Context {
    let identity = Identity::local(facts, occasion);
    let variables = occasion.variables.iter();
    let outer = variables.map(|(key, value)| Variable::new(key, value));
    let mut context = context_of(facts, occasion, &identity, outer);
    if occasion.source == Source::MergeRequestEvent && facts.tag.is_none() {
        merge_request::make(&mut context, facts);
    }
    context
}

/// The context of a pipeline; `outer` are the variables above everything in the file.
pub(crate) fn context_of(
    facts: &Facts,
    occasion: &Occasion,
    identity: &Identity,
    outer: impl IntoIterator<Item = Variable>,
) -> Context {
    let mut above = Collection::default();
    above.extend(outer);
    Context {
        ref_name: facts.ref_name.clone(),
        ref_kind: if facts.tag.is_some() {
            RefKind::Tag
        } else {
            RefKind::Branch
        },
        source: occasion.source,
        project_path: facts.project.path.clone(),
        predefined: before_pipeline(facts, occasion, identity),
        outer: above,
    }
}

fn before_pipeline(facts: &Facts, occasion: &Occasion, identity: &Identity) -> Collection {
    let mut variables = Collection::default();
    let mut set = |key: &str, value: &str| variables.push(Variable::new(key, value));
    set("CI", "true");
    set("GITLAB_CI", "true");
    server(&identity.server, &mut set);
    project(facts, identity, &mut set);
    commit(facts, identity, &mut set);
    set("CI_CONFIG_PATH", &occasion.config_path);
    set(
        "CI_CONFIG_REF_URI",
        &config_ref_uri(facts, occasion, identity),
    );
    set("CI_PIPELINE_SOURCE", occasion.source.as_str());
    if occasion.source == Source::Trigger {
        set("CI_PIPELINE_TRIGGERED", "true");
    }
    set("GITLAB_USER_ID", &identity.user_id.to_string());
    set("GITLAB_USER_LOGIN", &occasion.user);
    set("CI_COMMIT_USER_LOGIN", &occasion.user);
    set("GITLAB_USER_NAME", &identity.user_name);
    set("GITLAB_USER_EMAIL", &identity.user_email);
    variables
}

type Set<'a> = &'a mut dyn FnMut(&str, &str);

fn server(address: &ServerAddress, set: Set<'_>) {
    let url = address.url();
    let fqdn = address.fqdn();
    let [major, minor, patch] = GITLAB_VERSION;
    set("CI_SERVER_URL", &url);
    set("CI_API_V4_URL", &format!("{url}/api/v4"));
    set("CI_API_GRAPHQL_URL", &format!("{url}/api/graphql"));
    set("CI_SERVER_HOST", &address.host);
    set("CI_SERVER_FQDN", &fqdn);
    set("CI_SERVER_PORT", &address.port.to_string());
    set("CI_SERVER_PROTOCOL", &address.protocol);
    set("CI_SERVER_NAME", "GitLab");
    set("CI_SERVER_REVISION", "shipway");
    set("CI_SERVER_VERSION", &format!("{major}.{minor}.{patch}"));
    set("CI_SERVER_VERSION_MAJOR", major);
    set("CI_SERVER_VERSION_MINOR", minor);
    set("CI_SERVER_VERSION_PATCH", patch);
    set("CI_SERVER_SHELL_SSH_HOST", &address.host);
    set("CI_SERVER_SHELL_SSH_PORT", "22");
    set("GITLAB_FEATURES", "");
}

fn project(facts: &Facts, identity: &Identity, set: Set<'_>) {
    let path = facts.project.path.as_str();
    let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
    let root = path.split('/').next().unwrap_or_default();
    set("CI_PROJECT_ID", &identity.project_id.to_string());
    set("CI_PROJECT_NAME", name);
    set("CI_PROJECT_TITLE", &identity.title);
    set("CI_PROJECT_DESCRIPTION", &identity.description);
    set("CI_PROJECT_PATH", path);
    set("CI_PROJECT_PATH_SLUG", &slug(path));
    set("CI_PROJECT_NAMESPACE", namespace);
    set(
        "CI_PROJECT_NAMESPACE_ID",
        &identity.namespace_id.to_string(),
    );
    set("CI_PROJECT_NAMESPACE_SLUG", &slug(namespace));
    set("CI_PROJECT_ROOT_NAMESPACE", root);
    set(
        "CI_PROJECT_URL",
        &format!("{}/{path}", identity.server.url()),
    );
    set("CI_PROJECT_VISIBILITY", identity.visibility);
    // A project has none of these here; on GitLab they are there and empty then.
    set("CI_PROJECT_TOPICS", "");
    set("CI_PROJECT_REPOSITORY_LANGUAGES", "");
    set("CI_PROJECT_CLASSIFICATION_LABEL", "");
    set("CI_DEFAULT_BRANCH", &facts.default_branch);
    set("CI_DEFAULT_BRANCH_SLUG", &slug(&facts.default_branch));
}

fn commit(facts: &Facts, identity: &Identity, set: Set<'_>) {
    let sha = facts.sha.as_deref().unwrap_or(ZERO_SHA);
    set("CI_COMMIT_SHA", sha);
    set("CI_COMMIT_SHORT_SHA", sha.get(..8).unwrap_or(sha));
    set("CI_COMMIT_BEFORE_SHA", &facts.before_sha);
    set("CI_COMMIT_REF_NAME", &facts.ref_name);
    set("CI_COMMIT_REF_SLUG", &slug(&facts.ref_name));
    set("CI_COMMIT_REF_PROTECTED", bool_text(identity.ref_protected));
    match (&facts.tag, &facts.branch) {
        (Some(tag), _) => {
            set("CI_COMMIT_TAG", tag);
            set(
                "CI_COMMIT_TAG_MESSAGE",
                facts.tag_message.as_deref().unwrap_or_default(),
            );
        }
        (None, Some(branch)) => set("CI_COMMIT_BRANCH", branch),
        // A detached HEAD has no branch; GitLab never runs one, so the commit stands for it.
        (None, None) => {}
    }
    set("CI_COMMIT_TITLE", &facts.title);
    set("CI_COMMIT_MESSAGE", &facts.message);
    set("CI_COMMIT_MESSAGE_IS_TRUNCATED", "false");
    set("CI_COMMIT_DESCRIPTION", &facts.description);
    set("CI_COMMIT_AUTHOR", &facts.author);
    set("CI_COMMIT_TIMESTAMP", &facts.timestamp);
}

/// Where the configuration is: `host/group/project//path@refs/heads/name`.
fn config_ref_uri(facts: &Facts, occasion: &Occasion, identity: &Identity) -> String {
    let kind = if facts.tag.is_some() { "tags" } else { "heads" };
    format!(
        "{}/{}//{}@refs/{kind}/{}",
        identity.server.fqdn(),
        facts.project.path,
        occasion.config_path,
        facts.ref_name
    )
}

fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// What a job's variables need to know of the moment of its hand-out.
#[derive(Debug, Clone)]
pub(crate) struct HandOut<'a> {
    /// The pipeline's id.
    pub(crate) pipeline: i64,
    /// The pipeline's number in the project.
    pub(crate) pipeline_iid: i64,
    /// What `workflow:name` calls the pipeline.
    pub(crate) pipeline_name: Option<&'a str>,
    /// When the pipeline was created, ISO 8601.
    pub(crate) pipeline_created_at: &'a str,
    /// The job's id.
    pub(crate) job: i64,
    /// When the job starts, ISO 8601.
    pub(crate) started_at: &'a str,
    /// Seconds the job may take.
    pub(crate) timeout: u64,
    /// The job's token.
    pub(crate) token: &'a str,
    /// A person set it off.
    pub(crate) manual: bool,
    /// The project's address, `CI_PROJECT_URL`.
    pub(crate) project_url: &'a str,
    /// The runner's id; 1 in a local run.
    pub(crate) runner_id: i64,
    /// What the runner is called.
    pub(crate) runner: &'a str,
    /// The runner's tags; in a local run those that the job asks for.
    pub(crate) runner_tags: &'a [String],
    /// Where the job clones the project, with its token in it; empty in a local run.
    pub(crate) repository_url: &'a str,
    /// Who played or retried the job, where somebody did.
    pub(crate) user: Option<&'a UserRow>,
    /// The job's ID tokens, each in its variable.
    pub(crate) id_tokens: &'a [Variable],
}

/// The predefined variables of one job.
pub(crate) fn of_job(job: &Job, hand_out: &HandOut<'_>) -> Collection {
    let mut variables = Collection::default();
    let url = hand_out.project_url;
    let mut set = |key: &str, value: &str| variables.push(Variable::new(key, value));
    set("CI_PIPELINE_ID", &hand_out.pipeline.to_string());
    set("CI_PIPELINE_IID", &hand_out.pipeline_iid.to_string());
    set(
        "CI_PIPELINE_URL",
        &format!("{url}/-/pipelines/{}", hand_out.pipeline),
    );
    set("CI_PIPELINE_CREATED_AT", hand_out.pipeline_created_at);
    if let Some(name) = hand_out.pipeline_name {
        set("CI_PIPELINE_NAME", name);
    }
    set("CI_JOB_ID", &hand_out.job.to_string());
    set("CI_JOB_URL", &format!("{url}/-/jobs/{}", hand_out.job));
    set("CI_JOB_NAME", &job.name);
    set("CI_JOB_NAME_SLUG", &slug(&job.name));
    set("CI_JOB_GROUP_NAME", &job.key);
    set("CI_JOB_STAGE", &job.stage);
    set("CI_JOB_STARTED_AT", hand_out.started_at);
    set("CI_JOB_STARTED_AT_SLUG", &slug(hand_out.started_at));
    set("CI_JOB_TIMEOUT", &hand_out.timeout.to_string());
    if hand_out.manual {
        set("CI_JOB_MANUAL", "true");
    }
    if let Some(user) = hand_out.user {
        set("GITLAB_USER_ID", &user.id.to_string());
        set("GITLAB_USER_LOGIN", &user.username);
        set("GITLAB_USER_NAME", &user.name);
        set("GITLAB_USER_EMAIL", &user.email);
    }
    if let Some(image) = &job.image {
        set("CI_JOB_IMAGE", &image.name);
    }
    let total = job.parallel.map_or(1, |instance| instance.total);
    set("CI_NODE_TOTAL", &total.to_string());
    if let Some(instance) = job.parallel {
        set("CI_NODE_INDEX", &instance.index.to_string());
    }
    set("CI_RUNNER_ID", &hand_out.runner_id.to_string());
    set("CI_RUNNER_DESCRIPTION", hand_out.runner);
    let tags = serde_json::to_string(hand_out.runner_tags).unwrap_or_default();
    set("CI_RUNNER_TAGS", &tags);
    if let Some(environment) = &job.environment {
        set("CI_ENVIRONMENT_NAME", &environment.name);
        set("CI_ENVIRONMENT_SLUG", &environment_slug(&environment.name));
        set("CI_ENVIRONMENT_ACTION", &environment.action);
        if let Some(url) = &environment.url {
            set("CI_ENVIRONMENT_URL", url);
        }
        if let Some(tier) = &environment.deployment_tier {
            set("CI_ENVIRONMENT_TIER", tier);
        }
    }
    variables.push(Variable {
        public: false,
        masked: true,
        ..Variable::new("CI_JOB_TOKEN", hand_out.token)
    });
    if !hand_out.repository_url.is_empty() {
        variables.push(Variable {
            public: false,
            ..Variable::new("CI_REPOSITORY_URL", hand_out.repository_url)
        });
    }
    variables.extend(hand_out.id_tokens.iter().cloned());
    variables
}
