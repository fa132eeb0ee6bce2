//! The processes a shell job starts, found again wherever they went.
//!
//! A signal to the process group misses what called `setsid`. So this process adopts every
//! orphan below it (it is a *child subreaper*), and after each stage looks through its
//! children for the job's: by the session the shell led, or by the marker variable that
//! every process of the job inherits. Several jobs run in this process at the same time, so
//! a process without any of these is only taken for the job's own when it started after the
//! job did and no other job runs.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getsid};

use super::start::{Shell, Start};

/// Marks the processes of one job; its value starts with the slot's directory.
pub(crate) const MARKER: &str = "SHIPWAY_JOB_MARKER";

/// How often a sweep looks again before it gives up on processes that will not die.
const SWEEPS: u32 = 60;
/// How often it looks again at a process of which it cannot be said whose it is.
const UNDECIDED_ROUNDS: u32 = 5;
/// How often a list of children is read until two answers agree.
const STABLE_READS: u32 = 10;
/// Between two looks; grows to twenty times as much.
const SWEEP_PAUSE: Duration = Duration::from_millis(1);

/// What this process knows about its shells. Also serialises starting a shell with looking
/// for leftovers: between fork and exec a shell of another job looks like an orphan.
static LIVE: Mutex<Live> = Mutex::new(Live {
    jobs: 0,
    shells: None,
});
static NEXT_JOB: AtomicU64 = AtomicU64::new(0);
static SUBREAPER: Once = Once::new();

struct Live {
    /// Jobs that may have processes.
    jobs: usize,
    /// Shells that somebody waits for.
    shells: Option<HashSet<i32>>,
}

fn live() -> MutexGuard<'static, Live> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The processes of one job.
#[derive(Debug)]
pub(crate) struct JobProcesses {
    marker: String,
    started: Mutex<Started>,
}

/// The shells a job started.
#[derive(Debug, Default)]
struct Started {
    /// Sessions in which something may still run.
    sessions: HashSet<i32>,
    /// When the first shell started, in clock ticks since the machine did.
    first: Option<u64>,
}

impl JobProcesses {
    /// For the job in this slot directory.
    pub(crate) fn new(slot_directory: &Path) -> Self {
        SUBREAPER.call_once(adopt_orphans);
        live().jobs += 1;
        let number = NEXT_JOB.fetch_add(1, Ordering::Relaxed);
        Self {
            marker: format!(
                "{}:{}-{number}",
                slot_directory.display(),
                std::process::id()
            ),
            started: Mutex::default(),
        }
    }

    /// The marker's value.
    pub(crate) fn marker(&self) -> &str {
        &self.marker
    }

    /// Starts a shell that leads a session, and remembers it.
    pub(crate) fn start(&self, start: Start<'_>) -> std::io::Result<Shell> {
        let mut live = live();
        let shell = Shell::start(start)?;
        let id = shell.pid().as_raw();
        live.shells.get_or_insert_default().insert(id);
        let mut started = self.started();
        started.sessions.insert(id);
        if started.first.is_none() {
            started.first = Process::read(id).map(|shell| shell.start);
        }
        Ok(shell)
    }

    /// The shell was waited for.
    pub(crate) fn ended(&self, shell: Pid) {
        if let Some(shells) = live().shells.as_mut() {
            shells.remove(&shell.as_raw());
        }
    }

    fn started(&self) -> MutexGuard<'_, Started> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills and reaps whatever the job left; returns what could not be killed.
    pub(crate) async fn sweep(&self) -> Vec<i32> {
        let mut left = Vec::new();
        for round in 0..SWEEPS {
            let look = self.kill_once();
            left = look.killed;
            let decided = !look.undecided || round >= UNDECIDED_ROUNDS;
            if left.is_empty() && !look.ended && decided {
                // Nothing is left in them, and their numbers may be given out again.
                self.started().sessions.clear();
                break;
            }
            tokio::time::sleep(SWEEP_PAUSE * (round + 1).min(20)).await;
        }
        left
    }

    /// One look: kills what is the job's and returns it.
    fn kill_once(&self) -> Look {
        let live = live();
        let alone = live.jobs == 1;
        let own_session = getsid(None).map_or(0, Pid::as_raw);
        let mut look = Look::default();
        for pid in orphans_of_this_process() {
            if live
                .shells
                .as_ref()
                .is_some_and(|shells| shells.contains(&pid))
            {
                continue;
            }
            let Some(process) = Process::read(pid) else {
                look.ended = true;
                continue;
            };
            // What is in our session was started by other parts of this program.
            if process.session == own_session {
                continue;
            }
            if process.is_zombie {
                let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
                look.ended = true;
                continue;
            }
            match self.owns(&process, alone) {
                Some(true) => {
                    for pid in with_descendants(pid) {
                        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                        look.killed.push(pid);
                    }
                }
                Some(false) => {}
                None => look.undecided = true,
            }
        }
        look
    }

    /// Whether the process is the job's; `None` when it has no environment, as while it
    /// becomes another program.
    fn owns(&self, process: &Process, alone: bool) -> Option<bool> {
        let started = self.started();
        if started.sessions.contains(&process.session) {
            return Some(true);
        }
        let is_alone = alone && started.first.is_some_and(|first| process.start >= first);
        match marker_of(process.pid) {
            Some(marker) => Some(marker == self.marker),
            None if is_alone => Some(true),
            None if environment_of(process.pid).is_empty() => None,
            None => Some(false),
        }
    }
}

/// What one look for leftovers came to.
#[derive(Debug, Default)]
struct Look {
    killed: Vec<i32>,
    /// A process ended between the list and the look at it. What it had started may have come
    /// to this process meanwhile and is not in the list.
    ended: bool,
    /// There is a process of which it cannot be said yet whose it is.
    undecided: bool,
}

impl Drop for JobProcesses {
    fn drop(&mut self) {
        // Usually finds nothing; it matters when a job was given up half-way.
        let mut shells: Vec<i32> = self.started().sessions.iter().copied().collect();
        let mut live = live();
        live.jobs = live.jobs.saturating_sub(1);
        let running = live.shells.get_or_insert_default();
        shells.retain(|shell| running.remove(shell));
        for shell in shells {
            let _ = nix::sys::signal::killpg(Pid::from_raw(shell), Signal::SIGKILL);
        }
    }
}

/// Kills the processes that a runner which died left in this slot, wherever they are now.
/// Returns how many it found.
pub(crate) fn end_abandoned(slot_directory: &Path) -> usize {
    let prefix = format!("{}:", slot_directory.display());
    let processes: Vec<i32> = all_processes()
        .filter(|pid| marker_of(*pid).is_some_and(|marker| marker.starts_with(&prefix)))
        .collect();
    for pid in &processes {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    processes.len()
}

fn adopt_orphans() {
    // Where the system has no such thing, what left its session escapes; see `killpg`.
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_child_subreaper(true) {
        tracing::warn!(%error, "orphans of jobs cannot be adopted; daemons may stay behind");
    }
}

/// What `/proc/PID/stat` says.
struct Process {
    pid: i32,
    parent: i32,
    session: i32,
    is_zombie: bool,
    /// Clock ticks between the machine's start and its own.
    start: u64,
}

impl Process {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The fields after the command's name, which may itself hold anything but ends with the
    /// last parenthesis.
    fn parse(pid: i32, stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(stat.get(name_end + 2..)?).ok()?;
        let mut fields = rest.split(' ');
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        let start = fields.nth(15)?.parse().ok()?;
        Some(Self {
            pid,
            parent,
            session,
            is_zombie: matches!(state, "Z" | "X"),
            start,
        })
    }
}

fn environment_of(pid: i32) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

fn marker_of(pid: i32) -> Option<String> {
    environment_of(pid)
        .split(|byte| *byte == 0)
        .find_map(|entry| {
            let value = entry.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=")?;
            Some(String::from_utf8_lossy(value).into_owned())
        })
}

/// What jobs may have left. The first thread of the process adopts orphans, and the children
/// of the threads that started the shells, which end at once; other threads have only those
/// that they wait for themselves.
fn orphans_of_this_process() -> Vec<i32> {
    let pid = std::process::id() as i32;
    let list = || std::fs::read_to_string(format!("/proc/self/task/{pid}/children"));
    let Ok(mut last) = list() else {
        return children_of(pid);
    };
    // The kernel may leave one out while another ends, so two answers have to agree.
    for _ in 0..STABLE_READS {
        match list() {
            Ok(again) if again != last => last = again,
            _ => break,
        }
    }
    numbers(&last).collect()
}

fn numbers(list: &str) -> impl Iterator<Item = i32> {
    list.split_ascii_whitespace()
        .filter_map(|number| number.parse().ok())
}

/// The children of all threads of a process; by a look at every process where the kernel
/// does not list them.
fn children_of(pid: i32) -> Vec<i32> {
    let mut children = Vec::new();
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return children;
    };
    for thread in threads.flatten() {
        match std::fs::read_to_string(thread.path().join("children")) {
            Ok(list) => children.extend(numbers(&list)),
            Err(_) if !thread.path().exists() => {}
            Err(_) => return children_by_parent(pid),
        }
    }
    children
}

fn children_by_parent(pid: i32) -> Vec<i32> {
    all_processes()
        .filter_map(Process::read)
        .filter(|process| process.parent == pid)
        .map(|process| process.pid)
        .collect()
}

fn all_processes() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A process and all below it, parents first.
fn with_descendants(pid: i32) -> Vec<i32> {
    let mut found = vec![pid];
    let mut seen = HashSet::from([pid]);
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        for child in children_of(parent) {
            if seen.insert(child) {
                found.push(child);
            }
        }
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_anything() {
        let rest = "6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 99 22";
        let stat = format!("7 (a) Z 1 (x)) S 3 4 5 {rest}");
        let process = Process::parse(7, stat.as_bytes()).unwrap();
        assert_eq!((process.parent, process.session, process.start), (3, 5, 99));
        assert!(!process.is_zombie);
        let stat = format!("7 (a) Z 3 4 5 {rest}");
        assert!(Process::parse(7, stat.as_bytes()).unwrap().is_zombie);
        assert!(Process::parse(7, b"7 (a").is_none());
        assert!(Process::parse(7, b"").is_none());
    }

    #[test]
    fn this_process_is_among_all() {
        assert!(all_processes().any(|pid| pid == std::process::id() as i32));
    }
}
