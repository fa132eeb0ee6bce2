//! The two services of git over HTTP, and how each call of them is set up.

use std::path::Path;
use std::time::Duration;

use super::call::Call;

/// What a client may ask of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Clone and fetch: reading.
    UploadPack,
    /// Push: writing.
    ReceivePack,
}

impl Service {
    /// Reads the name that stands in addresses, `git-upload-pack`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "git-upload-pack" => Some(Self::UploadPack),
            "git-receive-pack" => Some(Self::ReceivePack),
            _ => None,
        }
    }

    /// The name that stands in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The `Content-Type` of the answer to `info/refs`.
    pub fn advertisement_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-advertisement",
            Self::ReceivePack => "application/x-git-receive-pack-advertisement",
        }
    }

    /// The `Content-Type` that a request must have.
    pub fn request_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-request",
            Self::ReceivePack => "application/x-git-receive-pack-request",
        }
    }

    /// The `Content-Type` of the answer to a request.
    pub fn result_type(self) -> &'static str {
        match self {
            Self::UploadPack => "application/x-git-upload-pack-result",
            Self::ReceivePack => "application/x-git-receive-pack-result",
        }
    }

    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::UploadPack => &[
                // Partial clones, and the single objects that they ask for later; the latter
                // also serves a job whose branch was force-pushed meanwhile. As GitLab.
                "uploadpack.allowFilter=true",
                "uploadpack.allowAnySHA1InWant=true",
            ],
            Self::ReceivePack => &[
                "receive.advertisePushOptions=true",
                "receive.autogc=false",
                // What is read by runners only is neither offered to pushers nor taken from
                // them.
                "receive.hideRefs=refs/",
                "receive.hideRefs=!refs/heads/",
                "receive.hideRefs=!refs/tags/",
                "receive.fsckObjects=true",
                // Faults of old histories that harm nobody; GitLab takes them too.
                "receive.fsck.badTimezone=ignore",
                "receive.fsck.missingSpaceBeforeDate=ignore",
                "receive.fsck.zeroPaddedFilemode=ignore",
            ],
        }
    }
}

/// Limits of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A push's pack in bytes at most.
    pub push_bytes: u64,
    /// A fetch's request in bytes at most, unpacked: what the client has and wants.
    pub fetch_request_bytes: u64,
    /// A client may send nothing, or take nothing, for this long at most.
    pub idle: Duration,
}

impl Default for Limits {
    /// 5 GiB for a push (gitlab.com's limit), 64 MiB for what a fetch asks (about a million
    /// commits), ten minutes of silence.
    fn default() -> Self {
        Self {
            push_bytes: 5 * 1024 * 1024 * 1024,
            fetch_request_bytes: 64 * 1024 * 1024,
            idle: Duration::from_secs(600),
        }
    }
}

/// The header `Git-Protocol` in bytes at most.
const LONGEST_PROTOCOL: usize = 200;

/// What of the header `Git-Protocol` is passed on: keys and values as git writes them, nothing
/// of anybody else.
pub(super) fn protocol(header: Option<&str>) -> Option<&str> {
    let expected = |c: char| c.is_ascii_alphanumeric() || "=:._-".contains(c);
    header.filter(|text| text.len() <= LONGEST_PROTOCOL && text.chars().all(expected))
}

/// Whether the client speaks protocol version 2.
pub(super) fn is_version_2(protocol: Option<&str>) -> bool {
    protocol.is_some_and(|text| text.split(':').any(|pair| pair == "version=2"))
}

/// A call of the service in its stateless form, in the repository's directory.
pub(super) fn call(directory: &Path, service: Service, header: Option<&str>) -> Call {
    let mut call = Call::new(directory);
    for setting in service.settings() {
        call = call.setting(setting);
    }
    if let Some(protocol) = protocol(header) {
        call = call.env("GIT_PROTOCOL", protocol);
    }
    call
}

/// The subcommand of git.
pub(super) fn subcommand(service: Service) -> &'static str {
    match service {
        Service::UploadPack => "upload-pack",
        Service::ReceivePack => "receive-pack",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_headers() {
        for (header, passed, second) in [
            (None, None, false),
            (Some("version=2"), Some("version=2"), true),
            (Some("version=1"), Some("version=1"), false),
            (Some("x:version=2"), Some("x:version=2"), true),
            (Some("version=2\n"), None, false),
            (Some("version=2 "), None, false),
        ] {
            assert_eq!(protocol(header), passed, "{header:?}");
            assert_eq!(is_version_2(protocol(header)), second, "{header:?}");
        }
        assert_eq!(protocol(Some(&"a".repeat(201))), None);
    }
}
