//! The lines that the tests of a pipeline ran, read from the reports that its jobs left.

use std::collections::BTreeSet;
use std::io::{BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;
use shipway_pipeline::PipelineId;
use shipway_store::{ArtifactRow, JobRow, ProjectRow};
use tokio::io::AsyncReadExt as _;

use crate::coordinator::{Coordinator, now};
use crate::error::Error;
use crate::reports::lines::LineCoverage;

/// Bytes of a report that is read; GitLab's limit.
pub const REPORT_LIMIT: u64 = 10 * 1024 * 1024;

/// Reports of a pipeline that are read.
const MOST_REPORTS: usize = 100;

/// Files of a commit among which those of reports are looked for.
const LISTED_FILES: usize = 100_000;

impl Coordinator {
    /// Which lines the tests of a pipeline ran, by its jobs' Cobertura and JaCoCo reports. What
    /// cannot be read is told among the faults.
    ///
    /// # Errors
    /// When the store or the repository fails.
    pub async fn line_coverage(
        &self,
        project: &ProjectRow,
        pipeline: PipelineId,
    ) -> Result<LineCoverage, Error> {
        let reports = self.coverage_reports(pipeline).await?;
        if reports.is_empty() {
            return Ok(LineCoverage::default());
        }
        let row = self.store.pipeline(pipeline).await?;
        let tree: BTreeSet<String> = match row.and_then(|row| row.sha) {
            Some(sha) => {
                let repository = self.repository(project).await?;
                let listed = repository.list_files(&sha, LISTED_FILES).await?;
                listed.paths.into_iter().collect()
            }
            None => BTreeSet::new(),
        };
        let mut faults = Vec::new();
        let mut packed = Vec::new();
        for (job, file) in reports {
            if u64::try_from(file.size).is_ok_and(|size| size > REPORT_LIMIT) {
                faults.push(too_large(&job.name));
                continue;
            }
            let mut bytes = Vec::new();
            let mut blob = self.store.blobs().get(&file.path, ..).await?;
            let read = blob.read_to_end(&mut bytes).await;
            read.map_err(Error::file(&file.path))?;
            packed.push((job.name, file.file_type, bytes));
        }
        let reading = tokio::task::spawn_blocking(move || {
            let mut coverage = LineCoverage::default();
            coverage.faults.extend(faults);
            for (job, kind, bytes) in packed {
                add(&mut coverage, &job, &kind, &bytes, &tree);
            }
            coverage
        });
        reading
            .await
            .map_err(|error| Error::Panicked(error.to_string()))
    }

    /// The reports of the newest attempts of a pipeline's jobs.
    async fn coverage_reports(
        &self,
        pipeline: PipelineId,
    ) -> Result<Vec<(JobRow, ArtifactRow)>, Error> {
        let mut files = self.store.artifacts_of_pipeline(pipeline).await?;
        let now = now();
        files.retain(|file| {
            matches!(file.file_type.as_str(), "cobertura" | "jacoco")
                && file.expires_at.is_none_or(|at| at > now)
        });
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let jobs = self.store.jobs(pipeline).await?;
        let reports = files.into_iter().filter_map(|file| {
            let job = jobs.iter().find(|job| job.id == file.job_id)?;
            (!job.retried).then(|| (job.clone(), file))
        });
        Ok(reports.take(MOST_REPORTS).collect())
    }
}

fn too_large(job: &str) -> String {
    format!("the report of {job} is left out: it has more than {REPORT_LIMIT} bytes")
}

/// Reads one packed report.
fn add(coverage: &mut LineCoverage, job: &str, kind: &str, packed: &[u8], tree: &BTreeSet<String>) {
    let mut text = Vec::new();
    let unpacked = MultiGzDecoder::new(packed)
        .take(REPORT_LIMIT + 1)
        .read_to_end(&mut text);
    if let Err(error) = unpacked {
        let fault = format!("the report of {job} cannot be unpacked: {error}");
        coverage.faults.push(fault);
        return;
    }
    if text.len() as u64 > REPORT_LIMIT {
        coverage.faults.push(too_large(job));
        return;
    }
    let report = BufReader::new(Cursor::new(text));
    let read = match kind {
        "jacoco" => coverage.add_jacoco(report, tree),
        _ => coverage.add_cobertura(report, tree),
    };
    if let Err(error) = read {
        coverage
            .faults
            .push(format!("the report of {job}: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(text).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn a_report_that_is_too_large_is_named_and_left_out() {
        let report = b"<coverage><class filename='a'><line number='1' hits='1'/></class>";
        let mut fits = report.to_vec();
        fits.resize(usize::try_from(REPORT_LIMIT).unwrap(), b' ');
        let mut large = fits.clone();
        large.push(b' ');
        let tree = BTreeSet::new();
        let mut coverage = LineCoverage::default();
        add(&mut coverage, "unit", "cobertura", &packed(&large), &tree);
        assert!(coverage.files.is_empty());
        assert!(coverage.faults[0].contains("unit") && coverage.faults[0].contains("10485760"));
        add(&mut coverage, "unit", "cobertura", &packed(&fits), &tree);
        assert_eq!(coverage.files["a"].len(), 1);
        add(&mut coverage, "other", "jacoco", b"not packed", &tree);
        add(
            &mut coverage,
            "third",
            "jacoco",
            &packed(b"<a b=\"<c"),
            &tree,
        );
        assert_eq!(coverage.faults.len(), 3, "{:?}", coverage.faults);
    }
}
