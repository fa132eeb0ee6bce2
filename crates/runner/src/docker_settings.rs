//! What the containers of jobs get beside what the job asks for.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The part of a runner's configuration that is about containers; the keys of
/// `[runners.docker]` (`runner-protocol.md` H.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// All capabilities and devices of the machine; such a job owns the machine.
    pub privileged: bool,
    /// The same for services; as for jobs where nothing is said.
    pub services_privileged: Option<bool>,
    /// `HOST:CONTAINER[:OPTIONS]` mounts that directory, `CONTAINER` alone an empty volume that
    /// the job's containers share.
    pub volumes: Vec<String>,
    /// As in `docker run --network`.
    pub network_mode: Option<String>,
    /// `NAME:ADDRESS`.
    pub extra_hosts: Vec<String>,
    /// How long services may take to come up before the job goes on without them; `None` does
    /// not wait.
    pub wait_for_services: Option<Duration>,
    /// What the job's container may take.
    pub resources: Resources,
    /// What each service may take.
    pub service_resources: Resources,
    /// How containers are made.
    pub options: ContainerOptions,
    /// What jobs may ask for.
    pub allowed: Allowed,
}

impl Default for DockerSettings {
    fn default() -> Self {
        Self {
            privileged: false,
            services_privileged: None,
            volumes: Vec::new(),
            network_mode: None,
            extra_hosts: Vec::new(),
            wait_for_services: Some(Duration::from_secs(30)),
            resources: Resources::default(),
            service_resources: Resources::default(),
            options: ContainerOptions::default(),
            allowed: Allowed::default(),
        }
    }
}

/// Limits of one container; none where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// Bytes.
    pub memory: Option<i64>,
    /// Bytes of memory and swap together; -1 is no limit.
    pub memory_swap: Option<i64>,
    /// Bytes that the machine keeps for it when memory is short.
    pub memory_reservation: Option<i64>,
    /// Processors, in billionths.
    pub nano_cpus: Option<i64>,
    /// `0-3,5`.
    pub cpuset_cpus: Option<String>,
    /// A weight; 1024 is usual.
    pub cpu_shares: Option<i64>,
    /// Processes and threads.
    pub pids: Option<i64>,
}

/// How containers are made; the engine's own choice where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerOptions {
    /// Wins over the user that a job's image names.
    pub user: Option<String>,
    /// An image's entrypoint cannot be replaced.
    pub disable_entrypoint_overwrite: bool,
    /// Capabilities beside the engine's.
    pub cap_add: Vec<String>,
    /// Capabilities that are taken away.
    pub cap_drop: Vec<String>,
    /// `no-new-privileges` and the like.
    pub security_opt: Vec<String>,
    /// `HOST[:CONTAINER[:PERMISSIONS]]`.
    pub devices: Vec<String>,
    /// More groups of the user.
    pub group_add: Vec<String>,
    /// Name servers.
    pub dns: Vec<String>,
    /// Domains that names are looked up in.
    pub dns_search: Vec<String>,
    /// File systems in memory: the path and its options.
    pub tmpfs: BTreeMap<String, String>,
    /// Kernel parameters of the container.
    pub sysctls: BTreeMap<String, String>,
    /// `nofile` and the like: `SOFT[:HARD]`.
    pub ulimits: BTreeMap<String, String>,
    /// More labels of the containers.
    pub labels: BTreeMap<String, String>,
    /// Bytes of `/dev/shm`.
    pub shm_size: Option<i64>,
    /// The host name.
    pub hostname: Option<String>,
    /// `host` for the machine's own users.
    pub userns_mode: Option<String>,
    /// The OCI runtime.
    pub runtime: Option<String>,
    /// Containers whose volumes are mounted too.
    pub volumes_from: Vec<String>,
    /// The control group that containers are put under.
    pub cgroup_parent: Option<String>,
    /// The kernel does not end it when memory is short.
    pub oom_kill_disable: bool,
    /// How willingly the kernel does, from -1000 to 1000.
    pub oom_score_adjust: Option<i64>,
}

/// What jobs may ask for; everything where a list is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Globs of images.
    pub images: Vec<String>,
    /// Globs of services' images.
    pub services: Vec<String>,
    /// Users that a job's image may name.
    pub users: Vec<String>,
    /// Services of one job; -1 and none are as many as there are.
    pub services_limit: Option<i64>,
}

/// Where the environment says that the certificates for the engine are: `DOCKER_CERT_PATH`, or
/// Docker's own directory, where `DOCKER_TLS_VERIFY` or `DOCKER_TLS` asks for TLS.
pub fn docker_certificates(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    given("DOCKER_TLS_VERIFY").or_else(|| given("DOCKER_TLS"))?;
    let own = || Some(PathBuf::from(given("HOME")?).join(".docker"));
    given("DOCKER_CERT_PATH").map(PathBuf::from).or_else(own)
}

/// Reads `SOFT[:HARD]`; one number is both.
pub(crate) fn ulimit(text: &str) -> Option<(i64, i64)> {
    let (soft, hard) = text.split_once(':').unwrap_or((text, text));
    Some((soft.trim().parse().ok()?, hard.trim().parse().ok()?))
}
