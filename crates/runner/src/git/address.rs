//! The clone address, taken apart: what may be stored and what may not.

/// An address and the credentials that were in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// Without credentials; this one is the remote.
    pub url: String,
    credentials: Option<Credentials>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Credentials {
    /// `https://user:password@host/`.
    with: String,
    /// `https://host/`.
    without: String,
    host: String,
    password: Option<String>,
}

impl Address {
    /// Takes the address of `git_info.repo_url` apart.
    pub(crate) fn parse(url: &str) -> Self {
        let plain = || Self {
            url: url.to_owned(),
            credentials: None,
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return plain();
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let Some((user, host)) = authority.rsplit_once('@') else {
            return plain();
        };
        if !matches!(scheme, "http" | "https") {
            return plain();
        }
        let without = format!("{scheme}://{host}/");
        Self {
            url: format!("{without}{path}"),
            credentials: Some(Credentials {
                with: format!("{scheme}://{authority}/"),
                without,
                host: host.to_owned(),
                password: user
                    .split_once(':')
                    .map(|(_, password)| password.to_owned()),
            }),
        }
    }

    /// What must not appear in a log.
    pub(crate) fn secret(&self) -> Option<&str> {
        self.credentials.as_ref()?.password.as_deref()
    }

    /// The git setting by which this server, and no other, is trusted by these authorities;
    /// `None` where there is no TLS.
    pub(crate) fn authorities(&self, file: &std::path::Path) -> Option<String> {
        let (host, _) = self.url.strip_prefix("https://")?.split_once('/')?;
        Some(format!("http.https://{host}/.sslCAInfo={}", file.display()))
    }

    /// The transports git may use: that of the address, and HTTP for submodules.
    pub(crate) fn protocols(&self) -> String {
        let own = match self.url.split_once("://") {
            Some((scheme, _)) => scheme,
            // `host:path` is ssh, anything else a path.
            None if self.url.contains(':') && !self.url.starts_with(['/', '.']) => "ssh",
            None => "file",
        };
        match own {
            "http" | "https" => "http:https".to_owned(),
            own => format!("http:https:{own}"),
        }
    }

    /// The content of a git configuration that adds the credentials to every address of that
    /// host; with `force_https` also to its ssh addresses. Empty without credentials.
    pub(crate) fn configuration(&self, force_https: bool) -> String {
        let Some(credentials) = &self.credentials else {
            return String::new();
        };
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let host = credentials.host.split(':').next().unwrap_or_default();
        let mut instead = vec![credentials.without.clone()];
        if force_https {
            instead.extend([format!("git@{host}:"), format!("ssh://git@{host}/")]);
        }
        let mut text = format!("[url \"{}\"]\n", quoted(&credentials.with));
        for address in instead {
            text.push_str(&format!("\tinsteadOf = \"{}\"\n", quoted(&address)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out() {
        for (url, plain, secret, protocols) in [
            (
                "https://u:s3@h:8/g/p.git",
                "https://h:8/g/p.git",
                Some("s3"),
                "http:https",
            ),
            ("https://u@h/p", "https://h/p", None, "http:https"),
            ("http://h/a@b", "http://h/a@b", None, "http:https"),
            ("ssh://git@h/p", "ssh://git@h/p", None, "http:https:ssh"),
            ("git@h:p", "git@h:p", None, "http:https:ssh"),
            ("file:///srv/p", "file:///srv/p", None, "http:https:file"),
            ("/srv/p", "/srv/p", None, "http:https:file"),
        ] {
            let address = Address::parse(url);
            assert_eq!(address.url, plain);
            assert_eq!(address.secret(), secret, "{url}");
            assert_eq!(address.protocols(), protocols, "{url}");
        }
    }

    #[test]
    fn authorities_are_for_the_server_only() {
        let of = |url: &str| Address::parse(url).authorities("/ca.pem".as_ref());
        assert_eq!(
            of("https://u:p@h:8/g/p.git").as_deref(),
            Some("http.https://h:8/.sslCAInfo=/ca.pem")
        );
        assert_eq!(of("http://h/p"), None);
    }

    #[test]
    fn the_configuration_puts_them_back() {
        let address = Address::parse("https://u:a\"b@h:8/g/p.git");
        assert_eq!(
            address.configuration(true),
            "[url \"https://u:a\\\"b@h:8/\"]\n\tinsteadOf = \"https://h:8/\"\n\tinsteadOf = \"git@h:\"\n\tinsteadOf = \"ssh://git@h/\"\n"
        );
        assert_eq!(Address::parse("/srv/p").configuration(true), "");
    }
}
