//! Zip archives: modes, symbolic links and times are kept; nothing is held in memory.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zip::write::FullFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::{COPY_BYTES, WriteError};
use crate::files::{Stop, open_regular};

/// Header of the field with the time of last modification in seconds since 1970.
const EXTENDED_TIMESTAMP: u16 = 0x5455;
/// From this size on an entry needs the larger headers.
const LARGE_FILE: u64 = 0xFFFF_0000;

/// Writes the files at `paths` below `root` to `file`. `level` is that of deflate; 0 stores.
/// Files that vanished meanwhile are left out.
pub(crate) fn write_zip(
    root: &Path,
    paths: &[PathBuf],
    file: &File,
    level: i64,
    comment: &str,
    stop: &Stop,
) -> Result<(), WriteError> {
    let mut writer = ZipWriter::new(BufWriter::with_capacity(COPY_BYTES, FailOnce::new(file)));
    writer.set_comment(comment).map_err(WriteError::write)?;
    for path in paths {
        if stop.is_asked() {
            return Err(WriteError::Stopped);
        }
        let full = root.join(path);
        let metadata = match std::fs::symlink_metadata(&full) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.map_err(WriteError::read(&full))?,
        };
        let name = path.to_string_lossy();
        let options = options(&metadata, level);
        if metadata.is_symlink() {
            let target = std::fs::read_link(&full).map_err(WriteError::read(&full))?;
            writer
                .add_symlink(name, target.to_string_lossy(), options)
                .map_err(WriteError::write)?;
        } else if metadata.is_dir() {
            writer
                .add_directory(name, options)
                .map_err(WriteError::write)?;
        } else {
            let content = open_regular(&full).map_err(WriteError::read(&full))?;
            writer
                .start_file(name, options)
                .map_err(WriteError::write)?;
            copy(content, &mut writer, &full, stop)?;
        }
    }
    let mut buffer = writer.finish().map_err(WriteError::write)?;
    buffer.flush().map_err(WriteError::write)
}

/// The comment of a whole archive, or nothing where there is no archive.
pub(crate) fn read_comment(path: &Path) -> Option<Vec<u8>> {
    let archive = ZipArchive::new(File::open(path).ok()?).ok()?;
    Some(archive.comment().to_vec())
}

fn copy(
    mut content: File,
    writer: &mut impl Write,
    path: &Path,
    stop: &Stop,
) -> Result<(), WriteError> {
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        if stop.is_asked() {
            return Err(WriteError::Stopped);
        }
        match content.read(&mut buffer).map_err(WriteError::read(path))? {
            0 => return Ok(()),
            count => writer
                .write_all(&buffer[..count])
                .map_err(WriteError::write)?,
        }
    }
}

/// Passes the first error on and then swallows everything: a dropped [`ZipWriter`] tries to
/// finish the archive and would complain on standard error about what is reported already.
struct FailOnce<'a> {
    file: &'a File,
    failed: bool,
}

impl<'a> FailOnce<'a> {
    fn new(file: &'a File) -> Self {
        Self {
            file,
            failed: false,
        }
    }
}

impl Write for FailOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.failed {
            return Ok(bytes.len());
        }
        let written = self.file.write(bytes);
        self.failed = written.is_err();
        written
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.failed {
            Ok(())
        } else {
            self.file.flush()
        }
    }
}

impl Seek for FailOnce<'_> {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(position)
    }
}

fn options(metadata: &Metadata, level: i64) -> FullFileOptions<'static, 'static> {
    let method = match level {
        0 => CompressionMethod::Stored,
        _ => CompressionMethod::Deflated,
    };
    let mut options = FullFileOptions::default()
        .compression_method(method)
        .compression_level((level > 0).then_some(level))
        .unix_permissions(metadata.permissions().mode())
        .last_modified_time(date_time(metadata.mtime()))
        .large_file(metadata.len() >= LARGE_FILE);
    if let Ok(seconds) = u32::try_from(metadata.mtime()) {
        let mut field = vec![1];
        field.extend_from_slice(&seconds.to_le_bytes());
        // Without the field the coarser time above is used; a fixed header cannot be refused.
        let _ = options.add_extra_field(EXTENDED_TIMESTAMP, field, false);
    }
    options
}

/// Seconds since 1970 as the date and time of a zip header, in UTC; 1980 where it has none.
fn date_time(seconds: i64) -> DateTime {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days to a date of the civil calendar, counted from 1 March of year 0.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    u16::try_from(year)
        .ok()
        .and_then(|year| {
            DateTime::from_date_and_time(
                year,
                month as u8,
                day as u8,
                (rest / 3600) as u8,
                (rest / 60 % 60) as u8,
                (rest % 60) as u8,
            )
            .ok()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, expected) in [
            (1_785_578_400, (2026, 8, 1, 10, 0, 0)),
            // The header counts seconds in pairs.
            (1_709_164_799, (2024, 2, 28, 23, 59, 58)),
            (1_709_164_800, (2024, 2, 29, 0, 0, 0)),
            (0, (1980, 1, 1, 0, 0, 0)),
        ] {
            let time = date_time(seconds);
            let read = (
                time.year(),
                time.month(),
                time.day(),
                time.hour(),
                time.minute(),
                time.second(),
            );
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), vec![7; 1 << 20]).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let written = write_zip(
            root.path(),
            &["file".into()],
            &full,
            0,
            "",
            &Stop::default(),
        );
        let error = written.unwrap_err().to_string();
        assert!(error.starts_with("cannot write the archive: "), "{error}");
        assert!(error.contains("is the disk full?"), "{error}");
    }
}
