//! Whether a service is up: its image's own check, else a port that takes connections.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{HealthConfig, NetworkSettings};
use futures_util::StreamExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::names::is_listening;

/// Between two looks, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// For a connection to a container of this machine.
const CONNECT: Duration = Duration::from_millis(300);
/// For one run of a check that says nothing of it, as the engine's.
const CHECK: Duration = Duration::from_secs(30);
/// Of what a check prints.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// How a service shows that it is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// By nothing: it counts as up.
    None,
    /// A command in its container succeeds.
    Command(Vec<String>, Duration),
    /// One of these ports takes connections.
    Ports(Vec<u16>),
}

impl Check {
    /// The check of an image. Its command is run here and not left to the engine, whose first
    /// look comes only after the interval, half a minute by default. `ports` are those of which
    /// one is enough.
    pub(super) fn new(
        health: Option<&HealthConfig>,
        shell: Option<&[String]>,
        ports: Vec<u16>,
    ) -> Self {
        let test = health
            .and_then(|health| health.test.as_deref())
            .unwrap_or_default();
        let limit = health
            .and_then(|health| u64::try_from(health.timeout?).ok())
            .filter(|nanoseconds| *nanoseconds > 0)
            .map_or(CHECK, Duration::from_nanos);
        match test.split_first() {
            Some((kind, command)) if kind == "CMD" && !command.is_empty() => {
                Self::Command(command.to_vec(), limit)
            }
            Some((kind, command)) if kind == "CMD-SHELL" && !command.is_empty() => {
                let default = ["/bin/sh", "-c"].map(str::to_owned);
                let shell = shell.filter(|shell| !shell.is_empty()).unwrap_or(&default);
                Self::Command([shell, command].concat(), limit)
            }
            _ if ports.is_empty() => Self::None,
            _ => Self::Ports(ports),
        }
    }
}

/// Why a service does not count as up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotReady {
    /// Its container is not running any more.
    #[error("the service ended with exit code {0}")]
    Ended(i64),
    /// Time is over.
    #[error("timeout: {0}")]
    Timeout(String),
    /// The engine does not answer.
    #[error("the engine says: {0}")]
    Engine(String),
}

/// Waits until a service is up.
pub(super) async fn wait(
    engine: &Docker,
    id: &str,
    check: &Check,
    deadline: Instant,
) -> Result<(), NotReady> {
    let mut pause = FIRST_PAUSE;
    loop {
        let address = running(engine, id).await?;
        let trouble = match check {
            Check::None => return Ok(()),
            Check::Command(command, limit) => {
                let run = execute(engine, id, command);
                match timeout(*limit, run).await {
                    Ok(Ok((0, _))) => return Ok(()),
                    Ok(Ok((code, text))) => {
                        let text = String::from_utf8_lossy(&text);
                        format!("its health check ended with {code}: {}", text.trim())
                    }
                    Ok(Err(error)) => format!("its health check does not run: {error}"),
                    Err(_) => format!("its health check took over {} s", limit.as_secs()),
                }
            }
            Check::Ports(ports) => {
                if accepts(address, ports).await || listens(engine, id, ports).await {
                    return Ok(());
                }
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                format!("no connection to port {}", ports.join(", "))
            }
        };
        if Instant::now() + pause > deadline {
            return Err(NotReady::Timeout(trouble));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The address of a container, if the engine knows one; an error where it does not run.
async fn running(engine: &Docker, id: &str) -> Result<Option<IpAddr>, NotReady> {
    let found = engine.inspect_container(id, None).await;
    let found = found.map_err(|error| NotReady::Engine(super::words(error)))?;
    let state = found.state.unwrap_or_default();
    if state.running != Some(true) {
        return Err(NotReady::Ended(state.exit_code.unwrap_or_default()));
    }
    Ok(address(found.network_settings))
}

/// The address of a container on the first of its networks that has one.
pub(super) fn address(settings: Option<NetworkSettings>) -> Option<IpAddr> {
    let networks = settings?.networks?;
    networks
        .into_values()
        .find_map(|network| network.ip_address?.parse().ok())
}

/// Whether a port takes a connection from here. Where the engine's networks are not routed to
/// this process, none does.
async fn accepts(address: Option<IpAddr>, ports: &[u16]) -> bool {
    let Some(address) = address else { return false };
    let tries = ports.iter().map(|port| {
        let connect = TcpStream::connect(SocketAddr::new(address, *port));
        async { matches!(timeout(CONNECT, connect).await, Ok(Ok(_))) }
    });
    let tries = futures_util::future::join_all(tries).await;
    tries.into_iter().any(|accepted| accepted)
}

/// Whether a port is listened on, by what the container itself sees; images without `cat`
/// cannot tell.
async fn listens(engine: &Docker, id: &str, ports: &[u16]) -> bool {
    let command = ["cat", "/proc/net/tcp", "/proc/net/tcp6"].map(str::to_owned);
    match timeout(CHECK, execute(engine, id, &command)).await {
        // Without IPv6 the second file is missing, and the code is not 0.
        Ok(Ok((_, table))) => is_listening(&String::from_utf8_lossy(&table), ports),
        _ => false,
    }
}

/// Runs a command in a container; its exit code and what it prints.
async fn execute(engine: &Docker, id: &str, command: &[String]) -> Result<(i64, Vec<u8>), String> {
    let exec = CreateExecOptions {
        cmd: Some(command.to_vec()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..CreateExecOptions::default()
    };
    let created = engine.create_exec(id, exec).await.map_err(super::words)?;
    let started = engine.start_exec(&created.id, None).await;
    let mut text = Vec::new();
    if let StartExecResults::Attached { mut output, .. } = started.map_err(super::words)? {
        while let Some(Ok(part)) = output.next().await {
            let part = part.into_bytes();
            let room = OUTPUT_LIMIT.saturating_sub(text.len());
            text.extend_from_slice(&part[..part.len().min(room)]);
        }
    }
    let ended = engine
        .inspect_exec(&created.id)
        .await
        .map_err(super::words)?;
    Ok((ended.exit_code.unwrap_or(-1), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_own_check_comes_before_its_ports() {
        let health = |test: &[&str], timeout: Option<i64>| HealthConfig {
            test: Some(test.iter().map(|word| (*word).to_owned()).collect()),
            timeout,
            ..HealthConfig::default()
        };
        let command = |words: &[&str], limit| {
            Check::Command(words.iter().map(|word| (*word).to_owned()).collect(), limit)
        };
        let bash = ["/bin/bash", "-lc"].map(str::to_owned);
        for (health, shell, ports, expected) in [
            (None, None, vec![], Check::None),
            (None, None, vec![80], Check::Ports(vec![80])),
            (
                Some(health(&["NONE"], None)),
                None,
                vec![80],
                Check::Ports(vec![80]),
            ),
            (Some(health(&[], None)), None, vec![], Check::None),
            (
                Some(health(&["CMD", "pg_isready", "-q"], Some(2_000_000_000))),
                None,
                vec![5432],
                command(&["pg_isready", "-q"], Duration::from_secs(2)),
            ),
            (
                Some(health(&["CMD-SHELL", "redis-cli ping"], Some(0))),
                None,
                vec![],
                command(&["/bin/sh", "-c", "redis-cli ping"], CHECK),
            ),
            (
                Some(health(&["CMD-SHELL", "x"], None)),
                Some(&bash[..]),
                vec![],
                command(&["/bin/bash", "-lc", "x"], CHECK),
            ),
        ] {
            assert_eq!(Check::new(health.as_ref(), shell, ports), expected);
        }
    }
}
