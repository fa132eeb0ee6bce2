//! Archives of caches between a job and the bucket. No trouble with a bucket fails a job, and
//! after the first of a stage the bucket is not asked again: it may take long not to answer.

use std::path::Path;

use super::bucket::{CacheBucket, Fetched, Sent};
use crate::control::Request;
use crate::failure::Failure;
use crate::job::Job;

impl Job<'_> {
    /// Brings the archive from the bucket that runners share, where there is one. Whether what
    /// is on this machine may be unpacked: where the bucket has none, it may not.
    pub(crate) async fn fetch_shared(
        &mut self,
        key: &str,
        archive: &Path,
    ) -> Result<bool, Failure> {
        let Some(shared) = &self.config.shared_cache else {
            return Ok(true);
        };
        if self.bucket_is_away {
            return Ok(true);
        }
        let object = shared.object(self.payload.job_info.project_id, key);
        let place = format!("s3://{}/{object}", shared.bucket);
        let fetch = async { CacheBucket::new(shared)?.fetch(&object, archive).await };
        match self.unless_stopped(Request::Cancel, fetch).await? {
            Ok(Fetched::New) => {
                self.log
                    .line(&format!("Downloaded cache from {place}"))
                    .await;
            }
            Ok(Fetched::UpToDate) => self.log.line("cache.zip is up to date").await,
            Ok(Fetched::Missing) => {
                self.log.line(&format!("No cache at {place}")).await;
                return Ok(false);
            }
            Err(reason) => {
                self.bucket_is_away = true;
                let text = format!(
                    "cache was not downloaded from {place}: {reason}. Instead what is on this \
                     machine is used"
                );
                self.log.warning(&text).await;
            }
        }
        Ok(true)
    }

    /// Takes the archive to the bucket that runners share, where there is one.
    pub(crate) async fn send_shared(
        &mut self,
        key: &str,
        archive: &Path,
        is_new: bool,
    ) -> Result<(), Failure> {
        let Some(shared) = &self.config.shared_cache else {
            return Ok(());
        };
        if self.bucket_is_away {
            return Ok(());
        }
        let object = shared.object(self.payload.job_info.project_id, key);
        let place = format!("s3://{}/{object}", shared.bucket);
        let send = async {
            CacheBucket::new(shared)?
                .send(&object, archive, is_new)
                .await
        };
        match self.unless_stopped(Request::Abort, send).await? {
            Ok(Sent::New) => self.log.line(&format!("Uploaded cache to {place}")).await,
            Ok(Sent::UpToDate) => {
                let text = format!("Not uploading cache {key}: {place} has it already");
                self.log.line(&text).await;
            }
            Ok(Sent::TooLarge) => {
                let limit = shared.upload_limit;
                let text = format!(
                    "cache {key} is larger than `MaxUploadedArchiveSize` of {limit} bytes and \
                     stays on this machine"
                );
                self.log.warning(&text).await;
            }
            Err(reason) => {
                self.bucket_is_away = true;
                let text = format!(
                    "cache was not uploaded to {place}: {reason}. It stays on this machine"
                );
                self.log.warning(&text).await;
            }
        }
        Ok(())
    }
}
