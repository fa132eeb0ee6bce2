//! Artifacts: those of other jobs in before the script, the job's own out after it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use shipway_protocol::{ArtifactFormat, ArtifactSpec, Dependency};
use tempfile::NamedTempFile;

use crate::archive::{self, WriteError};
use crate::control::Request;
use crate::duration;
use crate::failure::{Failure, with_causes};
use crate::files::{self, Note, Stop, Wanted};
use crate::job::Job;
use crate::meter::{self, Meter, metered};
use crate::transfer::Transfer;

/// Between the first two attempts at a download; it doubles …
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// … up to this.
const LAST_PAUSE: Duration = Duration::from_secs(300);

/// A packed artifact, ready to be handed over.
struct Packed {
    file: NamedTempFile,
    file_name: String,
}

impl Job<'_> {
    /// Stage `download_artifacts`: unpacks the archives of the jobs this one depends on, in
    /// order, into the project directory.
    pub(crate) async fn download_artifacts(&mut self) -> Result<(), Failure> {
        let payload = self.payload;
        let with_files = payload
            .dependencies
            .iter()
            .filter(|dependency| dependency.artifacts_file.is_some());
        let transfers = with_files.map(Transfer::Download).collect();
        self.transfer_all("download_artifacts", "Downloading artifacts", transfers)
            .await
    }

    /// As often as `ARTIFACT_DOWNLOAD_ATTEMPTS` says, with growing pauses.
    pub(crate) async fn download_with_attempts(
        &mut self,
        dependency: &Dependency,
    ) -> Result<(), Failure> {
        let attempts = attempts(&self.variables.get("ARTIFACT_DOWNLOAD_ATTEMPTS"));
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match self.download(dependency).await {
                Err(Failure::Helper) if attempt < attempts => {
                    self.log
                        .warning(&format!("Retrying in {}...", duration::format(pause)))
                        .await;
                    self.unless_stopped(Request::Cancel, tokio::time::sleep(pause))
                        .await?;
                    pause = (pause * 2).min(LAST_PAUSE);
                }
                result => return result,
            }
        }
        unreachable!("an endless range has no end")
    }

    async fn download(&mut self, dependency: &Dependency) -> Result<(), Failure> {
        let (id, name) = (dependency.id, &dependency.name);
        self.log
            .line(&format!("Downloading artifacts for {name} ({id})..."))
            .await;
        let file = self.temporary_file()?;
        let (source, job) = (self.source, self.payload.id);
        let download = source.download_artifact(job, dependency, file.path());
        let meter = Meter {
            what: "Downloading artifacts",
            arriving: Some(file.path().to_owned()),
            total: (dependency.artifacts_file.as_ref()).map_or(0, |file| file.size),
        };
        let mut log = self.log.clone();
        let download = metered(&mut log, self.meter_frequency(), meter, download);
        if let Err(error) = self.unless_stopped(Request::Cancel, download).await? {
            self.log
                .error(&format!(
                    "Downloading artifacts of {name} ({id}) from coordinator: {}",
                    with_causes(&error)
                ))
                .await;
            return Err(Failure::Helper);
        }
        let (path, directory) = (file.path().to_owned(), self.directory()?.project.clone());
        let limits = self.config.extract_limits;
        let extracted = self
            .file_work(Request::Cancel, move |stop| {
                archive::extract(&path, &directory, limits, stop)
            })
            .await?;
        match extracted {
            Ok(extracted) => {
                self.log
                    .line(&format!(
                        "Downloading artifacts from coordinator... ok id={id} entries={} bytes={}",
                        extracted.entries, extracted.bytes
                    ))
                    .await;
                Ok(())
            }
            Err(error) => {
                self.log
                    .error(&format!("Unpacking artifacts of {name} ({id}): {error}"))
                    .await;
                Err(Failure::Helper)
            }
        }
    }

    /// Stage `upload_artifacts_on_success` or `…_on_failure`.
    pub(crate) async fn upload_artifacts(&mut self, success: bool) -> Result<(), Failure> {
        let payload = self.payload;
        let specs = payload
            .artifacts
            .iter()
            .filter(|spec| spec.when.applies(success))
            .filter(|spec| spec.untracked || !spec.paths.is_empty());
        let (name, kind) = match success {
            true => ("upload_artifacts_on_success", "successful"),
            false => ("upload_artifacts_on_failure", "failed"),
        };
        let heading = format!("Uploading artifacts for {kind} job");
        let transfers = specs.map(Transfer::Upload).collect();
        self.transfer_all(name, &heading, transfers).await
    }

    pub(crate) async fn upload(&mut self, spec: &ArtifactSpec) -> Result<(), Failure> {
        self.log.line("Uploading artifacts...").await;
        let root = self.directory()?.project.clone();
        let expand_all = |texts: &[String]| {
            let variables = &self.variables;
            texts.iter().map(|text| variables.expand(text)).collect()
        };
        let wanted = Wanted {
            paths: expand_all(&spec.paths),
            exclude: expand_all(&spec.exclude),
            untracked: spec.untracked,
            what: "artifact",
            project: self.paths.project.clone(),
        };
        let selection = {
            let root = root.clone();
            self.file_work(Request::Abort, move |stop| {
                files::select(&root, &wanted, stop)
            })
            .await?
        };
        self.say(&selection.notes).await;
        if selection.paths.is_empty() {
            self.log.error("No files to upload").await;
            return Ok(());
        }
        let file = self.temporary_file()?;
        let base = base_name(spec.name.as_deref().map(|name| self.variables.expand(name)));
        let level = compression_level(&self.variables.get("ARTIFACT_COMPRESSION_LEVEL"), 5);
        let format = spec.artifact_format;
        let packed = self
            .file_work(Request::Abort, move |stop| {
                pack(&root, &selection.paths, file, format, &base, level, stop)
            })
            .await?;
        let kind = match spec.artifact_type.as_str() {
            "" => "archive",
            kind => kind,
        };
        let packed = match packed {
            Ok(packed) => packed,
            Err(error) => {
                self.log
                    .error(&format!("Packing artifacts as \"{kind}\": {error}"))
                    .await;
                return Err(Failure::Helper);
            }
        };
        let (source, job) = (self.source, self.payload.id);
        let upload = source.upload_artifact(job, spec, &packed.file_name, packed.file.path());
        let meter = Meter {
            what: "Uploading artifacts",
            arriving: None,
            total: packed
                .file
                .as_file()
                .metadata()
                .map_or(0, |file| file.len()),
        };
        let mut log = self.log.clone();
        let upload = metered(&mut log, self.meter_frequency(), meter, upload);
        match self.unless_stopped(Request::Abort, upload).await? {
            Ok(()) => {
                self.log
                    .line(&format!(
                        "Uploading artifacts as \"{kind}\" to coordinator... 201 Created"
                    ))
                    .await;
                Ok(())
            }
            Err(error) => {
                self.log
                    .error(&format!(
                        "Uploading artifacts as \"{kind}\" to coordinator... {}",
                        with_causes(&error)
                    ))
                    .await;
                Err(Failure::Helper)
            }
        }
    }

    fn meter_frequency(&self) -> Option<Duration> {
        meter::frequency(&self.variables.get("TRANSFER_METER_FREQUENCY"))
    }

    /// Puts what was found into the log.
    pub(crate) async fn say(&mut self, notes: &[Note]) {
        for note in notes {
            match note {
                Note::Info(text) => self.log.line(text).await,
                Note::Warning(text) => self.log.warning(text).await,
            }
        }
    }

    fn temporary_file(&self) -> Result<NamedTempFile, Failure> {
        std::fs::create_dir_all(&self.config.temp_dir)
            .and_then(|()| NamedTempFile::new_in(&self.config.temp_dir))
            .map_err(|source| Failure::System {
                reason: shipway_protocol::FailureReason::RunnerSystemFailure,
                message: format!(
                    "cannot create a temporary file in {}: {source}",
                    self.config.temp_dir.display()
                ),
            })
    }
}

fn pack(
    root: &Path,
    paths: &[PathBuf],
    file: NamedTempFile,
    format: ArtifactFormat,
    base: &str,
    level: i64,
    stop: &Stop,
) -> Result<Packed, WriteError> {
    let target: &File = file.as_file();
    let file_name = match format {
        ArtifactFormat::Zip => {
            archive::write_zip(root, paths, target, level, "", stop)?;
            format!("{base}.zip")
        }
        ArtifactFormat::Gzip => {
            archive::write_gzip(root, paths, target, stop)?;
            format!("{base}.gz")
        }
        ArtifactFormat::Raw => {
            archive::copy_single(root, paths, target)?;
            base.to_owned()
        }
    };
    Ok(Packed { file, file_name })
}

/// The last component of an expanded artifact name: no name is `artifacts`, a name that
/// expands to nothing is `default`.
fn base_name(name: Option<String>) -> String {
    match name {
        None => "artifacts".to_owned(),
        Some(name) => match name.trim_end_matches('/').rsplit('/').next() {
            None | Some("" | "." | "..") => "default".to_owned(),
            Some(last) => last.to_owned(),
        },
    }
}

/// The value of a variable such as `ARTIFACT_DOWNLOAD_ATTEMPTS`: 1 to 10, 1 by default.
pub(crate) fn attempts(value: &str) -> u32 {
    value.parse().unwrap_or(1).clamp(1, 10)
}

/// Deflate's level for a name such as `fastest`; 0 stores.
pub(crate) fn compression_level(name: &str, default: i64) -> i64 {
    match name {
        "fastest" => 0,
        "fast" => 1,
        "default" => 5,
        "slow" => 7,
        "slowest" => 9,
        _ => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_bounded() {
        for (value, expected) in [("", 1), ("3", 3), ("0", 1), ("99", 10), ("x", 1), ("-1", 1)] {
            assert_eq!(attempts(value), expected, "{value:?}");
        }
    }

    #[test]
    fn archives_are_named_as_gitlab_names_them() {
        for (name, expected) in [
            (None, "artifacts"),
            (Some(""), "default"),
            (Some("report"), "report"),
            (Some("a/b"), "b"),
            (Some("a/b/"), "b"),
            (Some(".."), "default"),
        ] {
            assert_eq!(base_name(name.map(str::to_owned)), expected, "{name:?}");
        }
    }
}
