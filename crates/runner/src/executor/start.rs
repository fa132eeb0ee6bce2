//! Starting a shell, and waiting for it.
//!
//! The shell leads a session of its own: signals reach the whole group, and nothing in the
//! job can ask for a password on the terminal of whoever started the runner.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use process_wrap::std::{CommandWrap, ProcessSession};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A shell to be started.
#[derive(Debug)]
pub(crate) struct Start<'a> {
    /// The program.
    pub shell: &'a Path,
    /// Where it starts.
    pub directory: &'a Path,
    /// Its whole environment.
    pub environment: BTreeMap<&'a OsStr, &'a OsStr>,
    /// Its standard input.
    pub input: File,
    /// Its standard output and error.
    pub output: OwnedFd,
}

/// A shell that was started.
#[derive(Debug)]
pub(crate) struct Shell {
    pid: Pid,
    /// Tells that some child ended.
    child_ended: Signal,
    code: Option<i32>,
}

impl Shell {
    /// Starts a shell. Must be called within a runtime.
    pub(crate) fn start(start: Start<'_>) -> io::Result<Self> {
        // Listening from before the start on, so that no end is missed.
        let child_ended = signal(SignalKind::child())?;
        // In a thread of its own, which may change its working directory; and the children of
        // a thread that ended are the first thread's, where leftovers are looked for.
        let started = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("start shell".to_owned());
            thread
                .spawn_scoped(scope, || start.run())?
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        Ok(Self {
            pid: started?,
            child_ended,
            code: None,
        })
    }

    /// The process, which is the session's and the group's number too.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for the end: the exit code, or 128 and the number of the signal that killed it.
    pub(crate) async fn wait(&mut self) -> io::Result<i32> {
        loop {
            if let Some(code) = self.code {
                return Ok(code);
            }
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => self.code = Some(code),
                Ok(WaitStatus::Signaled(_, signal, _)) => self.code = Some(128 + signal as i32),
                Ok(_) => {
                    self.child_ended.recv().await;
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Start<'_> {
    fn run(self) -> io::Result<Pid> {
        #[cfg(target_os = "linux")]
        if nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).is_ok() {
            nix::unistd::chdir(self.directory)?;
            return self.spawn();
        }
        self.fork()
    }

    /// Without a copy of this process on the way: copying its page tables, and then each page
    /// that is written meanwhile, takes longer than the shell's own start.
    #[cfg(target_os = "linux")]
    fn spawn(self) -> io::Result<Pid> {
        use std::ffi::CString;
        use std::os::fd::AsRawFd;
        use std::os::unix::ffi::OsStrExt;

        use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
        use nix::sys::signal::{SigSet, Signal};

        let mut attributes = PosixSpawnAttr::init()?;
        // nix has no name for the flag of a new session.
        attributes.set_flags(
            PosixSpawnFlags::from_bits_retain(nix::libc::POSIX_SPAWN_SETSID.into())
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
        )?;
        attributes.set_sigmask(&SigSet::empty())?;
        // A Rust program ignores it, and what is ignored stays so in a new program.
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        let mut files = PosixSpawnFileActions::init()?;
        files.add_dup2(self.input.as_raw_fd(), 0)?;
        files.add_dup2(self.output.as_raw_fd(), 1)?;
        files.add_dup2(self.output.as_raw_fd(), 2)?;
        let mut environment = Vec::with_capacity(self.environment.len());
        for (name, value) in &self.environment {
            let entry = [name.as_bytes(), b"=", value.as_bytes()].concat();
            environment.push(CString::new(entry)?);
        }
        let name = CString::new(self.shell.as_os_str().as_bytes())?;
        let arguments = [&name];
        Ok(posix_spawn(
            name.as_c_str(),
            &files,
            &attributes,
            &arguments,
            &environment,
        )?)
    }

    /// The way that every system allows.
    fn fork(self) -> io::Result<Pid> {
        let errors = self.output.try_clone()?;
        let mut command = CommandWrap::with_new(self.shell, |command| {
            command
                .current_dir(self.directory)
                .env_clear()
                .envs(self.environment)
                .stdin(Stdio::from(self.input))
                .stdout(Stdio::from(self.output))
                .stderr(Stdio::from(errors));
        });
        command.wrap(ProcessSession);
        // Nobody waits for the child but by its number; dropping it does nothing.
        Ok(Pid::from_raw(command.spawn()?.id() as i32))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    /// What the script prints, and its exit code, when started this way.
    async fn run(
        script: &str,
        directory: &Path,
        way: fn(Start<'_>) -> io::Result<Pid>,
    ) -> (String, i32) {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        input.rewind().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let start = Start {
            shell: Path::new("/bin/sh"),
            directory,
            environment: BTreeMap::from([(OsStr::new("GIVEN"), OsStr::new("a b"))]),
            input,
            output: writer.into(),
        };
        let child_ended = signal(SignalKind::child()).unwrap();
        let pid = std::thread::scope(|scope| scope.spawn(|| way(start)).join().unwrap()).unwrap();
        let mut shell = Shell {
            pid,
            child_ended,
            code: None,
        };
        let code = shell.wait().await.unwrap();
        assert_eq!(shell.wait().await.unwrap(), code);
        let mut output = String::new();
        reader.read_to_string(&mut output).unwrap();
        (output, code)
    }

    #[tokio::test]
    async fn both_ways_give_the_shell_the_same_surroundings() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().canonicalize().unwrap();
        let before = std::env::current_dir().unwrap();
        let ways: [fn(Start<'_>) -> io::Result<Pid>; 2] =
            [|start| start.run(), |start| start.fork()];
        for way in ways {
            let script = "pwd; echo \"$GIVEN|$HOME\"; echo error >&2; exit 7";
            let (output, code) = run(script, &directory, way).await;
            let expected = format!("{}\na b|\nerror\n", directory.display());
            assert_eq!((output, code), (expected, 7));
            assert_eq!(run("kill -9 $$", &directory, way).await.1, 128 + 9);
            // Fields 1 and 6 of its own line are its number and its session's. Open files and
            // signals are as the standard library leaves them; those above 28 are the C
            // library's own.
            if cfg!(target_os = "linux") {
                let script = "for fd in /proc/$$/fd/*; do [ -e $fd ] && echo \"${fd##*/}\"; done\n\
                     while read -r name value; do case $name in Sig[BI]*) echo $name ${value#?????????};; esac\n\
                     done </proc/$$/status\n\
                     read -r pid _ _ _ _ session _ </proc/$$/stat\n\
                     [ $pid = $session ] && echo leader";
                let usual = std::process::Command::new("/bin/sh")
                    .args(["-c", script])
                    .output();
                let usual = String::from_utf8(usual.unwrap().stdout).unwrap();
                assert!(usual.contains("SigIgn"), "{usual}");
                let (output, _) = run(script, &directory, way).await;
                assert_eq!(output, format!("{usual}leader\n"));
            }
        }
        assert_eq!(std::env::current_dir().unwrap(), before);
    }

    #[tokio::test]
    async fn a_shell_that_is_not_there_is_an_error() {
        let (_, writer) = std::io::pipe().unwrap();
        let start = Start {
            shell: Path::new("/nowhere/sh"),
            directory: Path::new("/"),
            environment: BTreeMap::new(),
            input: tempfile::tempfile().unwrap(),
            output: writer.into(),
        };
        let error = Shell::start(start).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
