//! Logins for registries, from Docker's configuration format and the job's payload.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use shipway_protocol::Credential;
use tokio::io::AsyncWriteExt;

/// A credential helper that takes longer is given up.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);
/// The registry of images that name none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// Docker's `config.json`, as far as logins go.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DockerConfig {
    auths: std::collections::BTreeMap<String, Auth>,
    creds_store: Option<String>,
    cred_helpers: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// A login and where it came from, for the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Login {
    pub credentials: DockerCredentials,
    pub origin: String,
}

/// What a credential helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// The login for an image: the longest matching registry path wins, and of equal ones the
/// earlier source: the variable `DOCKER_AUTH_CONFIG`, the user's file, the payload. Also
/// returns what could not be read, for the log.
///
/// Helpers are programs on this machine; only the user's own file may name them, not a
/// job's variable.
pub(crate) async fn find_login(
    image: &str,
    variable: &str,
    file: Option<&Path>,
    payload: &[Credential],
) -> (Option<Login>, Vec<String>) {
    let mut warnings = Vec::new();
    let mut found: Vec<(usize, Login)> = Vec::new();
    if !variable.is_empty() {
        match serde_json::from_str::<DockerConfig>(variable) {
            Ok(config) => found.extend(from_auths(image, &config, "$DOCKER_AUTH_CONFIG")),
            Err(error) => warnings.push(format!("DOCKER_AUTH_CONFIG cannot be read: {error}")),
        }
    }
    if let Some(path) = file
        && let Ok(text) = tokio::fs::read_to_string(path).await
    {
        let origin = path.display().to_string();
        match serde_json::from_str::<DockerConfig>(&text) {
            Ok(config) => {
                found.extend(from_helper(image, &config, &origin, &mut warnings).await);
                found.extend(from_auths(image, &config, &origin));
            }
            Err(error) => warnings.push(format!("{origin} cannot be read: {error}")),
        }
    }
    for credential in payload
        .iter()
        .filter(|credential| credential.kind == "registry")
    {
        if let Some(length) = match_length(image, &credential.url) {
            let login = login(
                &credential.url,
                &credential.username,
                &credential.password,
                "job payload (GitLab Registry)",
            );
            found.push((length, login));
        }
    }
    let mut best: Option<(usize, Login)> = None;
    for (length, login) in found {
        if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
            best = Some((length, login));
        }
    }
    (best.map(|(_, login)| login), warnings)
}

fn login(server: &str, username: &str, password: &str, origin: &str) -> Login {
    Login {
        credentials: DockerCredentials {
            username: Some(username.to_owned()),
            password: Some(password.to_owned()),
            serveraddress: Some(server.to_owned()),
            ..DockerCredentials::default()
        },
        origin: origin.to_owned(),
    }
}

fn from_auths(image: &str, config: &DockerConfig, origin: &str) -> Vec<(usize, Login)> {
    let one = |(registry, auth): (&String, &Auth)| {
        let length = match_length(image, registry)?;
        let (username, password) = match &auth.auth {
            Some(encoded) => {
                let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
                let (username, password) = text.split_once(':')?;
                (
                    username.to_owned(),
                    password.trim_end_matches('\0').to_owned(),
                )
            }
            None => (auth.username.clone()?, auth.password.clone()?),
        };
        let mut login = login(registry, &username, &password, origin);
        login.credentials.identitytoken = auth.identitytoken.clone();
        Some((length, login))
    };
    config.auths.iter().filter_map(one).collect()
}

/// Asks the helper for the image's registry, if one is configured.
async fn from_helper(
    image: &str,
    config: &DockerConfig,
    origin: &str,
    warnings: &mut Vec<String>,
) -> Option<(usize, Login)> {
    let registry = registry_of(image);
    let named = config
        .cred_helpers
        .iter()
        .find(|(host, _)| match_length(image, host).is_some())
        .map(|(_, helper)| helper);
    let helper = named.or(config.creds_store.as_ref())?;
    let server = match registry {
        DEFAULT_REGISTRY => "https://index.docker.io/v1/",
        registry => registry,
    };
    match ask_helper(helper, server).await {
        Ok(Some(answer)) => {
            let login = login(server, &answer.username, &answer.secret, origin);
            Some((registry.len(), login))
        }
        Ok(None) => None,
        Err(reason) => {
            warnings.push(format!(
                "credential helper `{helper}` of {origin}: {reason}"
            ));
            None
        }
    }
}

async fn ask_helper(helper: &str, server: &str) -> Result<Option<HelperAnswer>, String> {
    if helper.is_empty() || helper.contains('/') {
        return Err("its name is no program's name".to_owned());
    }
    let mut child = tokio::process::Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input answers as well as it can.
        let _ = input.write_all(server.as_bytes()).await;
    }
    let output = tokio::time::timeout(HELPER_TIMEOUT, child.wait_with_output())
        .await
        .map_err(|_| format!("no answer within {} seconds", HELPER_TIMEOUT.as_secs()))?
        .map_err(|error| error.to_string())?;
    // It fails when it has no login for the registry; that is no trouble.
    if !output.status.success() {
        return Ok(None);
    }
    serde_json::from_slice(&output.stdout)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// The registry an image comes from.
fn registry_of(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => DEFAULT_REGISTRY,
    }
}

/// How much of the image's path a login's registry covers; `None` when it is another's.
fn match_length(image: &str, registry: &str) -> Option<usize> {
    let registry = registry
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let registry = registry.trim_end_matches("/v1").trim_end_matches("/v2");
    let registry = match registry {
        "index.docker.io" | "registry-1.docker.io" => DEFAULT_REGISTRY,
        registry => registry,
    };
    let full = match registry_of(image) {
        DEFAULT_REGISTRY if !image.starts_with(DEFAULT_REGISTRY) => {
            format!("{DEFAULT_REGISTRY}/{image}")
        }
        _ => image.to_owned(),
    };
    let rest = full.strip_prefix(registry)?;
    // A colon behind a path begins a tag; behind a host it begins a port: another registry.
    let ends_there = match rest.chars().next() {
        None | Some('/' | '@') => true,
        Some(':') => registry.contains('/'),
        Some(_) => false,
    };
    (ends_there && !registry.is_empty()).then_some(registry.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_match_by_path() {
        for (image, registry, expected) in [
            ("alpine", "https://index.docker.io/v1/", Some(9)),
            ("group/image", "docker.io", Some(9)),
            ("localhost:5000/a/b:1", "localhost:5000", Some(14)),
            ("localhost:5000/a/b:1", "localhost:5000/a", Some(16)),
            ("localhost:5000/ab:1", "localhost:5000/a", None),
            ("r.example.com/a", "http://r.example.com/", Some(13)),
            ("r.example.com/a", "example.com", None),
            ("r.example.com:5000/a", "r.example.com", None),
            ("alpine", "", None),
        ] {
            assert_eq!(
                match_length(image, registry).is_some(),
                expected.is_some(),
                "{image} {registry}"
            );
            assert_eq!(
                match_length(image, registry),
                expected,
                "{image} {registry}"
            );
        }
    }

    #[tokio::test]
    async fn the_longest_path_wins_and_then_the_earlier_source() {
        let auth = |user: &str| STANDARD.encode(format!("{user}:secret:1"));
        let variable = format!(
            r#"{{"auths": {{"r.io": {{"auth": "{}"}}, "r.io/a": {{"auth": "{}"}}}}}}"#,
            auth("wide"),
            auth("narrow")
        );
        let payload = [Credential {
            kind: "registry".into(),
            url: "r.io".into(),
            username: "payload".into(),
            password: "p".into(),
        }];
        for (image, variable, user) in [
            ("r.io/a/b", variable.as_str(), Some("narrow")),
            ("r.io/c", &variable, Some("wide")),
            ("r.io/c", "", Some("payload")),
            ("other.io/c", &variable, None),
        ] {
            let (login, warnings) = find_login(image, variable, None, &payload).await;
            let found = login.and_then(|login| login.credentials.username);
            assert_eq!(found.as_deref(), user, "{image}");
            assert!(warnings.is_empty());
        }
        let (login, _) = find_login("r.io/c", &variable, None, &[]).await;
        assert_eq!(
            login.unwrap().credentials.password.as_deref(),
            Some("secret:1")
        );
    }

    #[tokio::test]
    async fn an_unreadable_configuration_is_said() {
        let (login, warnings) = find_login("a", "{", None, &[]).await;
        assert_eq!(login, None);
        assert!(warnings[0].starts_with("DOCKER_AUTH_CONFIG cannot be read: "));
    }
}
