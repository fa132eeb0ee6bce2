//! Reports: gzip members one after another, or one file as it is.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};

use super::WriteError;
use crate::files::{Stop, open_regular};

/// Writes one member per regular file among `paths`, so that unpacking the whole gives the
/// files' contents one after another.
pub(crate) fn write_gzip(
    root: &Path,
    paths: &[PathBuf],
    file: &File,
    stop: &Stop,
) -> Result<(), WriteError> {
    let mut writer = BufWriter::new(file);
    for path in regular_files(root, paths) {
        if stop.is_asked() {
            return Err(WriteError::Stopped);
        }
        let full = root.join(path);
        let mut content = open_regular(&full).map_err(WriteError::read(&full))?;
        let metadata = content.metadata().map_err(WriteError::read(&full))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut member = GzBuilder::new()
            .filename(header_text(&name))
            .comment(header_text(&path.to_string_lossy()))
            .mtime(u32::try_from(metadata.mtime()).unwrap_or(0))
            .write(&mut writer, Compression::default());
        std::io::copy(&mut content, &mut member).map_err(WriteError::write)?;
        member.finish().map_err(WriteError::write)?;
    }
    writer.flush().map_err(WriteError::write)
}

/// Copies the one regular file among `paths`.
pub(crate) fn copy_single(root: &Path, paths: &[PathBuf], file: &File) -> Result<(), WriteError> {
    let files: Vec<_> = regular_files(root, paths).collect();
    let [path] = files[..] else {
        return Err(WriteError::NotSingle { count: files.len() });
    };
    let full = root.join(path);
    let mut content = open_regular(&full).map_err(WriteError::read(&full))?;
    let mut writer = file;
    std::io::copy(&mut content, &mut writer).map_err(WriteError::write)?;
    Ok(())
}

fn regular_files<'a>(root: &Path, paths: &'a [PathBuf]) -> impl Iterator<Item = &'a PathBuf> {
    paths.iter().filter(move |path| {
        std::fs::symlink_metadata(root.join(path)).is_ok_and(|metadata| metadata.is_file())
    })
}

/// Text of a member's header, which is Latin-1 by definition: anything beyond ASCII, and the
/// percent sign, goes percent-encoded behind `e:`.
fn header_text(text: &str) -> Vec<u8> {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'%';
    if text.bytes().all(plain) {
        return text.as_bytes().to_vec();
    }
    let mut encoded = b"e:".to_vec();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(byte);
        } else {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn members_unpack_to_all_contents() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("d")).unwrap();
        std::fs::write(root.path().join("d/a.xml"), "<a/>\n").unwrap();
        std::fs::write(root.path().join("b ü.xml"), "<b/>\n").unwrap();
        let paths: Vec<PathBuf> = ["b ü.xml", "d", "d/a.xml"].map(PathBuf::from).into();
        let file = tempfile::NamedTempFile::new().unwrap();
        write_gzip(root.path(), &paths, file.as_file(), &Stop::default()).unwrap();
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(File::open(file.path()).unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "<b/>\n<a/>\n");
    }

    #[test]
    fn only_one_file_goes_raw() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::write(root.path().join(name), name).unwrap();
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        copy_single(root.path(), &["a".into()], file.as_file()).unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"a");
        let both = copy_single(root.path(), &["a".into(), "b".into()], file.as_file());
        assert!(matches!(both, Err(WriteError::NotSingle { count: 2 })));
    }

    #[test]
    fn header_text_is_ascii() {
        for (text, expected) in [("a b.xml", "a b.xml"), ("ü", "e:%C3%BC"), ("5%", "e:5%25")] {
            assert_eq!(header_text(text), expected.as_bytes());
        }
    }
}
