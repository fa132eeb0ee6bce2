//! Sources by git: the payload's repository fetched into the project directory.
//!
//! Git runs in the runner's own process tree, also for jobs in containers, so images need no
//! git and the job's variables cannot steer it. `settings` decides, `address` keeps the
//! credentials apart, `leftover` disarms what an earlier job left, `command` runs git.

mod address;
mod command;
mod leftover;
mod settings;

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use shipway_protocol::FailureReason;

pub(crate) use address::Address;

use crate::control::Request;
use crate::directory;
use crate::failure::Failure;
use crate::job::Job;
use crate::predefined::Kind;
use crate::stage::blocking;
use command::Git;
use settings::{GitSettings, Submodules};

/// The file in the job's temporary directory with the credentials for git.
const CREDENTIALS: &str = "git-credentials.conf";

impl Job<'_> {
    /// Fetches and checks out the payload's commit. `fresh`: nothing of earlier jobs stays.
    pub(crate) async fn fetch_git(&mut self, fresh: bool) -> Result<(), Failure> {
        let info = &self.payload.git_info;
        if let Some(reason) = settings::refusal(info) {
            return Err(system(format!("the job's repository is refused: {reason}")));
        }
        let settings = GitSettings::read(info, |name| self.git_variable(name))
            .map_err(|error| system(error.to_string()))?;
        let attempts = crate::artifacts::attempts(&self.variables.get("GET_SOURCES_ATTEMPTS"));
        let mut fresh = fresh;
        for attempt in 1.. {
            let reused = self.prepare_repository(fresh).await?;
            match self.fetch_once(&settings, reused).await {
                Err(Failure::Helper) if reused => {
                    self.log
                        .warning("The repository of an earlier job cannot be used; starting over")
                        .await;
                }
                Err(Failure::Helper) if attempt < attempts => {
                    self.log.warning("Retrying...").await;
                }
                result => return result,
            }
            fresh = true;
        }
        unreachable!("an endless range has no end")
    }

    /// A variable, or what it is by default: what jobs of a project built stays in a workspace
    /// that they share.
    fn git_variable(&self, name: &str) -> String {
        match self.variables.get(name) {
            empty if empty.is_empty() && name == "GIT_CLEAN_FLAGS" && self.sticky.is_some() => {
                "none".to_owned()
            }
            value => value,
        }
    }

    /// Makes the project directory ready; whether a repository of an earlier job is in it.
    async fn prepare_repository(&mut self, fresh: bool) -> Result<bool, Failure> {
        let project = self.directory()?.project.clone();
        if fresh {
            blocking(move || directory::clear(&project))
                .await
                .map_err(|error| Failure::system(&error))?;
            return Ok(false);
        }
        let (path, trusted) = (project.clone(), self.kind == Kind::Shell);
        let reused = blocking(move || leftover::defuse(&path, trusted)).await;
        reused.map_err(|error| system(format!("cannot clean {}/.git: {error}", project.display())))
    }

    async fn fetch_once(&mut self, settings: &GitSettings, reused: bool) -> Result<(), Failure> {
        let payload = self.payload;
        let info = &payload.git_info;
        let address = Address::parse(&info.repo_url);
        let (project, temporary) = {
            let directory = self.directory()?;
            (directory.project.clone(), directory.temporary.clone())
        };
        let credentials = temporary.join(CREDENTIALS);
        write_private(
            &credentials,
            &address.configuration(settings.submodule_force_https),
        )
        .map_err(|error| system(format!("cannot write {}: {error}", credentials.display())))?;
        let git = Git {
            project: &project,
            credentials,
            authorities: self
                .config
                .ca_file
                .as_deref()
                .and_then(|file| address.authorities(file)),
            protocols: address.protocols(),
            environment: &self.config.shell_environment,
        };
        match info.depth {
            0 => self.log.line("Fetching changes...").await,
            depth => {
                let text = format!("Fetching changes with git depth set to {depth}...");
                self.log.line(&text).await;
            }
        }
        let format = match payload_object_format(&info.sha) {
            "sha256" => vec!["--object-format=sha256"],
            _ => vec![],
        };
        let init = ["init", "--quiet", "--template=", "--initial-branch=none"];
        self.git(&git, init.iter().chain(&format).copied()).await?;
        if !reused {
            self.log.line("Created fresh repository.").await;
        }
        self.git(&git, ["config", "remote.origin.url", &address.url])
            .await?;
        let for_job = format!("{}/{CREDENTIALS}", self.paths.temporary);
        self.git(&git, ["config", "include.path", &for_job]).await?;
        let shallow = project.join(".git/shallow").is_file();
        let fetch = settings::fetch_arguments(info, settings, shallow);
        self.git(&git, fetch.iter().map(String::as_str)).await?;
        if !settings.checkout {
            self.log.line("Skipping Git checkout").await;
            return Ok(());
        }
        let text = format!(
            "Checking out {} as detached HEAD (ref is {})...",
            &info.sha[..8],
            info.ref_name
        );
        self.log.line(&text).await;
        self.git(
            &git,
            ["checkout", "--force", "--quiet", "--detach", &info.sha],
        )
        .await?;
        if let Some(flags) = &settings.clean_flags {
            let clean = ["clean"]
                .into_iter()
                .chain(flags.iter().map(String::as_str));
            self.git(&git, clean).await?;
        }
        self.pull_lfs(&git).await?;
        self.update_submodules(&git, settings).await
    }

    async fn pull_lfs(&mut self, git: &Git<'_>) -> Result<(), Failure> {
        let version = ["lfs", "version"].map(str::to_owned);
        let found = self
            .unless_stopped(Request::Cancel, git.read(&version))
            .await?;
        match found {
            Ok(Some(_)) => self.git(git, ["lfs", "pull"]).await,
            _ => Ok(()),
        }
    }

    async fn update_submodules(
        &mut self,
        git: &Git<'_>,
        settings: &GitSettings,
    ) -> Result<(), Failure> {
        let text = match settings.submodules {
            Submodules::None => "Skipping Git submodules setup",
            Submodules::Normal => "Updating/initializing submodules...",
            Submodules::Recursive => "Updating/initializing submodules recursively...",
        };
        self.log.line(text).await;
        if settings.submodules == Submodules::None {
            return Ok(());
        }
        self.clear_submodules(git).await?;
        let recursive = (settings.submodules == Submodules::Recursive).then_some("--recursive");
        let depth = settings.submodule_depth.to_string();
        let mut update = vec!["submodule", "update", "--init", "--force"];
        update.extend(recursive);
        if settings.submodule_depth > 0 {
            update.extend(["--depth", &depth]);
        }
        update.extend(settings.submodule_update_flags.iter().map(String::as_str));
        update.push("--");
        update.extend(settings.submodule_paths.iter().map(String::as_str));
        self.git(git, update).await
    }

    /// Empties the directories of submodules: a repository that an earlier job put there
    /// would be used as it is, its configuration included.
    async fn clear_submodules(&mut self, git: &Git<'_>) -> Result<(), Failure> {
        let list = ["ls-files", "--stage", "-z"].map(str::to_owned);
        let listed = self
            .unless_stopped(Request::Cancel, git.read(&list))
            .await?;
        let listed = listed.ok().flatten().ok_or(Failure::Helper)?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let project = git.project.to_owned();
        let cleared = blocking(move || {
            let links = listed
                .split('\0')
                .filter(|entry| entry.starts_with("160000 "));
            for (_, path) in links.filter_map(|entry| entry.split_once('\t')) {
                let path = directory::project_path(path)?;
                if has_real_parents(&project, &path) {
                    directory::clear(&project.join(path))?;
                }
            }
            Ok::<(), directory::DirectoryError>(())
        });
        cleared.await.map_err(|error| Failure::system(&error))
    }

    /// Runs git, which says itself in the log what is wrong.
    async fn git<'b>(
        &mut self,
        git: &Git<'_>,
        arguments: impl IntoIterator<Item = &'b str>,
    ) -> Result<(), Failure> {
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let mut output = self.log.output();
        let run = git.run(&arguments, &mut output);
        let ended = self.unless_stopped(Request::Cancel, run).await;
        output.finish().await;
        let status = ended?.map_err(|error| {
            system(format!(
                "cannot run git: {error}; is it installed and in PATH?"
            ))
        })?;
        if status.success() {
            return Ok(());
        }
        let command = arguments.first().map_or("", String::as_str);
        self.log
            .error(&format!("git {command} ended with {status}"))
            .await;
        Err(Failure::Helper)
    }
}

/// Whether no link leads away on the way from `top` to the last component of `path`.
fn has_real_parents(top: &Path, path: &Path) -> bool {
    path.ancestors().skip(1).all(|parent| {
        std::fs::symlink_metadata(top.join(parent)).is_ok_and(|metadata| metadata.is_dir())
    })
}

/// SHA-256 ids have 64 digits.
fn payload_object_format(sha: &str) -> &'static str {
    if sha.len() == 64 { "sha256" } else { "sha1" }
}

fn write_private(path: &Path, content: &str) -> io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())
}

fn system(message: String) -> Failure {
    Failure::System {
        reason: FailureReason::RunnerSystemFailure,
        message,
    }
}
