//! What all containers of a job have in common: labels, mounts, network, rights.

use std::collections::HashMap;
use std::path::Path;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use shipway_protocol::JobPayload;

use super::engine::{DockerError, SLOT_LABEL, remove_volume};
use super::host_config::{host_config, volume};
use super::images::words;
use super::network::JobNetwork;
use super::random_word;
use crate::directory::JobDirectory;
use crate::docker_settings::DockerSettings;
use crate::executor::JobPaths;

/// GitLab's own prefix; tools look for these labels.
const LABEL_PREFIX: &str = "com.gitlab.gitlab-runner";

/// Makes the containers of one job.
pub(super) struct Containers<'a> {
    settings: &'a DockerSettings,
    payload: &'a JobPayload,
    /// The label of all that is made, by which a later runner finds what this one left.
    slot: String,
    files: Files,
    /// How the names of the job's volumes begin.
    volumes: String,
    /// The job's container has a first process that reaps those whose parents are gone.
    init: bool,
    /// Where they are connected.
    pub(super) network: JobNetwork,
    /// `NAME:ADDRESS` beside those of the configuration.
    pub(super) hosts: Vec<String>,
}

/// How containers come to the job's files.
pub(super) enum Files {
    /// They are directories of the engine's machine.
    Mounted(Vec<Mount>),
    /// They are in volumes that everything is copied to.
    Copied(JobPaths),
}

impl Files {
    /// This machine's directories. `git_objects` is mounted read-only.
    pub(super) fn mounted(
        paths: &JobPaths,
        directory: &JobDirectory,
        git_objects: Option<&Path>,
    ) -> Self {
        let mut mounts = vec![
            mount(&directory.project, &paths.project, false),
            mount(&directory.temporary, &paths.temporary, false),
        ];
        if let Some(objects) = git_objects {
            mounts.push(mount(objects, &objects.to_string_lossy(), true));
        }
        Self::Mounted(mounts)
    }
}

/// One container to be made.
pub(super) struct NewContainer<'a> {
    /// `build`, `service` or `reclaim`, for its label.
    pub(super) kind: &'a str,
    /// Its image as the job names it.
    pub(super) image: &'a str,
    /// `linux/arm64` and the like; empty is the engine's own.
    pub(super) platform: &'a str,
    /// Its names in the job's network.
    pub(super) aliases: Vec<String>,
    /// The rest.
    pub(super) body: ContainerCreateBody,
}

impl<'a> Containers<'a> {
    /// For a job with these files in the slot of this label.
    pub(super) fn new(
        settings: &'a DockerSettings,
        payload: &'a JobPayload,
        slot: String,
        files: Files,
        init: bool,
    ) -> Self {
        Self {
            settings,
            payload,
            slot,
            files,
            volumes: format!("shipway-{}-{}", payload.id, random_word()),
            init,
            network: JobNetwork::Default,
            hosts: Vec::new(),
        }
    }

    /// The label of everything that is made.
    pub(super) fn slot(&self) -> &str {
        &self.slot
    }

    /// What everything made for the job is marked with.
    pub(super) fn labels(&self, kind: &str) -> HashMap<String, String> {
        let info = &self.payload.job_info;
        HashMap::from([
            (SLOT_LABEL.to_owned(), self.slot.clone()),
            label("managed", "true"),
            label("type", kind),
            label("job.id", &self.payload.id.to_string()),
            label("project.id", &info.project_id.to_string()),
            label("pipeline.id", &info.pipeline_id.to_string()),
        ])
    }

    /// Removes the job's volumes; no container may be left that has them.
    pub(super) async fn remove_volumes(&self, engine: &Docker) -> Result<(), DockerError> {
        let plain = self.settings.volumes.iter();
        let plain = plain.filter(|volume| !volume.contains(':')).count();
        for index in 0..plain {
            let name = format!("{}-{index}", self.volumes);
            remove_volume(engine, &name).await?;
        }
        if let Files::Copied(paths) = &self.files {
            for (name, _) in self.file_volumes(paths) {
                remove_volume(engine, &name).await?;
            }
        }
        Ok(())
    }

    /// The volumes of files that are copied, by name and place.
    fn file_volumes<'p>(&self, paths: &'p JobPaths) -> [(String, &'p str); 2] {
        [
            (format!("{}-project", self.volumes), &paths.project),
            (format!("{}-temporary", self.volumes), &paths.temporary),
        ]
    }

    fn mounts(&self, labels: &HashMap<String, String>) -> Vec<Mount> {
        match &self.files {
            Files::Mounted(mounts) => mounts.clone(),
            Files::Copied(paths) => (self.file_volumes(paths).into_iter())
                .map(|(name, place)| volume(name, place.to_owned(), labels))
                .collect(),
        }
    }

    /// Makes a container; returns its id.
    pub(super) async fn create(
        &self,
        engine: &Docker,
        new: NewContainer<'_>,
    ) -> Result<String, DockerError> {
        let mut body = new.body;
        let mut labels = self.labels(new.kind);
        let of_volumes = labels.clone();
        labels.extend(self.settings.options.labels.clone());
        body.labels = Some(labels);
        let is_service = new.kind == "service";
        if !is_service {
            body.hostname.clone_from(&self.settings.options.hostname);
        }
        body.host_config = Some(HostConfig {
            network_mode: self.network.mode().map(str::to_owned),
            init: (self.init && !is_service).then_some(true),
            ..host_config(
                self.settings,
                is_service,
                self.mounts(&of_volumes),
                &self.hosts,
                (&self.volumes, &of_volumes),
            )
        });
        body.networking_config = self.network.endpoint(new.aliases);
        let mut options = CreateContainerOptionsBuilder::default();
        if !new.platform.is_empty() {
            options = options.platform(new.platform);
        }
        let created = engine.create_container(Some(options.build()), body).await;
        let created = created.map_err(|error| DockerError::Create {
            image: new.image.to_owned(),
            reason: words(error),
        })?;
        Ok(created.id)
    }
}

/// A mount of a directory; unlike a bind's text it may have a colon in its path.
fn mount(host: &Path, container: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(host.display().to_string()),
        target: Some(container.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

fn label(name: &str, value: &str) -> (String, String) {
    (format!("{LABEL_PREFIX}.{name}"), value.to_owned())
}
