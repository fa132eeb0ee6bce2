//! Against the coordinator that another project tests its own runner with.

use gitlab_runner_mock::{GitlabRunnerMock, MockJobStepName, MockJobStepWhen};

use super::Bench;
use crate::tests::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_jobs_run_and_their_logs_arrive() {
    let mock = GitlabRunnerMock::start().await;
    mock.set_update_interval(1);
    let mut builder = mock.job_builder("tell".into());
    builder.add_variable("GIT_STRATEGY".into(), "none".into(), true, false);
    builder.add_variable("SECRET".into(), "very-secret".into(), false, true);
    let script = ["echo greet-$CI_JOB_ID", "echo $SECRET", "false"];
    builder.add_step(
        MockJobStepName::Script,
        script.map(str::to_owned).to_vec(),
        3600,
        MockJobStepWhen::OnSuccess,
        false,
    );
    let job = builder.build();
    mock.enqueue_job(job.clone());
    let bench = Bench::start(mock.uri().as_str(), mock.runner_token());
    eventually("the result", || job.finished()).await;
    bench.finish().await;
    assert_eq!(job.state(), gitlab_runner_mock::MockJobState::Failed);
    let log = String::from_utf8(job.log()).unwrap();
    assert!(log.contains(&format!("\ngreet-{}\n", job.id())), "{log}");
    assert!(
        log.contains("[MASKED]") && !log.contains("very-secret"),
        "{log}"
    );
}
