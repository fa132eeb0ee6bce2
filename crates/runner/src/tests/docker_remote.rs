//! Jobs on an engine that does not see this machine's directories: the suite of all executors
//! again, and what comes of the files. The engine is this machine's, behind a port of loopback.

use std::path::{Path, PathBuf};

use bollard::models::{ContainerCreateBody, HostConfig, PortBinding};
use bollard::query_parameters::{ListVolumesOptions, StartContainerOptions};
use shipway_protocol::{ArtifactSpec, CacheSpec, Image};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::conformance::suite;
use super::docker::{IMAGE, containers, engine, import_on};
use super::docker_in_docker::{NAME as DIND, grant, make_image};
use super::{Bench, eventually, skipped, write};
use crate::executor::{connect, remove_container, slot_prefix};
use crate::testing::RecordingSource;

/// A bench whose engine is behind a port.
async fn bench(name: &str, script: &[&str]) -> Option<Bench> {
    let mut bench = super::docker::bench(name, script).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client));
        }
    });
    bench.config.docker_host = Some(format!("tcp://127.0.0.1:{port}"));
    Some(bench)
}

async fn pass_on(mut client: TcpStream) {
    let engine = UnixStream::connect("/var/run/docker.sock").await;
    let _ = tokio::io::copy_bidirectional(&mut client, &mut engine.unwrap()).await;
}

suite!(bench);

/// Volumes that were made for this bench's jobs and are still there.
async fn volumes(bench: &Bench) -> usize {
    let engine = engine().unwrap().negotiate_version().await.unwrap();
    let all = engine.list_volumes(None::<ListVolumesOptions>).await;
    let prefix = slot_prefix(Some("tcp://h:1"));
    let below = format!("{prefix}{}", bench.directory.path().display());
    let all = all.unwrap().volumes.unwrap_or_default();
    let slots = all
        .iter()
        .filter_map(|volume| volume.labels.get("shipway.slot"));
    slots.filter(|slot| slot.starts_with(&below)).count()
}

/// What a job makes is there for its later stages, its artifacts and its caches.
async fn keeps_its_files(mut bench: Bench) {
    bench.payload.steps = vec![super::step(
        "script",
        &[
            "cat given/file",
            "test \"$(cat deps/lib)\" = cached || echo no-cache",
            "mkdir -p deps out; echo cached > deps/lib; echo made > out/made",
            "chmod 750 out/made; rm given/file",
        ],
    )];
    bench.after_script(&["cat out/made; ls given"]);
    bench.snapshot(&[("given/file", "given\n")]);
    bench.payload.cache = vec![CacheSpec {
        key: "k".into(),
        paths: vec!["deps".into()],
        ..CacheSpec::default()
    }];
    bench.payload.artifacts = vec![ArtifactSpec {
        paths: vec!["out".into(), "given".into()],
        ..ArtifactSpec::default()
    }];
    let log = bench.succeed().await;
    assert!(
        log.contains("\ngiven\n") && log.contains("\nmade\n"),
        "{log}"
    );
    assert!(
        log.contains("no-cache") && log.contains("Created cache"),
        "{log}"
    );
    let zip = bench.path("artifacts.zip");
    std::fs::write(&zip, &bench.source.uploads()[0].content).unwrap();
    let unpacked = bench.path("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    crate::unpack(&zip, &unpacked, bench.config.extract_limits).unwrap();
    assert!(unpacked.join("out/made").is_file() && !unpacked.join("given/file").exists());
    bench.source = RecordingSource::default();
    let log = bench.succeed().await;
    assert!(!log.contains("\nno-cache"), "{log}");
    assert_eq!((containers(&bench).await, volumes(&bench).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_job_makes_comes_back() {
    if let Some(bench) = bench("what_a_job_makes_comes_back", &[]).await {
        keeps_its_files(bench).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_writes_too() {
    let script = ["id -u", "echo x > new", "mkdir -p sub && echo y > sub/new"];
    let Some(mut bench) = bench("another_user_writes_too", &script).await else {
        return;
    };
    bench.snapshot(&[("sub/file", "1")]);
    bench.config.docker.options.user = Some("1234".into());
    let log = bench.succeed().await;
    assert!(log.contains("\n1234\n"), "{log}");
}

/// Removes a container when the test ends, however it ends.
struct Running(String);

impl Drop for Running {
    fn drop(&mut self) {
        let id = std::mem::take(&mut self.0);
        let removing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let engine = engine().unwrap().negotiate_version().await.unwrap();
                remove_container(&engine, &id).await.unwrap();
            });
        });
        let _ = removing.join();
    }
}

/// An engine with TLS at this port of loopback, whose certificates are put below `directory`.
async fn engine_with_tls(directory: &Path, port: u16) -> Running {
    let engine = engine().unwrap().negotiate_version().await.unwrap();
    let mut host = HostConfig {
        binds: Some(vec![format!("{}:/certs", directory.display())]),
        port_bindings: Some(
            [(
                "2376/tcp".to_owned(),
                Some(vec![PortBinding {
                    host_ip: Some("127.0.0.1".into()),
                    host_port: Some(port.to_string()),
                }]),
            )]
            .into(),
        ),
        ..HostConfig::default()
    };
    grant(&mut host);
    let body = ContainerCreateBody {
        image: Some(DIND.to_owned()),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let made = engine.create_container(None, body).await.unwrap();
    let running = Running(made.id);
    let start = engine.start_container(&running.0, None::<StartContainerOptions>);
    start.await.unwrap();
    running
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_with_tls() {
    let Some(mut bench) = super::docker::bench("an_engine_with_tls", &[]).await else {
        return;
    };
    if let Err(reason) = make_image().await {
        skipped("tests::docker_remote::an_engine_with_tls", &reason);
        return;
    }
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().port()
    };
    let certificates: PathBuf = bench.path("certs");
    write(&certificates.join("here"), "");
    let _running = engine_with_tls(&certificates, port).await;
    let client = certificates.join("client");
    let address = format!("tcp://localhost:{port}");
    eventually("certificates", || client.join("ca.pem").is_file()).await;
    let mut inner = Err(String::new());
    for _ in 0..100 {
        inner = connect(Some(&address), Some(&client))
            .await
            .map_err(|error| error.to_string());
        if inner.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    import_on(inner.unwrap(), IMAGE, &[]).await.unwrap();
    for other in [None, Some(bench.path("nowhere"))] {
        assert!(connect(Some(&address), other.as_deref()).await.is_err());
    }
    bench.config.docker_host = Some(address);
    bench.config.docker_cert_path = Some(client);
    bench.payload.image = Some(Image {
        name: IMAGE.into(),
        ..Image::default()
    });
    keeps_its_files(bench).await;
}
