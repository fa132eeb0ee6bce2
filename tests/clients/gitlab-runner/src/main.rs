//! A runner made with the crate `gitlab-runner`, which knows nothing of Shipway: takes jobs one
//! after another, runs them in bash, and ends when it has run as many as it was asked for.
//!
//! ```text
//! gitlab-runner-client SERVER TOKEN JOBS
//! ```

use std::borrow::Cow;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::io::AllowStdIo;
use gitlab_runner::job::Job;
use gitlab_runner::{GitlabLayer, JobHandler, JobResult, Phase, RunnerBuilder, UploadableFile};
use tokio::process::Command;
use tracing_subscriber::prelude::*;

/// Between two questions for a job.
const PAUSE: Duration = Duration::from_millis(200);

/// A file that a job has left, to be uploaded where `artifacts:paths` wants it.
struct Left {
    directory: PathBuf,
    name: String,
}

#[async_trait::async_trait]
impl UploadableFile for Left {
    type Data<'a> = AllowStdIo<std::fs::File>;

    fn get_path(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }

    async fn get_data(&self) -> Result<Self::Data<'_>, ()> {
        let file = std::fs::File::open(self.directory.join(&self.name));
        file.map(AllowStdIo::new).map_err(|_| ())
    }
}

/// A job at work.
struct Run {
    job: Job,
    /// Where its scripts run.
    directory: PathBuf,
}

impl Run {
    fn new(job: Job) -> Result<Self, ()> {
        let directory = job.build_dir().join("work");
        std::fs::create_dir_all(&directory).map_err(|_| ())?;
        Ok(Self { job, directory })
    }

    /// Unpacks the artifacts of the jobs before.
    async fn fetch_dependencies(&self) -> JobResult {
        for dependency in self.job.dependencies() {
            let archive = dependency.download().await.map_err(|_| ())?;
            let Some(mut archive) = archive else { continue };
            for index in 0..archive.len() {
                let mut file = archive.by_index(index).ok_or(())?;
                let path = self.directory.join(file.path().ok_or(())?);
                std::fs::create_dir_all(path.parent().ok_or(())?).map_err(|_| ())?;
                let mut new = std::fs::File::create(path).map_err(|_| ())?;
                std::io::copy(&mut file, &mut new).map_err(|_| ())?;
            }
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl JobHandler<Left> for Run {
    async fn step(&mut self, script: &[String], phase: Phase) -> JobResult {
        if phase == Phase::Script {
            self.fetch_dependencies().await?;
        }
        let variables = self.job.variables();
        let output = Command::new("bash")
            .args(["-ec", &script.join("\n")])
            .envs(variables.map(|variable| (variable.key(), variable.value())))
            .current_dir(&self.directory)
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| self.job.trace(format!("bash: {error}\n")))?;
        self.job.trace(output.stdout);
        self.job.trace(output.stderr);
        output.status.success().then_some(()).ok_or(())
    }

    async fn get_uploadable_files(&mut self) -> Result<Box<dyn Iterator<Item = Left> + Send>, ()> {
        let mut names = Vec::new();
        list(&self.directory, "", &mut names).map_err(|_| ())?;
        let directory = self.directory.clone();
        Ok(Box::new(names.into_iter().map(move |name| Left {
            directory: directory.clone(),
            name,
        })))
    }
}

/// The names of all files below a directory, as paths from where the list began.
fn list(directory: &Path, before: &str, names: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: SERVER TOKEN JOBS");
    let (server, token) = (argument()?.parse()?, argument()?);
    let jobs: usize = argument()?.parse()?;

    let builds = tempfile::tempdir()?;
    let (layer, list) = GitlabLayer::new();
    tracing_subscriber::registry().with(layer).init();
    let mut runner = RunnerBuilder::new(server, token, builds.path(), list)
        .version("0.3.2")
        .build()
        .await;
    let mut taken = 0;
    while taken < jobs {
        runner.wait_for_space(1).await;
        if runner
            .request_job(|job| async move { Run::new(job) })
            .await?
        {
            taken += 1;
        } else {
            tokio::time::sleep(PAUSE).await;
        }
    }
    runner.drain().await;
    Ok(())
}
