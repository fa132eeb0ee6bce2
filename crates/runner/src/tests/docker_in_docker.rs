//! A job that builds and runs containers on an engine of its own, a service beside it.

use std::path::Path;
use std::process::Command;

use bollard::models::HostConfig;
use shipway_protocol::{Image, Service};

use super::docker::{containers, engine};
use super::{Bench, skipped};

/// An image of an engine.
pub(super) const NAME: &str = "shipway-test/dind:1";

/// What an engine in a container needs of everything that `privileged` gives.
const CAPABILITIES: [&str; 2] = ["SYS_ADMIN", "NET_ADMIN"];

/// Makes an image on the engine beside the job, and runs a container that sees the job's files.
const SCRIPT: [&str; 5] = [
    "mkdir -p root/bin && cp /bin/busybox root/bin/",
    "tar -C root -c . | docker import - inner",
    "echo given > in",
    "docker run --rm -v \"$CI_PROJECT_DIR:/work\" inner /bin/busybox sh -c \
     '/bin/busybox cat /work/in; echo made > /work/out'",
    "cat out",
];

/// A job beside such an engine, with these variables for both; nothing where it cannot be made.
async fn bench(name: &'static str, variables: &[(&str, &str)]) -> Option<Bench> {
    let mut bench = super::docker::bench(name, &SCRIPT).await?;
    if let Err(reason) = make_image().await {
        skipped(&format!("tests::docker_in_docker::{name}"), &reason);
        return None;
    }
    bench.payload.image = Some(Image {
        name: NAME.into(),
        ..Image::default()
    });
    bench.payload.services = vec![Service {
        name: NAME.into(),
        alias: Some("docker".into()),
        ..Service::default()
    }];
    for (key, value) in variables {
        bench.variable(key, value).public = true;
    }
    let settings = &mut bench.config.docker;
    settings.volumes = vec!["/certs/client".into()];
    let mut granted = HostConfig::default();
    grant(&mut granted);
    settings.services_privileged = granted.privileged;
    settings.options.cap_add = granted.cap_add.unwrap_or_default();
    settings.options.security_opt = granted.security_opt.unwrap_or_default();
    settings.volumes.extend(granted.binds.unwrap_or_default());
    Some(bench)
}

/// Lets a container run an engine.
pub(super) fn grant(host: &mut HostConfig) {
    if has_all_capabilities() {
        host.privileged = Some(true);
        return;
    }
    // An engine that lacks one itself cannot give all of them.
    host.cap_add = Some(CAPABILITIES.map(str::to_owned).to_vec());
    let unconfined = ["seccomp=unconfined", "apparmor=unconfined"];
    host.security_opt = Some(unconfined.map(str::to_owned).to_vec());
    let binds = host.binds.get_or_insert_default();
    binds.push("/sys/fs/cgroup:/sys/fs/cgroup:rw".into());
}

pub(super) async fn make_image() -> Result<(), String> {
    if engine()?.inspect_image(NAME).await.is_ok() {
        return Ok(());
    }
    let make = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/support/dind-image.sh");
    let made = tokio::task::spawn_blocking(move || Command::new(make).arg(NAME).output());
    let made = made.await.unwrap();
    let made = made.map_err(|error| format!("the image cannot be made: {error}"))?;
    let said = String::from_utf8_lossy(&made.stderr);
    let last = said.lines().last().unwrap_or_default();
    match made.status.success() {
        true => Ok(()),
        false => Err(format!("the image cannot be made: {last}")),
    }
}

/// Whether none is withheld from this machine, which may be a container itself.
fn has_all_capabilities() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bounding = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap_or_default();
    let last: u32 = last.trim().parse().unwrap_or(63);
    bounding == Some(u64::MAX >> (63 - last))
}

async fn succeeds(bench: &Bench) {
    let log = bench.succeed().await;
    assert!(
        log.contains("\ngiven\n") && log.contains("\nmade\n"),
        "{log}"
    );
    assert_eq!(containers(bench).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_beside_the_job_without_tls() {
    let name = "an_engine_beside_the_job_without_tls";
    let variables = [
        ("DOCKER_HOST", "tcp://docker:2375"),
        ("DOCKER_TLS_CERTDIR", ""),
    ];
    if let Some(bench) = bench(name, &variables).await {
        succeeds(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_beside_the_job_with_tls() {
    let name = "an_engine_beside_the_job_with_tls";
    let variables = [
        ("DOCKER_HOST", "tcp://docker:2376"),
        ("DOCKER_TLS_CERTDIR", "/certs"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", "/certs/client"),
    ];
    if let Some(bench) = bench(name, &variables).await {
        succeeds(&bench).await;
    }
}
