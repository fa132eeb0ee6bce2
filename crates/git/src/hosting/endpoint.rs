//! The addresses that a git client asks.

use super::full_path::FullPath;
use super::service::Service;

/// What a git client asks for over HTTP (gitprotocol-http).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET …/info/refs?service=…`: the refs, or what the server can do.
    InfoRefs(FullPath, Service),
    /// `POST …/git-upload-pack` or `…/git-receive-pack`.
    Rpc(FullPath, Service),
}

impl Endpoint {
    /// Reads the path of an address (with or without the slash before it, already free of
    /// percent-encoding) and its query. `.git` after the project may be missing, as in GitLab.
    ///
    /// `None` is for everything else, the files of the "dumb" protocol among it.
    pub fn parse(path: &str, query: Option<&str>) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let project = |text: &str| FullPath::parse(text.strip_suffix(".git").unwrap_or(text)).ok();
        if let Some(text) = path.strip_suffix("/info/refs") {
            let name = query?
                .split('&')
                .find_map(|pair| pair.strip_prefix("service="))?;
            return Some(Self::InfoRefs(project(text)?, Service::parse(name)?));
        }
        let (text, name) = path.rsplit_once('/')?;
        Some(Self::Rpc(project(text)?, Service::parse(name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let project = FullPath::parse("g/p").expect("path");
        let info = |service| Some(Endpoint::InfoRefs(project.clone(), service));
        let rpc = |service| Some(Endpoint::Rpc(project.clone(), service));
        for (path, query, expected) in [
            (
                "/g/p.git/info/refs",
                Some("service=git-upload-pack"),
                info(Service::UploadPack),
            ),
            (
                "g/p/info/refs",
                Some("a=b&service=git-receive-pack"),
                info(Service::ReceivePack),
            ),
            ("/g/p.git/git-upload-pack", None, rpc(Service::UploadPack)),
            (
                "/g/p.git/git-receive-pack",
                Some(""),
                rpc(Service::ReceivePack),
            ),
            ("/g/p.git/info/refs", None, None),
            (
                "/g/p.git/info/refs",
                Some("service=git-upload-archive"),
                None,
            ),
            ("/g/p.git/HEAD", None, None),
            ("/g/p.git/objects/info/packs", None, None),
            ("/../p.git/git-upload-pack", None, None),
            ("/p.git/git-upload-pack", None, None),
            ("/git-upload-pack", None, None),
        ] {
            assert_eq!(Endpoint::parse(path, query), expected, "{path} {query:?}");
        }
    }
}
