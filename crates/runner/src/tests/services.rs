//! Services beside a job's container, on a real engine.

use std::time::{Duration, Instant};

use bollard::query_parameters::{ListNetworksOptions, ListVolumesOptions};
use shipway_protocol::{FailureReason, JobState, Service, Variable};

use super::docker::{IMAGE, bench_or_skip, containers, engine, import};
use super::{Bench, eventually};
use crate::control::control;

/// Serves `hello` at port 80.
const SERVE: &str = "busybox mkdir -p /www; echo hello > /www/index.html; \
    exec busybox httpd -f -p 80 -h /www";

fn service(alias: &str, script: &str) -> Service {
    Service {
        name: IMAGE.to_owned(),
        alias: (!alias.is_empty()).then(|| alias.to_owned()),
        command: Some(["sh", "-c", script].map(str::to_owned).to_vec()),
        ..Service::default()
    }
}

fn variable(key: &str, value: &str) -> Variable {
    Variable {
        key: key.to_owned(),
        value: value.to_owned(),
        ..Variable::default()
    }
}

/// Names of networks made for the bench's jobs that are still there.
async fn networks(bench: &Bench) -> usize {
    let engine = engine().unwrap().negotiate_version().await.unwrap();
    let all = engine.list_networks(None::<ListNetworksOptions>).await;
    let below = bench.directory.path().display().to_string();
    all.unwrap()
        .iter()
        .filter_map(|network| network.labels.as_ref()?.get("shipway.slot"))
        .filter(|slot| slot.starts_with(&below))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_have_names_and_are_up_before_the_script() {
    let mut bench = bench_or_skip!(
        "services_have_names_and_are_up_before_the_script",
        &[
            "for name in web other shipway-test__busybox shipway-test-busybox; do \
             busybox wget -q -O - http://$name/; done",
            "busybox wget -q -O - http://second/",
        ]
    );
    let mut first = service("web, other", &format!("sleep 1; {SERVE}"));
    first.variables = vec![variable("HEALTHCHECK_TCP_PORT", "80")];
    let mut second = service("second", SERVE);
    second.variables = first.variables.clone();
    bench.payload.services = vec![first, second];
    let log = bench.succeed().await;
    assert_eq!(log.matches("hello\n").count(), 5, "{log}");
    for line in [
        "Starting service shipway-test/busybox:1 ...\n",
        "Waiting for services to be up and running (timeout 30 seconds)...\n",
        "WARNING: Service shipway-test/busybox:1 is not called shipway-test__busybox: an earlier",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    assert_eq!((containers(&bench).await, networks(&bench).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_find_one_another_and_the_jobs_files() {
    let mut bench = bench_or_skip!(
        "services_find_one_another_and_the_jobs_files",
        &["while [ ! -s answer ]; do sleep 0.1; done; cat answer"]
    );
    // Fetching the sources empties the directory that the service writes to.
    let ask = "cd /builds/group/project; while :; do \
        busybox wget -q -O answer http://web/; sleep 0.2; done";
    bench.payload.services = vec![service("web", SERVE), service("asks", ask)];
    let log = bench.succeed().await;
    assert!(log.contains("\nhello\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_sees_public_variables_and_its_own() {
    let mut bench = bench_or_skip!(
        "a_service_sees_public_variables_and_its_own",
        &["busybox wget -q -O - http://web/"]
    );
    bench.variable("OPEN", "open").public = true;
    bench.variable("SECRET", "secret-of-the-project");
    let tell = "busybox mkdir -p /www; \
        echo \"$OPEN-$SECRET-$OWN-$CI_PROJECT_DIR\" > /www/index.html; \
        exec busybox httpd -f -p 80 -h /www";
    let mut web = service("web", tell);
    web.variables = vec![
        variable("OWN", "own $OPEN"),
        variable("HEALTHCHECK_TCP_PORT", "80"),
    ];
    bench.payload.services = vec![web];
    let log = bench.succeed().await;
    assert!(
        log.contains("\nopen--own open-/builds/group/project\n"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_images_own_check_is_heeded() {
    const CHECKED: &str = "shipway-test/checked:1";
    let mut bench = bench_or_skip!("the_images_own_check_is_heeded", &["true"]);
    // The engine itself would look only after an hour.
    let check = "HEALTHCHECK --interval=1h CMD [\"cat\", \"/ready\"]";
    import(CHECKED, &[check]).await.unwrap();
    let mut slow = service("slow", "sleep 2; touch /ready; sleep 1000");
    slow.name = CHECKED.to_owned();
    bench.payload.services = vec![slow.clone()];
    let start = Instant::now();
    let log = bench.succeed().await;
    assert!(start.elapsed() > Duration::from_secs(2));
    assert!(!log.contains("WARNING"), "{log}");

    bench.source = crate::testing::RecordingSource::default();
    bench.config.docker.wait_for_services = Some(Duration::from_secs(1));
    bench.payload.services = vec![Service {
        command: Some(vec!["sleep".to_owned(), "1000".to_owned()]),
        ..slow
    }];
    let log = bench.succeed().await;
    let why = "\ntimeout: its health check ended with 1: cat: can't open '/ready'";
    assert!(log.contains(why), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_not_up_is_a_warning_with_its_log() {
    let mut bench = bench_or_skip!(
        "a_service_that_is_not_up_is_a_warning_with_its_log",
        &["echo goes-on"]
    );
    bench.variable("PASSWORD", "secret-word-1").masked = true;
    bench.config.docker.wait_for_services = Some(Duration::from_secs(1));
    let mut deaf = service("deaf", "echo deaf-and-dumb; sleep 1000");
    deaf.variables = vec![variable("HEALTHCHECK_TCP_PORT", "80")];
    let mut dead = service("dead", "echo told secret-word-1; exit 3");
    dead.variables = deaf.variables.clone();
    bench.payload.services = vec![deaf, dead];
    let log = bench.succeed().await;
    for text in [
        "*** WARNING: Service shipway-test/busybox:1 probably didn't start properly.\n",
        "\ntimeout: no connection to port 80\n",
        " deaf-and-dumb\n",
        "\nthe service ended with exit code 3\n",
        " told [MASKED]\n",
        "\ngoes-on\n",
    ] {
        assert!(log.contains(text), "{text}\n{log}");
    }
    assert_eq!((containers(&bench).await, networks(&bench).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_dies_is_told_when_the_script_fails() {
    let mut bench = bench_or_skip!(
        "a_service_that_dies_is_told_when_the_script_fails",
        &["sleep 2", "exit 5"]
    );
    bench.payload.services = vec![service("db", "sleep 1; echo out of memory; exit 137")];
    let outcome = bench.run().await;
    assert_eq!(outcome.exit_code, Some(5));
    let log = bench.log();
    for text in [
        "Service shipway-test/busybox:1 is not running any more.\n",
        "\nthe service ended with exit code 137\n",
        " out of memory\n",
    ] {
        assert!(log.contains(text), "{text}\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_of_services_are_shown_where_the_job_asks() {
    let mut bench = bench_or_skip!(
        "logs_of_services_are_shown_where_the_job_asks",
        &["sleep 1"]
    );
    bench.variable("CI_DEBUG_SERVICES", "true");
    bench.variable("PASSWORD", "secret-word-1").masked = true;
    bench.payload.services = vec![service("db", "echo one; echo secret-word-1; sleep 1000")];
    let log = bench.succeed().await;
    let line = |text: &str| {
        let prefix = "[service:shipway-test__busybox-shipway-test-busybox-db] ";
        log.lines()
            .any(|line| line.starts_with(prefix) && line.ends_with(text))
    };
    assert!(line(" one") && line(" [MASKED]"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_start_ends_the_job() {
    let mut bench = bench_or_skip!("what_cannot_start_ends_the_job", &["echo never-printed"]);
    let mut missing = service("", SERVE);
    missing.name = "shipway-test/none:1".into();
    missing.pull_policy = Some(vec!["never".into()]);
    let mut wrong = service("", SERVE);
    wrong.entrypoint = Some(vec!["/no/such/program".into()]);
    let mut empty = service("", SERVE);
    empty.name = "$NOT_SET".into();
    for (service, reason, text) in [
        (
            missing,
            FailureReason::RunnerConfigurationError,
            "failed to pull image \"shipway-test/none:1\" with specified policies [never]",
        ),
        (
            wrong,
            FailureReason::RunnerSystemFailure,
            "cannot start a container of image shipway-test/busybox:1",
        ),
        (
            empty,
            FailureReason::RunnerConfigurationError,
            "the service `$NOT_SET` names no image once its variables are expanded",
        ),
    ] {
        bench.source = crate::testing::RecordingSource::default();
        bench.payload.services = vec![self::service("first", SERVE), service];
        let outcome = bench.run().await;
        assert_eq!(outcome.state, JobState::Failed);
        assert_eq!(outcome.failure_reason, Some(reason));
        let log = bench.log();
        assert!(log.contains(text), "{text}\n{log}");
        assert!(!log.contains("never-printed"), "{log}");
        assert_eq!((containers(&bench).await, networks(&bench).await), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_cancelled_while_services_start_leaves_nothing() {
    let mut bench = bench_or_skip!(
        "a_job_cancelled_while_services_start_leaves_nothing",
        &["echo never-printed"]
    );
    let mut deaf = service("deaf", "sleep 1000");
    deaf.variables = vec![variable("HEALTHCHECK_TCP_PORT", "80")];
    bench.payload.services = vec![deaf];
    let (canceller, control) = control();
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(bench.run_under(control), async {
        eventually("waiting", || bench.log().contains("Waiting for services")).await;
        canceller.cancel();
    });
    assert!(outcome.canceled);
    assert!(start.elapsed() < Duration::from_secs(25));
    assert!(!bench.log().contains("never-printed"));
    assert_eq!((containers(&bench).await, networks(&bench).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_default_bridge_names_stand_in_the_hosts_file() {
    let mut bench = bench_or_skip!(
        "on_the_default_bridge_names_stand_in_the_hosts_file",
        &["busybox wget -q -O - http://web/"]
    );
    bench.config.docker.network_mode = Some("bridge".into());
    let mut web = service("web", SERVE);
    web.variables = vec![variable("HEALTHCHECK_TCP_PORT", "80")];
    bench.payload.services = vec![web];
    let log = bench.succeed().await;
    assert!(log.contains("\nhello\n"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_is_shared_by_the_containers_of_a_job_and_goes_with_it() {
    let mut bench = bench_or_skip!(
        "a_volume_is_shared_by_the_containers_of_a_job_and_goes_with_it",
        &["while [ ! -s /certs/client/ca ]; do sleep 0.1; done; cat /certs/client/ca"]
    );
    bench.config.docker.volumes = vec!["/certs/client".into()];
    let make = "echo from-service > /certs/client/ca; sleep 1000";
    bench.payload.services = vec![service("ca", make)];
    let log = bench.succeed().await;
    assert!(log.contains("\nfrom-service\n"), "{log}");
    let engine = engine().unwrap().negotiate_version().await.unwrap();
    let volumes = engine.list_volumes(None::<ListVolumesOptions>).await;
    let below = bench.directory.path().display().to_string();
    let volumes = volumes.unwrap().volumes.unwrap_or_default();
    let left = volumes.into_iter().filter(|volume| {
        let slot = volume.labels.get("shipway.slot");
        slot.is_some_and(|slot| slot.starts_with(&below))
    });
    assert_eq!(left.count(), 0);
}
