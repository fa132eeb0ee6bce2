//! What runners made on a Docker engine.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveImageOptions, RemoveVolumeOptions,
};

use super::builds;
use super::ledger::Ledger;
use super::measure::{self, Places};
use super::plan::{Item, Kind, State};
use crate::executor::{SLOT_LABEL, engine_words as words, remove_container, remove_network};

/// An image that a job asked for so lately may be waiting for its container.
const JUST_USED: u64 = 600;

/// All that runners with these builds directories left on an engine, and the images that its
/// book names. `prefix` comes before a slot's directory in its label.
///
/// # Errors
/// The engine's words.
pub(super) async fn list(
    engine: &Docker,
    ledger: &Ledger,
    (builds, prefix): (&[PathBuf], &str),
    places: &mut Places,
) -> Result<Vec<Item>, String> {
    let root = engine.info().await.map_err(words)?.docker_root_dir;
    let place = root.and_then(|root| places.of(Path::new(&root)));
    let all = ListContainersOptionsBuilder::default().all(true).build();
    let containers = engine.list_containers(Some(all)).await.map_err(words)?;
    let running: HashSet<&str> = (containers.iter())
        .filter_map(|container| container.image_id.as_deref())
        .collect();
    let mut items = images(engine, ledger, &running).await?;
    let leftover = |kind: Kind, name: Option<String>, labels: Option<HashMap<String, String>>| {
        let slot = PathBuf::from(labels?.remove(SLOT_LABEL)?.strip_prefix(prefix)?);
        let is_ours = builds.iter().any(|builds| slot.parent() == Some(builds));
        (is_ours && builds::is_free(&slot)).then_some(Item {
            kind,
            name: name?,
            bytes: 0,
            last_used: 0,
            state: State::Leftover,
            place: None,
        })
    };
    for container in containers {
        items.extend(leftover(Kind::Container, container.id, container.labels));
    }
    let labelled = HashMap::from([("label", vec![SLOT_LABEL])]);
    let options = ListNetworksOptionsBuilder::default()
        .filters(&labelled)
        .build();
    for network in engine.list_networks(Some(options)).await.map_err(words)? {
        items.extend(leftover(Kind::Network, network.name, network.labels));
    }
    let unused = HashMap::from([("label", vec![SLOT_LABEL]), ("dangling", vec!["true"])]);
    let options = ListVolumesOptionsBuilder::default()
        .filters(&unused)
        .build();
    let volumes = engine.list_volumes(Some(options)).await.map_err(words)?;
    for volume in volumes.volumes.unwrap_or_default() {
        let item = leftover(Kind::Volume, Some(volume.name), Some(volume.labels));
        items.extend(item.map(|item| Item {
            // Nothing where only the engine's user may look.
            bytes: measure::tree(Path::new(&volume.mountpoint)),
            ..item
        }));
    }
    for item in &mut items {
        item.place = place;
    }
    Ok(items)
}

/// The images of the book that the engine still has.
async fn images(
    engine: &Docker,
    ledger: &Ledger,
    running: &HashSet<&str>,
) -> Result<Vec<Item>, String> {
    // Tags of a name are of one image; layers that several share are counted for none of
    // them where the engine tells, because removing one would not free them.
    let options = ListImagesOptionsBuilder::default()
        .shared_size(true)
        .build();
    let known = engine.list_images(Some(options)).await.map_err(words)?;
    let now = measure::now();
    let mut items = Vec::new();
    for pulled in ledger.images() {
        let Some(image) = known.iter().find(|image| image.id == pulled.id) else {
            // Somebody removed it; the next round need not look again.
            let _ = ledger.forget(&pulled.id);
            continue;
        };
        let is_held = running.contains(pulled.id.as_str())
            || now.saturating_sub(pulled.last_used) < JUST_USED;
        items.push(Item {
            kind: Kind::Image,
            name: pulled.id,
            bytes: u64::try_from(image.size - image.shared_size.max(0)).unwrap_or_default(),
            last_used: pulled.last_used,
            state: match is_held {
                true => State::InUse,
                false => State::Idle,
            },
            place: None,
        });
    }
    Ok(items)
}

/// Removes one thing. Whether it is gone; an image stays where a container needs it or
/// somebody gave it another name.
pub(super) async fn remove(engine: &Docker, ledger: &Ledger, item: &Item) -> Result<bool, String> {
    match item.kind {
        Kind::Image => remove_image(engine, ledger, item).await,
        Kind::Container => gone(remove_container(engine, &item.name).await),
        Kind::Network => gone(remove_network(engine, &item.name).await),
        Kind::Volume => engine
            .remove_volume(&item.name, None::<RemoveVolumeOptions>)
            .await
            .map(|()| true)
            .map_err(words),
        Kind::Build | Kind::Cache | Kind::Remains => Ok(false),
    }
}

fn gone(removed: Result<(), impl std::error::Error>) -> Result<bool, String> {
    removed.map(|()| true).map_err(|error| error.to_string())
}

async fn remove_image(engine: &Docker, ledger: &Ledger, item: &Item) -> Result<bool, String> {
    let Some(pulled) = ledger.read(&item.name) else {
        return Ok(false);
    };
    if pulled.last_used != item.last_used {
        return Ok(false);
    }
    // Only the names under which it was pulled, and only as long as they mean this image.
    for reference in &pulled.references {
        let meant = engine.inspect_image(reference).await;
        if meant.is_ok_and(|image| image.id.as_deref() == Some(&pulled.id)) {
            let removed = engine.remove_image(reference, None::<RemoveImageOptions>, None);
            removed.await.map_err(words)?;
        }
    }
    match engine.inspect_image(&pulled.id).await {
        Err(_) => {}
        Ok(image) if image.repo_tags.as_ref().is_none_or(Vec::is_empty) => {
            let removed = engine.remove_image(&pulled.id, None::<RemoveImageOptions>, None);
            removed.await.map_err(words)?;
        }
        // Somebody named it, and so it is theirs now.
        Ok(_) => {
            let _ = ledger.forget(&pulled.id);
            return Ok(false);
        }
    }
    let _ = ledger.forget(&pulled.id);
    Ok(true)
}
