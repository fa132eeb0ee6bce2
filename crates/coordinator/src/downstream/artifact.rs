//! A child pipeline's configuration from an archive that a job made.

use std::io::{self, Read};

use shipway_pipeline::Status;

use super::{Bridge, CREATION_FAILED, Refused};
use crate::coordinator::Coordinator;
use crate::error::Error;

/// Bytes of an archive that a configuration is taken from, as on GitLab.
const MAX_ARCHIVE: u64 = 5 * 1024 * 1024;

impl Coordinator {
    /// A file from the archive of a job of the same pipeline.
    pub(super) async fn file_of_archive(
        &self,
        bridge: &Bridge,
        job: &str,
        path: &str,
    ) -> Result<Result<String, Refused>, Error> {
        let refused = |text: String| Ok(Err(Refused::new(CREATION_FAILED, text)));
        let jobs = self.store.jobs(bridge.link.upstream).await?;
        let maker = jobs.iter().find(|row| !row.retried && row.name == job);
        let Some(maker) = maker else {
            return refused(format!("There is no job {job} in this pipeline."));
        };
        let files = self.store.artifacts_of(maker.id).await?;
        let archive = files.iter().find(|file| file.file_type == "archive");
        let Some(archive) = archive.filter(|_| maker.status == Status::Success) else {
            return refused(format!(
                "Job {job} has made no artifacts: it is {}.",
                maker.status
            ));
        };
        if u64::try_from(archive.size).unwrap_or(u64::MAX) > MAX_ARCHIVE {
            return refused(format!(
                "The artifacts of job {job} have more than {MAX_ARCHIVE} bytes."
            ));
        }
        let mut packed = Vec::new();
        let fault = Error::file(self.store.blobs().location(&archive.path)?);
        let mut file = self.store.blobs().get(&archive.path, ..MAX_ARCHIVE).await?;
        tokio::io::AsyncReadExt::read_to_end(&mut file, &mut packed)
            .await
            .map_err(fault)?;
        let name = path.to_owned();
        let unpacking = tokio::task::spawn_blocking(move || unpack(packed, &name));
        match unpacking.await {
            Ok(Ok(text)) => Ok(Ok(text)),
            Ok(Err(error)) => refused(format!(
                "The file {path} of the artifacts of job {job} cannot be used: {error}."
            )),
            Err(error) => Err(Error::Panicked(error.to_string())),
        }
    }
}

/// The text of one file of an archive.
fn unpack(packed: Vec<u8>, name: &str) -> io::Result<String> {
    let limit = shipway_config::Limits::default().yaml_bytes as u64;
    let mut archive = zip::ZipArchive::new(io::Cursor::new(packed)).map_err(io::Error::other)?;
    let file = archive.by_name(name).map_err(io::Error::other)?;
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::other(format!("it has more than {limit} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_taken_from_an_archive() {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file("out/child.yml", options).unwrap();
        writer.write_all(b"job: {script: true}").unwrap();
        let packed = writer.finish().unwrap().into_inner();
        let text = unpack(packed.clone(), "out/child.yml").unwrap();
        assert_eq!(text, "job: {script: true}");
        let missing = unpack(packed, "child.yml").unwrap_err().to_string();
        assert!(missing.contains("not found"), "{missing}");
        assert!(unpack(b"no archive".to_vec(), "child.yml").is_err());
    }
}
