//! The engine's form of what a runner's configuration says about containers.

use std::collections::HashMap;

use bollard::models::{
    DeviceMapping, HostConfig, Mount, MountType, MountVolumeOptions, ResourcesUlimits,
};

use crate::docker_settings::{DockerSettings, Resources, ulimit};

/// For the job's container, or for a service's. `mounts` and `hosts` are the job's own. Its
/// volumes have names that begin so and these labels; all its containers share them.
pub(super) fn host_config(
    settings: &DockerSettings,
    is_service: bool,
    mut mounts: Vec<Mount>,
    hosts: &[String],
    (volume_names, labels): (&str, &HashMap<String, String>),
) -> HostConfig {
    let (binds, volumes): (Vec<_>, Vec<_>) = settings
        .volumes
        .iter()
        .cloned()
        .partition(|volume| volume.contains(':'));
    let volumes = volumes.into_iter().enumerate();
    mounts.extend(volumes.map(|(index, target)| {
        let name = format!("{volume_names}-{index}");
        volume(name, target, labels)
    }));
    let hosts = settings.extra_hosts.iter().chain(hosts);
    let options = &settings.options;
    let (resources, privileged) = match is_service {
        true => (
            &settings.service_resources,
            settings.services_privileged.unwrap_or(settings.privileged),
        ),
        false => (&settings.resources, settings.privileged),
    };
    HostConfig {
        mounts: Some(mounts),
        binds: Some(binds),
        privileged: Some(privileged),
        extra_hosts: Some(hosts.cloned().collect()),
        volumes_from: some(&options.volumes_from),
        cap_add: some(&options.cap_add),
        cap_drop: some(&options.cap_drop),
        security_opt: some(&options.security_opt),
        devices: some(&options.devices)
            .map(|devices| devices.iter().map(|one| device(one)).collect()),
        group_add: some(&options.group_add),
        dns: some(&options.dns),
        dns_search: some(&options.dns_search),
        tmpfs: Some(options.tmpfs.clone().into_iter().collect()),
        sysctls: Some(
            options
                .sysctls
                .clone()
                .into_iter()
                .collect::<HashMap<_, _>>(),
        )
        .filter(|sysctls| !sysctls.is_empty()),
        ulimits: Some(ulimits(settings)),
        shm_size: options.shm_size,
        userns_mode: options.userns_mode.clone(),
        runtime: options.runtime.clone(),
        cgroup_parent: options.cgroup_parent.clone(),
        oom_kill_disable: Some(options.oom_kill_disable).filter(|disable| *disable),
        oom_score_adj: options.oom_score_adjust,
        ..limited(resources)
    }
}

/// A volume at a place in a container; made with these labels where there is none yet.
pub(super) fn volume(name: String, target: String, labels: &HashMap<String, String>) -> Mount {
    Mount {
        source: Some(name),
        target: Some(target),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions {
            labels: Some(labels.clone()),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

fn limited(resources: &Resources) -> HostConfig {
    HostConfig {
        memory: resources.memory,
        memory_swap: resources.memory_swap,
        memory_reservation: resources.memory_reservation,
        nano_cpus: resources.nano_cpus,
        cpuset_cpus: resources.cpuset_cpus.clone(),
        cpu_shares: resources.cpu_shares,
        pids_limit: resources.pids,
        ..HostConfig::default()
    }
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

/// `HOST[:CONTAINER[:PERMISSIONS]]`
fn device(text: &str) -> DeviceMapping {
    let mut parts = text.splitn(3, ':');
    let host = parts.next().unwrap_or_default();
    DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(parts.next().unwrap_or(host).to_owned()),
        cgroup_permissions: Some(parts.next().unwrap_or("rwm").to_owned()),
    }
}

fn ulimits(settings: &DockerSettings) -> Vec<ResourcesUlimits> {
    let entries = settings.options.ulimits.iter();
    entries
        .filter_map(|(name, text)| {
            let (soft, hard) = ulimit(text)?;
            Some(ResourcesUlimits {
                name: Some(name.clone()),
                soft: Some(soft),
                hard: Some(hard),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_and_services_have_their_own_limits() {
        let settings = DockerSettings {
            privileged: true,
            services_privileged: Some(false),
            volumes: vec!["/a:/b:ro".into(), "/cache".into()],
            extra_hosts: vec!["x:1.2.3.4".into()],
            resources: Resources {
                memory: Some(1),
                pids: Some(10),
                ..Resources::default()
            },
            service_resources: Resources {
                memory: Some(2),
                ..Resources::default()
            },
            ..DockerSettings::default()
        };
        let hosts = ["db:10.0.0.2".to_owned()];
        let job = host_config(&settings, false, Vec::new(), &hosts, ("v", &HashMap::new()));
        assert_eq!((job.memory, job.pids_limit), (Some(1), Some(10)));
        assert_eq!(job.privileged, Some(true));
        assert_eq!(job.binds.unwrap(), ["/a:/b:ro"]);
        assert_eq!(job.mounts.unwrap()[0].target.as_deref(), Some("/cache"));
        assert_eq!(job.extra_hosts.unwrap(), ["x:1.2.3.4", "db:10.0.0.2"]);
        let service = host_config(&settings, true, Vec::new(), &[], ("v", &HashMap::new()));
        assert_eq!((service.memory, service.pids_limit), (Some(2), None));
        assert_eq!(service.privileged, Some(false));
        assert_eq!((service.cap_add, service.devices), (None, None));
    }

    #[test]
    fn devices_and_limits_have_short_forms() {
        let texts = |device: DeviceMapping| {
            [
                device.path_on_host.unwrap(),
                device.path_in_container.unwrap(),
                device.cgroup_permissions.unwrap(),
            ]
        };
        assert_eq!(texts(device("/dev/kvm")), ["/dev/kvm", "/dev/kvm", "rwm"]);
        assert_eq!(texts(device("/a:/b:r")), ["/a", "/b", "r"]);
        let mut settings = DockerSettings::default();
        settings.options.ulimits = [("nofile".to_owned(), "5".to_owned())].into();
        let found = ulimits(&settings).remove(0);
        assert_eq!((found.soft, found.hard), (Some(5), Some(5)));
    }
}
