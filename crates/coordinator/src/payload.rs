//! What a runner gets for a job: the typed configuration and the variables as a payload.

use serde::{Deserialize, Serialize};
use shipway_config::variables::{Collection, FileReferences, Undefined, Variable};
use shipway_config::{Cache, CacheKey, Image, Job, ResultWhen, Service, Variables};
use shipway_pipeline::RefKind;
use shipway_protocol as protocol;
use shipway_protocol::{
    ArtifactFormat, ArtifactSpec, Dependency, FailureReason, JobPayload, Step, When,
};
use shipway_store::{PipelineRow, ProjectRow};

use crate::predefined::{self, HandOut};
use crate::run_steps;
use crate::settings::ProjectSettings;

/// What all jobs of a pipeline share, as it is kept with the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// Predefined variables from before the pipeline.
    pub(crate) predefined: Vec<Variable>,
    /// The top-level variables of the configuration.
    pub(crate) variables: Variables,
    /// Variables above everything in the file; in a server only the pipeline's own, since
    /// those of the project are read when a job is handed out, and never copied. They are
    /// secrets and kept apart.
    #[serde(skip)]
    pub(crate) outer: Vec<Variable>,
    /// Later stages go on after a failure.
    pub(crate) keep_going: bool,
    /// The first failing job cancels the rest.
    pub(crate) cancel_on_job_failure: bool,
    /// `workflow:auto_cancel:on_new_commit`.
    #[serde(default)]
    pub(crate) on_new_commit: Option<String>,
    /// The pipeline whose job started this one.
    #[serde(default)]
    pub(crate) upstream: Option<i64>,
}

impl Shared {
    /// Reads the pipeline's context, and its own variables.
    pub(crate) fn read(context: &str, variables: &[u8]) -> serde_json::Result<Self> {
        let mut shared: Self = serde_json::from_str(context)?;
        if !variables.is_empty() {
            shared.outer = serde_json::from_slice(variables)?;
        }
        Ok(shared)
    }

    /// A predefined variable's value, or nothing.
    pub(crate) fn predefined(&self, key: &str) -> &str {
        (self.predefined.iter())
            .rfind(|variable| variable.key == key)
            .map_or("", |variable| variable.value.as_str())
    }
}

/// All variables of a job in rising precedence (language inventory, 3.1), expanded as far as
/// the coordinator can: what it does not know stays for the runner.
pub(crate) fn variables(
    job: &Job,
    shared: &Shared,
    dotenv: &[(String, String)],
    outer: &[Variable],
    given: &[Variable],
    hand_out: &HandOut<'_>,
) -> Vec<protocol::Variable> {
    let mut all = of_file(job, shared, hand_out);
    for (key, value) in dotenv {
        all.push(Variable::new(key, value));
    }
    all.extend(outer.iter().cloned());
    all.extend(shared.outer.iter().cloned());
    all.extend(given.iter().cloned());
    let expanded = all.expand_all_or_keep(Undefined::Keep, FileReferences::Keep);
    let expanded = expanded.winners().map(|variable| protocol::Variable {
        key: variable.key.clone(),
        value: variable.value.clone(),
        public: variable.public,
        masked: variable.masked,
        file: variable.file,
        raw: variable.raw,
    });
    expanded.collect()
}

/// A job's variables, for what else names them.
pub(crate) fn known(variables: &[protocol::Variable]) -> Collection {
    let mut all = Collection::default();
    all.extend(variables.iter().map(|variable| Variable {
        raw: true,
        file: variable.file,
        ..Variable::new(&variable.key, &variable.value)
    }));
    all
}

/// Predefined variables and those of the file.
fn of_file(job: &Job, shared: &Shared, hand_out: &HandOut<'_>) -> Collection {
    let mut all = Collection::default();
    all.extend(shared.predefined.iter().cloned());
    all.extend(predefined::of_job(job, hand_out).iter().cloned());
    let inherited = shared.variables.iter();
    let inherited = inherited.filter(|(key, _)| job.inherit_variables.takes(key));
    for (key, value) in inherited.chain(&job.variables) {
        all.push(Variable {
            raw: value.raw,
            ..Variable::new(key, &value.value)
        });
    }
    all
}

/// The job's environment, by which project variables are chosen; so none of those is in it.
pub(crate) fn environment_name(
    job: &Job,
    shared: &Shared,
    hand_out: &HandOut<'_>,
) -> Option<String> {
    let name = &job.environment.as_ref()?.name;
    let mut all = of_file(job, shared, hand_out);
    all.extend(shared.outer.iter().cloned());
    let all = all.expand_all_or_keep(Undefined::Empty, FileReferences::Keep);
    Some(all.expand(name, Undefined::Empty, FileReferences::Keep))
}

/// Puts the payload together; the sources are the runner's business.
pub(crate) fn payload(
    job: &Job,
    variables: Vec<protocol::Variable>,
    dependencies: Vec<Dependency>,
    shared: &Shared,
    hand_out: &HandOut<'_>,
) -> JobPayload {
    let protected = shared.predefined("CI_COMMIT_REF_PROTECTED") == "true";
    let path = shared.predefined("CI_PROJECT_PATH");
    JobPayload {
        id: hand_out.job,
        token: hand_out.token.to_owned(),
        allow_git_fetch: true,
        job_info: protocol::JobInfo {
            id: hand_out.job,
            name: job.name.clone(),
            stage: job.stage.clone(),
            pipeline_id: hand_out.pipeline,
            project_id: 1,
            project_name: shared.predefined("CI_PROJECT_NAME").to_owned(),
            project_full_path: path.to_owned(),
            time_in_queue_seconds: 0.0,
            // What GitLab says to all runners but those of the instance; those are told by
            // whoever hands out.
            project_jobs_running_on_instance_runners_count: "+Inf".to_owned(),
        },
        git_info: git_info(shared, protected),
        runner_info: protocol::RunnerInfo {
            timeout: i64::try_from(hand_out.timeout).unwrap_or(i64::MAX),
        },
        variables,
        steps: steps(job, hand_out.timeout),
        hooks: hooks(job),
        image: job.image.as_ref().map(image),
        services: job.services.iter().map(service).collect(),
        artifacts: artifacts(job),
        cache: job.cache.iter().map(|one| cache(one, protected)).collect(),
        credentials: Vec::new(),
        dependencies,
        features: protocol::Features {
            trace_sections: true,
            failure_reasons: (FailureReason::ALL.iter())
                .map(|reason| reason.as_str().to_owned())
                .collect(),
            token_mask_prefixes: Vec::new(),
        },
        secrets: protocol::Secrets::new(),
        inputs: Vec::new(),
    }
}

/// What a run without a server makes of keywords that need one: a release is told, and not made;
/// a variable of the name of a secret or an ID token stands for it.
pub(crate) fn in_local_run(payload: &mut JobPayload, job: &Job) {
    if let Some(release) = &job.release {
        let steps = payload.steps.iter_mut();
        for step in steps.filter(|step| step.name == "release") {
            step.script = crate::release_step::told(release);
        }
    }
    for variable in &mut payload.variables {
        let secret = job.secrets.get(&variable.key);
        variable.file |= secret.is_some_and(|secret| secret.file);
        variable.masked |= secret.is_some() || job.id_tokens.contains_key(&variable.key);
    }
}

/// What a project of a server adds: whose job it is, where the sources are, and the project's
/// settings. `waited` are microseconds in the queue.
pub(crate) fn in_project(
    payload: &mut JobPayload,
    pipeline: &PipelineRow,
    project: &ProjectRow,
    settings: &ProjectSettings,
    waited: i64,
) {
    payload.allow_git_fetch = settings.build_git_strategy != "clone";
    payload.job_info.project_id = project.id.0;
    payload.job_info.time_in_queue_seconds = seconds(waited);
    let variable = |key: &str| {
        let found = payload
            .variables
            .iter()
            .rfind(|variable| variable.key == key);
        found.map(|variable| variable.value.as_str())
    };
    let depth = variable("GIT_DEPTH").and_then(|depth| depth.trim().parse().ok());
    let depth = depth.unwrap_or(settings.ci_default_git_depth);
    let repo_url = variable("CI_REPOSITORY_URL").unwrap_or_default().to_owned();
    let git = &mut payload.git_info;
    git.repo_url = repo_url;
    git.depth = depth;
    git.protected = Some(pipeline.protected);
    git.refspecs = refspecs(pipeline.id.0, git.ref_type, &git.ref_name, depth);
    if pipeline.ref_kind == RefKind::MergeRequest.as_str() {
        git.ref_name.clone_from(&pipeline.ref_name);
        // The source branch may be gone.
        let branch = |spec: &String| !spec.starts_with("+refs/heads/") || spec.contains('*');
        git.refspecs.retain(branch);
    }
    for cache in &mut payload.cache {
        let keys = std::iter::once(&mut cache.key).chain(&mut cache.fallback_keys);
        keys.for_each(|key| *key = cache_key(key, settings));
    }
}

/// What the runner fetches (runner protocol, B.5.2): the pipeline's own ref, which stays when
/// the branch moves on, and with it the ref, or all of them where the whole history is wanted.
fn refspecs(pipeline: i64, kind: protocol::RefType, name: &str, depth: u32) -> Vec<String> {
    let mut refspecs = vec![format!(
        "+refs/pipelines/{pipeline}:refs/pipelines/{pipeline}"
    )];
    match (depth, kind) {
        (0, _) => refspecs.extend([
            "+refs/heads/*:refs/remotes/origin/*".to_owned(),
            "+refs/tags/*:refs/tags/*".to_owned(),
        ]),
        (_, protocol::RefType::Branch) => {
            refspecs.push(format!("+refs/heads/{name}:refs/remotes/origin/{name}"));
        }
        (_, protocol::RefType::Tag) => {
            refspecs.push(format!("+refs/tags/{name}:refs/tags/{name}"));
        }
    }
    refspecs
}

/// A cache's key, which ends with the kind of its ref, as the project's settings want it
/// (runner protocol, E.1): how often caches were cleared comes before that end, which goes
/// where protected refs and others share.
fn cache_key(key: &str, settings: &ProjectSettings) -> String {
    let of_ref = |end: &&str| key.ends_with(end);
    let end = ["-non_protected", "-protected"].into_iter().find(of_ref);
    let end = end.unwrap_or_default();
    let mut text = key[..key.len() - end.len()].to_owned();
    if settings.jobs_cache_index > 0 {
        text.push_str(&format!("-{}", settings.jobs_cache_index));
    }
    if settings.ci_separated_caches {
        text.push_str(end);
    }
    text
}

/// Microseconds as seconds, to the millisecond.
fn seconds(micros: i64) -> f64 {
    let millis = u32::try_from(micros / 1000).unwrap_or_default();
    f64::from(millis) / 1000.0
}

fn git_info(shared: &Shared, protected: bool) -> protocol::GitInfo {
    let tag = !shared.predefined("CI_COMMIT_TAG").is_empty();
    protocol::GitInfo {
        repo_url: String::new(),
        ref_name: shared.predefined("CI_COMMIT_REF_NAME").to_owned(),
        sha: shared.predefined("CI_COMMIT_SHA").to_owned(),
        before_sha: shared.predefined("CI_COMMIT_BEFORE_SHA").to_owned(),
        ref_type: if tag {
            protocol::RefType::Tag
        } else {
            protocol::RefType::Branch
        },
        refspecs: Vec::new(),
        depth: 0,
        protected: Some(protected),
    }
}

fn steps(job: &Job, timeout: u64) -> Vec<Step> {
    let timeout = i64::try_from(timeout).unwrap_or(i64::MAX);
    let script = || Step {
        name: "script".to_owned(),
        script: job
            .before_script
            .iter()
            .chain(&job.script)
            .cloned()
            .collect(),
        timeout,
        when: When::OnSuccess,
        allow_failure: false,
    };
    let mut steps = match &job.run {
        Some(run) => run_steps::steps(run, timeout),
        None => vec![script()],
    };
    if let Some(release) = &job.release {
        steps.push(Step {
            name: "release".to_owned(),
            script: crate::release_step::script(release),
            timeout,
            when: When::OnSuccess,
            allow_failure: false,
        });
    }
    if !job.after_script.is_empty() {
        steps.push(Step {
            name: "after_script".to_owned(),
            script: job.after_script.clone(),
            timeout,
            when: When::Always,
            allow_failure: true,
        });
    }
    steps
}

fn image(image: &Image) -> protocol::Image {
    let docker =
        (image.platform.is_some() || image.user.is_some()).then(|| protocol::DockerOptions {
            platform: image.platform.clone(),
            user: image.user.clone().map(protocol::User::Text),
        });
    let policies = (image.pull_policy.iter()).map(|policy| policy.as_str().to_owned());
    protocol::Image {
        name: image.name.clone(),
        entrypoint: image.entrypoint.clone(),
        pull_policy: (!image.pull_policy.is_empty()).then(|| policies.collect()),
        executor_opts: protocol::ExecutorOptions {
            docker,
            kubernetes: (image.kubernetes_user.clone()).map(|user| protocol::KubernetesOptions {
                user: Some(protocol::User::Text(user)),
            }),
        },
    }
}

fn hooks(job: &Job) -> Vec<protocol::Hook> {
    let script = &job.pre_get_sources_script;
    let hook = || protocol::Hook {
        name: "pre_get_sources_script".to_owned(),
        script: script.clone(),
    };
    (!script.is_empty()).then(hook).into_iter().collect()
}

fn service(service: &Service) -> protocol::Service {
    let image = image(&service.image);
    let variables = service.variables.iter();
    protocol::Service {
        name: image.name,
        alias: service.alias.clone(),
        entrypoint: image.entrypoint,
        command: service.command.clone(),
        pull_policy: image.pull_policy,
        variables: variables
            .map(|(key, value)| protocol::Variable {
                key: key.clone(),
                value: value.value.clone(),
                raw: value.raw,
                ..protocol::Variable::default()
            })
            .collect(),
        executor_opts: image.executor_opts,
    }
}

/// The archive, then one element per report (runner protocol, D.3).
fn artifacts(job: &Job) -> Vec<ArtifactSpec> {
    let Some(artifacts) = &job.artifacts else {
        return Vec::new();
    };
    let mut specs = Vec::new();
    if !artifacts.paths.is_empty() || artifacts.untracked {
        specs.push(ArtifactSpec {
            name: artifacts.name.clone(),
            untracked: artifacts.untracked,
            paths: artifacts.paths.clone(),
            exclude: artifacts.exclude.clone(),
            when: when(artifacts.when),
            expire_in: artifacts.expire_in.clone(),
            artifact_type: "archive".to_owned(),
            artifact_format: ArtifactFormat::Zip,
        });
    }
    for (kind, paths) in &artifacts.reports {
        let (name, format) = report(kind);
        specs.push(ArtifactSpec {
            name: Some(name.to_owned()),
            paths: paths.clone(),
            when: When::Always,
            expire_in: artifacts.expire_in.clone(),
            artifact_type: kind.clone(),
            artifact_format: format,
            ..ArtifactSpec::default()
        });
    }
    specs
}

/// A report type's file name and format.
fn report(kind: &str) -> (&str, ArtifactFormat) {
    use ArtifactFormat::{Gzip, Raw};
    match kind {
        "junit" => ("junit.xml", Gzip),
        "dotenv" => (".env", Gzip),
        "cobertura" => ("cobertura-coverage.xml", Gzip),
        "jacoco" => ("jacoco-coverage.xml", Gzip),
        "metrics" => ("metrics.txt", Gzip),
        "cyclonedx" => ("gl-sbom.cdx.json", Gzip),
        "annotations" => ("gl-annotations.json", Gzip),
        "repository_xray" => ("gl-repository-xray.json", Gzip),
        "codequality" => ("gl-code-quality-report.json", Raw),
        "accessibility" => ("gl-accessibility.json", Raw),
        "sast" => ("gl-sast-report.json", Raw),
        "secret_detection" => ("gl-secret-detection-report.json", Raw),
        "dependency_scanning" => ("gl-dependency-scanning-report.json", Raw),
        "container_scanning" => ("gl-container-scanning-report.json", Raw),
        "dast" => ("gl-dast-report.json", Raw),
        "performance" => ("performance.json", Raw),
        "browser_performance" => ("browser-performance.json", Raw),
        "load_performance" => ("load-performance.json", Raw),
        "terraform" => ("tfplan.json", Raw),
        "requirements" => ("requirements.json", Raw),
        "coverage_fuzzing" => ("gl-coverage-fuzzing.json", Raw),
        "api_fuzzing" => ("gl-api-fuzzing-report.json", Raw),
        "sarif" => ("gl-sarif-report.sarif", Raw),
        other => (other, Raw),
    }
}

fn cache(cache: &Cache, protected: bool) -> protocol::CacheSpec {
    let suffix = if protected && !cache.unprotect {
        "protected"
    } else {
        "non_protected"
    };
    let key = match &cache.key {
        CacheKey::Text(text) => text.as_str(),
        // Keys of files are replaced by their digest when the pipeline is created.
        CacheKey::Files { .. } | CacheKey::FilesCommits { .. } => "default",
    };
    protocol::CacheSpec {
        key: format!("{key}-{suffix}"),
        untracked: cache.untracked,
        policy: cache.policy.clone(),
        paths: cache.paths.clone(),
        when: when(cache.when),
        fallback_keys: (cache.fallback_keys.iter())
            .map(|key| format!("{key}-{suffix}"))
            .collect(),
    }
}

fn when(when: ResultWhen) -> When {
    match when {
        ResultWhen::OnSuccess => When::OnSuccess,
        ResultWhen::OnFailure => When::OnFailure,
        ResultWhen::Always => When::Always,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand_out() -> HandOut<'static> {
        HandOut {
            pipeline: 7,
            pipeline_iid: 3,
            pipeline_name: Some("Nightly"),
            pipeline_created_at: "2026-01-01T00:00:00Z",
            job: 11,
            started_at: "2026-01-01T00:00:01Z",
            timeout: 60,
            token: "secret-token",
            manual: false,
            project_url: "https://host/group/project",
            runner_id: 1,
            runner: "here",
            runner_tags: &[],
            repository_url: "",
            user: None,
            id_tokens: &[],
        }
    }

    fn values(pairs: &[(&str, &str)]) -> Variables {
        let value = |text: &str| shipway_config::VariableValue {
            value: text.to_owned(),
            raw: false,
        };
        (pairs.iter())
            .map(|(key, text)| ((*key).to_owned(), value(text)))
            .collect()
    }

    #[test]
    fn levels_override_each_other_and_references_mean_the_winner() {
        let job = Job {
            name: "test".to_owned(),
            variables: values(&[
                ("B", "job"),
                ("SELF", "$SELF more"),
                ("USES", "$E $MISSING"),
            ]),
            ..Job::default()
        };
        let shared = Shared {
            predefined: vec![Variable::new("A", "predefined"), Variable::new("E", "low")],
            variables: values(&[("B", "global"), ("C", "global $A"), ("SELF", "first")]),
            outer: vec![Variable::new("E", "outer")],
            ..Shared::default()
        };
        let dotenv = vec![("D".to_owned(), "dotenv".to_owned())];
        let project = vec![Variable::new("C", "project"), Variable::new("F", "of $B")];
        let all = variables(&job, &shared, &dotenv, &project, &[], &hand_out());
        let value = |key: &str| {
            let mut found = all.iter().filter(|variable| variable.key == key);
            let variable = found.next().unwrap();
            assert!(found.next().is_none(), "{key} twice");
            variable.value.as_str()
        };
        assert_eq!(value("B"), "job");
        assert_eq!(value("C"), "project");
        assert_eq!(value("F"), "of job");
        assert_eq!(value("D"), "dotenv");
        assert_eq!(value("E"), "outer");
        assert_eq!(value("SELF"), "first more");
        assert_eq!(value("USES"), "outer $MISSING");
        assert_eq!(value("CI_JOB_URL"), "https://host/group/project/-/jobs/11");
        assert_eq!(value("CI_PIPELINE_NAME"), "Nightly");
        let token = all
            .iter()
            .find(|variable| variable.key == "CI_JOB_TOKEN")
            .unwrap();
        assert!(token.masked && !token.public);
    }

    #[test]
    fn reports_follow_the_archive_and_caches_know_the_ref() {
        let mut artifacts = shipway_config::Artifacts {
            paths: vec!["out".to_owned()],
            ..shipway_config::Artifacts::default()
        };
        artifacts
            .reports
            .insert("junit".to_owned(), vec!["*.xml".to_owned()]);
        let job = Job {
            before_script: vec!["a".to_owned()],
            script: vec!["b".to_owned()],
            after_script: vec!["c".to_owned()],
            artifacts: Some(artifacts),
            cache: vec![Cache::default()],
            ..Job::default()
        };
        let of = |protected: &str| {
            let shared = Shared {
                predefined: vec![Variable::new("CI_COMMIT_REF_PROTECTED", protected)],
                ..Shared::default()
            };
            payload(&job, Vec::new(), Vec::new(), &shared, &hand_out())
        };
        let payload = of("true");
        let kinds: Vec<_> = (payload.artifacts.iter())
            .map(|spec| (spec.artifact_type.as_str(), spec.when))
            .collect();
        assert_eq!(
            kinds,
            [("archive", When::OnSuccess), ("junit", When::Always)]
        );
        assert_eq!(payload.steps[0].script, ["a", "b"]);
        assert_eq!(payload.steps[1].name, "after_script");
        assert_eq!(payload.cache[0].key, "default-protected");
        assert_eq!(of("false").cache[0].key, "default-non_protected");
    }

    #[test]
    fn the_pipelines_own_ref_is_always_fetched() {
        use protocol::RefType::{Branch, Tag};
        let of = |kind, depth| refspecs(9, kind, "x", depth)[1..].join(" ");
        assert_eq!(
            refspecs(9, Branch, "x", 0)[0],
            "+refs/pipelines/9:refs/pipelines/9"
        );
        assert_eq!(of(Branch, 20), "+refs/heads/x:refs/remotes/origin/x");
        assert_eq!(of(Tag, 1), "+refs/tags/x:refs/tags/x");
        for kind in [Branch, Tag] {
            let all = "+refs/heads/*:refs/remotes/origin/* +refs/tags/*:refs/tags/*";
            assert_eq!(of(kind, 0), all);
        }
    }

    #[test]
    fn keys_of_caches_follow_the_settings() {
        for (key, separated, index, expected) in [
            ("a-protected", true, 0, "a-protected"),
            ("a-protected", false, 0, "a"),
            ("a-non_protected", false, 0, "a"),
            ("a", false, 0, "a"),
            ("a-protected", true, 1, "a-1-protected"),
            ("a-non_protected", true, 12, "a-12-non_protected"),
            ("a-non_protected", false, 2, "a-2"),
        ] {
            let settings = ProjectSettings {
                ci_separated_caches: separated,
                jobs_cache_index: index,
                ..ProjectSettings::default()
            };
            assert_eq!(cache_key(key, &settings), expected);
        }
    }
}
