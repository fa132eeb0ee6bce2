//! What a runner gets for a job: the typed configuration and the variables as a payload.

use serde::{Deserialize, Serialize};
use shipway_config::variables::{Collection, FileReferences, Undefined, Variable};
use shipway_config::{Cache, CacheKey, Image, Job, ResultWhen, Service, Variables};
use shipway_protocol as protocol;
use shipway_protocol::{ArtifactFormat, ArtifactSpec, Dependency, JobPayload, Step, When};

use crate::predefined::{self, HandOut};

/// What all jobs of a pipeline share, as it is kept with the pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shared {
    /// Predefined variables from before the pipeline.
    pub(crate) predefined: Vec<Variable>,
    /// The top-level variables of the configuration.
    pub(crate) variables: Variables,
    /// Variables above everything in the file; in a server only the pipeline's own, since
    /// those of the project are read when a job is handed out, and never copied.
    pub(crate) outer: Vec<Variable>,
    /// Later stages go on after a failure.
    pub(crate) keep_going: bool,
    /// The first failing job cancels the rest.
    pub(crate) cancel_on_job_failure: bool,
    /// `workflow:auto_cancel:on_new_commit`.
    #[serde(default)]
    pub(crate) on_new_commit: Option<String>,
}

impl Shared {
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
    dotenv: Vec<(String, String)>,
    hand_out: &HandOut<'_>,
) -> Vec<protocol::Variable> {
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
    for (key, value) in dotenv {
        all.push(Variable::new(key, value));
    }
    all.extend(shared.outer.iter().cloned());
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
            project_jobs_running_on_instance_runners_count: "0".to_owned(),
        },
        git_info: git_info(shared, protected),
        runner_info: protocol::RunnerInfo {
            timeout: i64::try_from(hand_out.timeout).unwrap_or(i64::MAX),
        },
        variables,
        steps: steps(job, hand_out.timeout),
        hooks: Vec::new(),
        image: job.image.as_ref().map(image),
        services: job.services.iter().map(service).collect(),
        artifacts: artifacts(job),
        cache: job.cache.iter().map(|one| cache(one, protected)).collect(),
        credentials: Vec::new(),
        dependencies,
        features: protocol::Features {
            trace_sections: true,
            ..protocol::Features::default()
        },
    }
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
    let mut steps = vec![Step {
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
    }];
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
            kubernetes: None,
        },
    }
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
        CacheKey::Files { .. } => "default",
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
        let all = variables(&job, &shared, dotenv, &hand_out());
        let value = |key: &str| {
            let mut found = all.iter().filter(|variable| variable.key == key);
            let variable = found.next().unwrap();
            assert!(found.next().is_none(), "{key} twice");
            variable.value.as_str()
        };
        assert_eq!(value("B"), "job");
        assert_eq!(value("C"), "global predefined");
        assert_eq!(value("D"), "dotenv");
        assert_eq!(value("E"), "outer");
        assert_eq!(value("SELF"), "first more");
        assert_eq!(value("USES"), "outer $MISSING");
        assert_eq!(value("CI_JOB_URL"), "https://host/group/project/-/jobs/11");
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
}
