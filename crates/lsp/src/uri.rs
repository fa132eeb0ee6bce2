//! Addresses of files: `file:///home/a%20b/.gitlab-ci.yml`.

use lsp_types::Uri;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What is written as `%..` in the path of an address.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The file of an address; `None` where it is none of this machine. Links on the way are
/// followed, so that one file has one path.
pub(crate) fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if !rest.starts_with('/') {
        return None;
    }
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let decoded = percent_decode_str(&rest[..end]).decode_utf8().ok()?;
    Some(real(Path::new(decoded.as_ref())))
}

/// The path without links, also of a file that is not saved yet.
pub(crate) fn real(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// The address of a file.
pub(crate) fn of(path: &Path) -> Option<Uri> {
    let path = utf8_percent_encode(path.to_str()?, ESCAPED);
    Uri::from_str(&format!("file://{path}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for name in ["/a/.gitlab-ci.yml", "/a b/ä#1?.yml", "/a%20[x]/^.yml"] {
            let uri = of(Path::new(name)).unwrap();
            assert_eq!(path(&uri), Some(PathBuf::from(name)), "{}", uri.as_str());
        }
        for other in ["untitled:1", "https://host/a.yml", "file://host/a.yml"] {
            assert_eq!(path(&Uri::from_str(other).unwrap()), None, "{other}");
        }
    }
}
