//! `[runners.docker]` of `config.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::settings::OneOrMany;
use crate::docker_settings::{Allowed, ContainerOptions, DockerSettings, Resources, ulimit};

/// The table as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DockerTable {
    /// The engine; else `DOCKER_HOST`.
    pub host: Option<String>,
    /// The certificates for an engine that wants TLS.
    pub tls_cert_path: Option<PathBuf>,
    /// The image of jobs that name none.
    pub image: Option<String>,
    /// Tried in order.
    pub pull_policy: OneOrMany,
    /// What jobs may ask for.
    pub allowed_pull_policies: OneOrMany,
    /// Containers own the machine.
    pub privileged: bool,
    services_privileged: Option<bool>,
    volumes: Vec<String>,
    volumes_from: Vec<String>,
    network_mode: Option<String>,
    extra_hosts: Vec<String>,
    dns: Vec<String>,
    dns_search: Vec<String>,
    /// Seconds; 0 is 30, -1 does not wait.
    wait_for_services_timeout: i64,
    user: Option<String>,
    group_add: Vec<String>,
    userns_mode: Option<String>,
    cap_add: Vec<String>,
    cap_drop: Vec<String>,
    security_opt: Vec<String>,
    devices: Vec<String>,
    runtime: Option<String>,
    hostname: Option<String>,
    cgroup_parent: Option<String>,
    memory: Option<String>,
    memory_swap: Option<String>,
    memory_reservation: Option<String>,
    cpus: Option<String>,
    cpuset_cpus: Option<String>,
    cpu_shares: Option<i64>,
    /// Ours: processes and threads of one container.
    pids_limit: Option<i64>,
    service_memory: Option<String>,
    service_memory_swap: Option<String>,
    service_memory_reservation: Option<String>,
    service_cpus: Option<String>,
    service_cpuset_cpus: Option<String>,
    service_cpu_shares: Option<i64>,
    shm_size: Option<i64>,
    tmpfs: BTreeMap<String, String>,
    ulimit: BTreeMap<String, String>,
    sysctls: BTreeMap<String, String>,
    container_labels: BTreeMap<String, String>,
    oom_kill_disable: bool,
    oom_score_adjust: Option<i64>,
    disable_entrypoint_overwrite: bool,
    allowed_images: Vec<String>,
    allowed_services: Vec<String>,
    allowed_users: Vec<String>,
    services_limit: Option<i64>,
    #[serde(flatten)]
    unknown: BTreeMap<String, IgnoredAny>,
}

impl DockerTable {
    /// The keys nothing acts on.
    pub(super) fn unknown_keys(&self) -> impl Iterator<Item = &String> {
        self.unknown.keys()
    }

    /// What containers get.
    ///
    /// # Errors
    /// The key and the text of a value that cannot be read.
    pub(super) fn settings(&self) -> Result<DockerSettings, String> {
        let size = |key: &str, text: &Option<String>| read(key, text, parse_size, "`512m` or `2g`");
        let cpus = |key: &str, text: &Option<String>| read(key, text, parse_cpus, "`2` or `0.5`");
        // -1 is no limit.
        let swap = |key: &str, text: &Option<String>| match text.as_deref().map(str::trim) {
            Some("-1") => Ok(Some(-1)),
            _ => size(key, text),
        };
        for (key, entry) in &self.ulimit {
            if ulimit(entry).is_none() {
                return Err(format!(
                    "`ulimit.{key}` is `{entry}`; write it as `1024:2048`"
                ));
            }
        }
        Ok(DockerSettings {
            privileged: self.privileged,
            services_privileged: self.services_privileged,
            volumes: self.volumes.clone(),
            network_mode: self.network_mode.clone(),
            extra_hosts: self.extra_hosts.clone(),
            wait_for_services: match self.wait_for_services_timeout {
                0 => DockerSettings::default().wait_for_services,
                seconds => u64::try_from(seconds).ok().map(Duration::from_secs),
            },
            resources: Resources {
                memory: size("memory", &self.memory)?,
                memory_swap: swap("memory_swap", &self.memory_swap)?,
                memory_reservation: size("memory_reservation", &self.memory_reservation)?,
                nano_cpus: cpus("cpus", &self.cpus)?,
                cpuset_cpus: self.cpuset_cpus.clone(),
                cpu_shares: self.cpu_shares,
                pids: self.pids_limit,
            },
            service_resources: Resources {
                memory: size("service_memory", &self.service_memory)?,
                memory_swap: swap("service_memory_swap", &self.service_memory_swap)?,
                memory_reservation: size(
                    "service_memory_reservation",
                    &self.service_memory_reservation,
                )?,
                nano_cpus: cpus("service_cpus", &self.service_cpus)?,
                cpuset_cpus: self.service_cpuset_cpus.clone(),
                cpu_shares: self.service_cpu_shares,
                pids: self.pids_limit,
            },
            options: ContainerOptions {
                user: self.user.clone(),
                disable_entrypoint_overwrite: self.disable_entrypoint_overwrite,
                cap_add: self.cap_add.clone(),
                cap_drop: self.cap_drop.clone(),
                security_opt: self.security_opt.clone(),
                devices: self.devices.clone(),
                group_add: self.group_add.clone(),
                dns: self.dns.clone(),
                dns_search: self.dns_search.clone(),
                tmpfs: self.tmpfs.clone(),
                sysctls: self.sysctls.clone(),
                ulimits: self.ulimit.clone(),
                labels: self.container_labels.clone(),
                shm_size: self.shm_size.filter(|bytes| *bytes > 0),
                hostname: self.hostname.clone(),
                userns_mode: self.userns_mode.clone(),
                runtime: self.runtime.clone(),
                volumes_from: self.volumes_from.clone(),
                cgroup_parent: self.cgroup_parent.clone(),
                oom_kill_disable: self.oom_kill_disable,
                oom_score_adjust: self.oom_score_adjust,
            },
            allowed: Allowed {
                images: self.allowed_images.clone(),
                services: self.allowed_services.clone(),
                users: self.allowed_users.clone(),
                services_limit: self.services_limit,
            },
        })
    }
}

fn read(
    key: &str,
    text: &Option<String>,
    parse: fn(&str) -> Option<i64>,
    example: &str,
) -> Result<Option<i64>, String> {
    let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match parse(text) {
        Some(value) => Ok(Some(value)),
        None => Err(format!("`{key}` is `{text}`; write it as {example}")),
    }
}

/// Reads `512m`, `1.5g`, `64KiB` or plain bytes, as Docker does: units are powers of 1024.
fn parse_size(text: &str) -> Option<i64> {
    let text = text.trim().to_lowercase();
    let split = text.find(|character: char| character.is_ascii_alphabetic());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let power = match unit {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    let bytes = number * 1024_f64.powi(power);
    (number.is_finite() && number >= 0.0 && bytes < 9e18).then_some(bytes as i64)
}

/// Reads a number of processors, `2` or `0.5`, as billionths.
fn parse_cpus(text: &str) -> Option<i64> {
    let number: f64 = text.trim().parse().ok()?;
    let nano = number * 1e9;
    (number.is_finite() && number > 0.0 && nano < 9e18).then_some(nano as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<DockerSettings, String> {
        let table: DockerTable = toml_edit::de::from_str(text).unwrap();
        assert_eq!(table.unknown_keys().count(), 0, "{text}");
        table.settings()
    }

    #[test]
    fn the_table_is_read() {
        assert_eq!(settings(""), Ok(DockerSettings::default()));
        let found = settings(
            "memory = '512m'\nmemory_swap = '-1'\ncpus = '0.5'\npids_limit = 100\n\
             service_memory = '1g'\nwait_for_services_timeout = -1\nshm_size = 300000\n\
             allowed_images = ['ruby:*']\nservices_limit = 2\n[ulimit]\nnofile = '1024:2048'\n\
             [tmpfs]\n'/run' = 'rw'\n",
        )
        .unwrap();
        assert_eq!(found.resources.memory, Some(512 << 20));
        assert_eq!(found.resources.memory_swap, Some(-1));
        assert_eq!(found.resources.nano_cpus, Some(500_000_000));
        assert_eq!(found.service_resources.memory, Some(1 << 30));
        assert_eq!(found.service_resources.pids, Some(100));
        assert_eq!(found.wait_for_services, None);
        assert_eq!(found.options.shm_size, Some(300_000));
        assert_eq!(found.allowed.services_limit, Some(2));
        assert_eq!(found.options.tmpfs["/run"], "rw");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, fault) in [
            (
                "memory = 'much'",
                "`memory` is `much`; write it as `512m` or `2g`",
            ),
            (
                "service_cpus = '0'",
                "`service_cpus` is `0`; write it as `2` or `0.5`",
            ),
            (
                "ulimit = {nofile = 'x'}",
                "`ulimit.nofile` is `x`; write it as `1024:2048`",
            ),
        ] {
            assert_eq!(settings(text), Err(fault.to_owned()));
        }
    }

    #[test]
    fn sizes_are_dockers() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("512m", Some(512 << 20)),
            ("1.5g", Some(3 << 29)),
            ("64 KiB", Some(65536)),
            ("2T", Some(2 << 40)),
            ("-1", None),
            ("much", None),
            ("1x", None),
            ("inf", None),
            ("", None),
            ("9999999999t", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn processors_may_be_shared() {
        for (text, nano) in [
            ("2", Some(2_000_000_000)),
            ("0.5", Some(500_000_000)),
            ("0", None),
            ("-1", None),
            ("all", None),
            ("inf", None),
        ] {
            assert_eq!(parse_cpus(text), nano, "{text}");
        }
    }
}
