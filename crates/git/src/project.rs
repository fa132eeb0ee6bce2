//! The address of a remote, read as a project's path.

/// The namespace of a project that has no remote to name one.
const LOCAL_NAMESPACE: &str = "local";

/// A project as GitLab addresses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectPath {
    /// The server's host name without port; none for a local path or no remote at all.
    pub host: Option<String>,
    /// The server's port when the remote is `http` or `https` and names one.
    pub port: Option<u16>,
    /// The remote was plain `http`.
    pub insecure: bool,
    /// Groups and name: `group/sub/name`.
    pub path: String,
}

impl ProjectPath {
    /// The project of a repository without a remote, named after its directory.
    pub(crate) fn local(directory_name: &str) -> Self {
        let name = clean(directory_name).unwrap_or_else(|| "project".to_owned());
        Self {
            host: None,
            port: None,
            insecure: false,
            path: format!("{LOCAL_NAMESPACE}/{name}"),
        }
    }

    /// Reads a remote's address in any form git takes: a URL, `[user@]host:path` or a path.
    /// An address that names no project leaves the directory's name.
    pub(crate) fn parse(url: &str, directory_name: &str) -> Self {
        let Address {
            scheme,
            host,
            port,
            path,
        } = Address::split(url);
        let mut names: Vec<String> = path.split('/').filter_map(clean).collect();
        if let Some(last) = names.last_mut()
            && let Some(stem) = last.strip_suffix(".git").filter(|stem| !stem.is_empty())
        {
            *last = stem.to_owned();
        }
        if host.is_none() {
            // Of a path on this disk the last two names say which project it is; the rest
            // says where the disk is mounted.
            names.drain(..names.len().saturating_sub(2));
        }
        if names.is_empty() {
            names = vec![Self::local(directory_name).name().to_owned()];
        }
        if names.len() == 1 {
            names.insert(0, LOCAL_NAMESPACE.to_owned());
        }
        let web = matches!(scheme, Some("http" | "https"));
        Self {
            host: host.map(str::to_ascii_lowercase),
            port: port.filter(|_| web),
            insecure: scheme == Some("http"),
            path: names.join("/"),
        }
    }

    /// The last name: `CI_PROJECT_NAME`.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Everything before the name: `CI_PROJECT_NAMESPACE`.
    pub fn namespace(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    /// The first name: `CI_PROJECT_ROOT_NAMESPACE`.
    pub fn root_namespace(&self) -> &str {
        self.path.split('/').next().unwrap_or(&self.path)
    }
}

/// The parts of a remote's address that matter here.
struct Address<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<u16>,
    path: &'a str,
}

impl<'a> Address<'a> {
    fn split(url: &'a str) -> Self {
        if let Some((scheme, rest)) = url.split_once("://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            if scheme.eq_ignore_ascii_case("file") {
                return Self::path(path);
            }
            let scheme = ["http", "https"]
                .into_iter()
                .find(|known| scheme.eq_ignore_ascii_case(known));
            let (host, port) = split_port(without_user(authority));
            return Self {
                scheme,
                host: Some(host).filter(|host| !host.is_empty()),
                port,
                path,
            };
        }
        match scp_like(url) {
            Some((authority, path)) => {
                let (host, _) = split_port(without_user(authority));
                Self {
                    scheme: None,
                    host: Some(host),
                    port: None,
                    path,
                }
            }
            None => Self::path(url),
        }
    }

    fn path(path: &'a str) -> Self {
        Self {
            scheme: None,
            host: None,
            port: None,
            path,
        }
    }
}

/// `[user@]host:path`, which git takes only when no slash comes before the first colon.
fn scp_like(url: &str) -> Option<(&str, &str)> {
    let authority_end = match url.find('[') {
        // An IPv6 address, or a host with a port, is in brackets.
        Some(start) if !url[..start].contains(['/', ':']) => start + url[start..].find(']')?,
        _ => 0,
    };
    let colon = authority_end + url[authority_end..].find(':')?;
    let (authority, path) = (&url[..colon], &url[colon + 1..]);
    (!authority.is_empty() && !authority.contains('/')).then_some((authority, path))
}

fn without_user(authority: &str) -> &str {
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

fn split_port(authority: &str) -> (&str, Option<u16>) {
    let inner = authority.strip_prefix('[');
    if let Some((address, after)) = inner.and_then(|inner| inner.split_once(']')) {
        // `[host:port]` is a host with a port, `[::1]` an address.
        return match address.split_once(':') {
            Some((host, port)) if !port.contains(':') && !host.is_empty() => {
                (host, port.parse().ok())
            }
            _ => (
                address,
                after.strip_prefix(':').and_then(|port| port.parse().ok()),
            ),
        };
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (authority, None),
    }
}

/// One name as GitLab allows it in a path: letters, digits, `_`, `-` and `.`, not beginning
/// with `-` or `.`. Nothing when nothing is left, and `~`, `.` and `..` are not names.
fn clean(name: &str) -> Option<String> {
    let cleaned: String = name
        .chars()
        .map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' => letter,
            _ => '-',
        })
        .collect();
    let cleaned = cleaned
        .trim_start_matches(['-', '.'])
        .trim_end_matches(['-', '.']);
    (!cleaned.is_empty()).then(|| cleaned.to_owned())
}

/// The address without what must not be shown or stored: the user part of a web address, the
/// password of any other.
pub(crate) fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((user, host)) = authority.rsplit_once('@') else {
        return url.to_owned();
    };
    let user = user.split(':').next().unwrap_or_default();
    if scheme.to_ascii_lowercase().starts_with("http") || user.is_empty() {
        format!("{scheme}://{host}{path}")
    } else {
        format!("{scheme}://{user}@{host}{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_read_as_project_paths() {
        for (url, host, port, path) in [
            (
                "git@gitlab.example.com:group/sub/name.git",
                Some("gitlab.example.com"),
                None,
                "group/sub/name",
            ),
            (
                "gitlab.example.com:group/name",
                Some("gitlab.example.com"),
                None,
                "group/name",
            ),
            (
                "git@GitLab.Example.com:/group/name.git/",
                Some("gitlab.example.com"),
                None,
                "group/name",
            ),
            (
                "[git@host:2222]:group/name.git",
                Some("host"),
                None,
                "group/name",
            ),
            ("git@[::1]:group/name.git", Some("::1"), None, "group/name"),
            (
                "ssh://git@host:2222/group/name.git",
                Some("host"),
                None,
                "group/name",
            ),
            (
                "ssh://git@[fe80::1]:22/group/name",
                Some("fe80::1"),
                None,
                "group/name",
            ),
            ("git+ssh://host/~me/name.git", Some("host"), None, "me/name"),
            (
                "git://host/group/name.git",
                Some("host"),
                None,
                "group/name",
            ),
            (
                "https://host/group/name.git",
                Some("host"),
                None,
                "group/name",
            ),
            (
                "HTTPS://user:pa%40ss@host:8443/a/b/c/name.git/",
                Some("host"),
                Some(8443),
                "a/b/c/name",
            ),
            (
                "https://oauth2:glpat-x@host/group/name",
                Some("host"),
                None,
                "group/name",
            ),
            (
                "http://host:8080/group/my%20name.git",
                Some("host"),
                Some(8080),
                "group/my-20name",
            ),
            ("https://host", Some("host"), None, "local/tree"),
            ("https://host/name.git", Some("host"), None, "local/name"),
            ("file:///srv/git/group/name.git", None, None, "group/name"),
            ("/srv/git/group/name.git", None, None, "group/name"),
            ("/srv/git/group/name/.git", None, None, "name/git"),
            ("../name.git", None, None, "local/name"),
            ("./with:colon/name", None, None, "with-colon/name"),
            ("name", None, None, "local/name"),
            ("/", None, None, "local/tree"),
            ("", None, None, "local/tree"),
            ("host:", Some("host"), None, "local/tree"),
            ("[", None, None, "local/tree"),
            ("://", None, None, "local/tree"),
        ] {
            let project = ProjectPath::parse(url, "tree");
            assert_eq!(
                (project.host.as_deref(), project.port, project.path.as_str()),
                (host, port, path),
                "{url}"
            );
        }
        assert!(ProjectPath::parse("http://h/a/b", "").insecure);
    }

    #[test]
    fn a_directory_name_becomes_a_valid_project_name() {
        for (directory, path) in [
            ("app", "local/app"),
            ("My app (1)", "local/My-app--1"),
            (".dotfiles", "local/dotfiles"),
            ("", "local/project"),
            ("日本", "local/project"),
        ] {
            assert_eq!(ProjectPath::local(directory).path, path, "{directory}");
        }
    }

    #[test]
    fn the_parts_of_a_path() {
        let project = ProjectPath::parse("git@h:a/b/c.git", "");
        assert_eq!(
            (
                project.name(),
                project.namespace(),
                project.root_namespace()
            ),
            ("c", "a/b", "a")
        );
    }

    #[test]
    fn credentials_are_taken_out_of_addresses() {
        for (url, expected) in [
            ("https://user:token@host/a/b.git", "https://host/a/b.git"),
            ("https://token@host:8443/a", "https://host:8443/a"),
            ("https://user:p@ss@host/a", "https://host/a"),
            ("https://host/a@b", "https://host/a@b"),
            ("ssh://git:secret@host:22/a", "ssh://git@host:22/a"),
            ("ssh://git@host/a", "ssh://git@host/a"),
            ("git@host:a/b", "git@host:a/b"),
            ("/srv/x@y", "/srv/x@y"),
        ] {
            assert_eq!(without_credentials(url), expected, "{url}");
        }
    }
}
