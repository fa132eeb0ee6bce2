//! The disk budget on a real engine.

use std::time::{Duration, SystemTime};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptions, ListVolumesOptions, RemoveImageOptions, RemoveVolumeOptions,
    TagImageOptionsBuilder,
};

use super::Bench;
use super::docker::{self, IMAGE, engine, import};
use crate::config::RunnerConfig;
use crate::disk::ledger::Ledger;
use crate::disk::{Budget, Collector, Kind, Removal, State};
use crate::executor::SLOT_LABEL;
use crate::testing::RecordingSource;

const NOTHING: Budget = Budget {
    limit: Some(0),
    floor: 0,
};

async fn bench(name: &str, script: &[&str]) -> Option<(Bench, Docker)> {
    let mut bench = docker::bench(name, script).await?;
    bench.config.ledger_dir = Some(bench.path("ledger"));
    let engine = engine().unwrap().negotiate_version().await.unwrap();
    Some((bench, engine))
}

fn ledger(config: &RunnerConfig) -> Ledger {
    let directory = config.ledger_dir.as_deref().unwrap();
    Ledger::new(directory, config.docker_host.as_deref())
}

/// Makes all entries of a ledger an hour old.
fn age(config: &RunnerConfig) {
    let hour = SystemTime::now() - Duration::from_secs(3600);
    let engines = std::fs::read_dir(config.ledger_dir.as_deref().unwrap()).unwrap();
    for engine in engines {
        for entry in std::fs::read_dir(engine.unwrap().path()).unwrap() {
            let file = std::fs::File::options()
                .append(true)
                .open(entry.unwrap().path());
            file.unwrap().set_modified(hour).unwrap();
        }
    }
}

async fn id(engine: &Docker, image: &str) -> Option<String> {
    engine.inspect_image(image).await.ok()?.id
}

#[tokio::test(flavor = "multi_thread")]
async fn only_images_that_were_pulled_go_and_only_by_the_names_they_were_pulled_by() {
    let name = "only_images_that_were_pulled_go_and_only_by_the_names_they_were_pulled_by";
    let Some((bench, engine)) = bench(name, &["true"]).await else {
        return;
    };
    for image in ["pulled", "shared", "mine"] {
        let reference = format!("shipway-test/disk-{image}:1");
        import(&reference, &[&format!("ENV NAME={image}")])
            .await
            .unwrap();
    }
    let reference = |image: &str| format!("shipway-test/disk-{image}:1");
    let named = TagImageOptionsBuilder::default()
        .repo("shipway-test/disk-named")
        .tag("1")
        .build();
    engine
        .tag_image(&reference("shared"), Some(named))
        .await
        .unwrap();
    let ledger = ledger(&bench.config);
    for image in ["pulled", "shared"] {
        let id = id(&engine, &reference(image)).await.unwrap();
        ledger.note(&id, &reference(image), true).unwrap();
    }
    let mine = id(&engine, &reference("mine")).await.unwrap();
    ledger.note(&mine, &reference("mine"), false).unwrap();
    let collector = Collector::new([&bench.config], NOTHING);
    let fresh = collector.round(false).await;
    assert!(fresh.items.iter().all(|item| item.state == State::InUse));
    assert!(fresh.items.len() == 2 && fresh.plan.evict.is_empty());
    age(&bench.config);
    let rehearsed = collector.round(true).await;
    assert_eq!(rehearsed.plan.evict.len(), 2);
    assert!(id(&engine, &reference("pulled")).await.is_some());
    let mut removals = collector.round(false).await.removals;
    removals.sort_by_key(|removal| *removal == Removal::Gone);
    assert_eq!(removals, [Removal::Kept, Removal::Gone]);
    assert!(id(&engine, &reference("pulled")).await.is_none());
    assert!(id(&engine, &reference("shared")).await.is_none());
    for (image, own) in [("named", true), ("mine", true)] {
        let found = id(&engine, &reference(image)).await;
        assert_eq!(found.is_some(), own, "{image}");
        let reference = reference(image);
        let gone = engine.remove_image(&reference, None::<RemoveImageOptions>, None);
        gone.await.unwrap();
    }
    assert!(ledger.images().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_writes_down_the_use_of_an_image_that_was_pulled_before() {
    let name = "a_job_writes_down_the_use_of_an_image_that_was_pulled_before";
    let Some((mut bench, engine)) = bench(name, &["true"]).await else {
        return;
    };
    let id = id(&engine, IMAGE).await.unwrap();
    bench.succeed().await;
    let ledger = ledger(&bench.config);
    assert!(!ledger.has(&id), "it was there before the job");
    ledger.note(&id, IMAGE, true).unwrap();
    age(&bench.config);
    let before = ledger.images().remove(0);
    bench.source = RecordingSource::default();
    bench.succeed().await;
    let after = ledger.images().remove(0);
    assert!(after.last_used > before.last_used);
    ledger.forget(&id).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_runner_left_on_the_engine_goes_and_nothing_of_others() {
    let name = "what_a_dead_runner_left_on_the_engine_goes_and_nothing_of_others";
    let Some((bench, engine)) = bench(name, &["true"]).await else {
        return;
    };
    let builds = &bench.config.builds_dir;
    std::fs::create_dir_all(builds).unwrap();
    let elsewhere = bench.path("elsewhere");
    let mut made = Vec::new();
    for slot in [builds.join("0"), elsewhere.join("0")] {
        let labels = [(SLOT_LABEL.to_owned(), slot.display().to_string())];
        let container = ContainerCreateBody {
            image: Some(IMAGE.into()),
            cmd: Some(vec!["true".into()]),
            labels: Some(labels.clone().into()),
            ..ContainerCreateBody::default()
        };
        let created = engine.create_container(None::<CreateContainerOptions>, container);
        let volume = VolumeCreateRequest {
            labels: Some(labels.into()),
            ..VolumeCreateRequest::default()
        };
        let volume = engine.create_volume(volume).await.unwrap();
        made.push((created.await.unwrap().id, volume.name));
    }
    let collector = Collector::new([&bench.config], Budget::default());
    let held = crate::directory::Slots::new(builds, true);
    let directory = held.claim(0, "p").unwrap();
    let found = collector.round(false).await;
    assert!(found.plan.evict.is_empty(), "a job has the slot: {found:?}");
    held.release(directory).unwrap();
    let found = collector.round(false).await;
    let kinds: Vec<Kind> = (found.plan.evict.iter())
        .map(|index| found.items[*index].kind)
        .collect();
    assert_eq!(kinds, [Kind::Container, Kind::Volume], "{found:?}");
    assert!(found.removals.iter().all(|one| *one == Removal::Gone));
    let inspect = |id: String| {
        let engine = engine.clone();
        async move { engine.inspect_container(&id, None).await.is_ok() }
    };
    assert!(!inspect(made[0].0.clone()).await);
    assert!(inspect(made[1].0.clone()).await);
    crate::executor::remove_container(&engine, &made[1].0)
        .await
        .unwrap();
    let volumes = engine
        .list_volumes(None::<ListVolumesOptions>)
        .await
        .unwrap();
    let names: Vec<String> = (volumes.volumes.into_iter().flatten())
        .map(|volume| volume.name)
        .collect();
    assert!(!names.contains(&made[0].1) && names.contains(&made[1].1));
    let gone = engine.remove_volume(&made[1].1, None::<RemoveVolumeOptions>);
    gone.await.unwrap();
}
