//! `release`, as the step of a job that asks this server for the release.
//!
//! It runs in the job, as GitLab's does: variables and `$(…)` in its texts are the job's. It
//! needs `release-cli`, or else `curl`, in the job's image. The runner expands variables before
//! the shell does, so the lines use no variables of their own.

use shipway_config::{Release, ReleaseLink};

/// The lines of the step.
pub(crate) fn script(release: &Release) -> Vec<String> {
    let refusal = "release: there is neither release-cli nor curl here; use an image that has one";
    vec![format!(
        "if command -v release-cli >/dev/null 2>&1; then\n{}\n\
         elif command -v curl >/dev/null 2>&1; then\n{}\n\
         else\necho \"{refusal}\" >&2\nexit 1\nfi",
        by_release_cli(release),
        by_curl(release),
    )]
}

/// The lines of the step where there is no server: what it would be asked for.
pub(crate) fn told(release: &Release) -> Vec<String> {
    let line = |text: String| format!("echo {}", quoted(&text));
    let mut lines = vec![line(format!(
        "A server would release {} as the tag {} of {} now; a local run makes no release.",
        name(release),
        release.tag_name,
        target(release),
    ))];
    lines.push(line(format!("  description: {}", release.description)));
    for link in &release.links {
        lines.push(line(format!("  link {}: {}", link.name, link.url)));
    }
    lines
}

/// A text for the shell, which expands what it has: GitLab's behaviour.
fn quoted(text: &str) -> String {
    let mut quoted = text.replace('"', "\\\"");
    if quoted.ends_with('\\') {
        quoted.push('\\');
    }
    format!("\"{quoted}\"")
}

/// Where the tag is made, if there is none.
fn target(release: &Release) -> &str {
    release.git_ref.as_deref().unwrap_or("$CI_COMMIT_SHA")
}

fn by_release_cli(release: &Release) -> String {
    let mut command = "release-cli create".to_owned();
    let mut option = |name: &str, value: &str| {
        command.push_str(&format!(" --{name} {}", quoted(value)));
    };
    option("name", name(release));
    option("description", &release.description);
    option("tag-name", &release.tag_name);
    if let Some(message) = &release.tag_message {
        option("tag-message", message);
    }
    option("ref", target(release));
    if let Some(at) = &release.released_at {
        option("released-at", at);
    }
    for title in &release.milestones {
        option("milestone", title);
    }
    for link in &release.links {
        option("assets-link", &json(link));
    }
    command
}

fn name(release: &Release) -> &str {
    release.name.as_deref().unwrap_or(&release.tag_name)
}

/// A link as `release-cli` reads it.
fn json(link: &ReleaseLink) -> String {
    let mut all = serde_json::json!({ "name": link.name, "url": link.url });
    if let Some(path) = &link.filepath {
        all["filepath"] = path.as_str().into();
    }
    if let Some(kind) = &link.link_type {
        all["link_type"] = kind.as_str().into();
    }
    all.to_string()
}

fn by_curl(release: &Release) -> String {
    // A description that is the path of a file is that file's content. Of `$$@` the runner
    // leaves `$@`.
    let description = quoted(&release.description);
    let mut lines = vec![format!(
        "if [ -f {description} ]; then set -- --data-urlencode description@{description}; \
         else set -- --data-urlencode description={description}; fi"
    )];
    let mut data = Vec::new();
    let mut field = |name: &str, value: &str| {
        data.push(format!(
            "--data-urlencode {}",
            quoted(&format!("{name}={value}"))
        ));
    };
    field("name", name(release));
    field("tag_name", &release.tag_name);
    if let Some(message) = &release.tag_message {
        field("tag_message", message);
    }
    field("ref", target(release));
    if let Some(at) = &release.released_at {
        field("released_at", at);
    }
    for title in &release.milestones {
        field("milestones[]", title);
    }
    for (index, link) in release.links.iter().enumerate() {
        let mut of_link =
            |key: &str, value: &str| field(&format!("assets[links][{index}][{key}]"), value);
        of_link("name", &link.name);
        of_link("url", &link.url);
        if let Some(path) = &link.filepath {
            of_link("filepath", path);
        }
        if let Some(kind) = &link.link_type {
            of_link("link_type", kind);
        }
    }
    lines.push(format!(
        "curl --silent --show-error --fail-with-body --output /dev/stderr \
         --header \"JOB-TOKEN: $CI_JOB_TOKEN\" \"$$@\" {} \
         \"$CI_API_V4_URL/projects/$CI_PROJECT_ID/releases\"",
        data.join(" ")
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_release() {
        let release = Release {
            tag_name: "v$VERSION".to_owned(),
            name: Some("Say \"hi\"".to_owned()),
            description: "notes.md".to_owned(),
            milestones: vec!["m1".to_owned()],
            released_at: Some("2026-01-02T03:04:05Z".to_owned()),
            links: vec![ReleaseLink {
                name: "app".to_owned(),
                url: "https://example.com/app".to_owned(),
                filepath: Some("/bin/app".to_owned()),
                link_type: Some("package".to_owned()),
            }],
            ..Release::default()
        };
        let expected = r#"if command -v release-cli >/dev/null 2>&1; then
release-cli create --name "Say \"hi\"" --description "notes.md" --tag-name "v$VERSION" --ref "$CI_COMMIT_SHA" --released-at "2026-01-02T03:04:05Z" --milestone "m1" --assets-link "{\"name\":\"app\",\"url\":\"https://example.com/app\",\"filepath\":\"/bin/app\",\"link_type\":\"package\"}"
elif command -v curl >/dev/null 2>&1; then
if [ -f "notes.md" ]; then set -- --data-urlencode description@"notes.md"; else set -- --data-urlencode description="notes.md"; fi
curl --silent --show-error --fail-with-body --output /dev/stderr --header "JOB-TOKEN: $CI_JOB_TOKEN" "$$@" --data-urlencode "name=Say \"hi\"" --data-urlencode "tag_name=v$VERSION" --data-urlencode "ref=$CI_COMMIT_SHA" --data-urlencode "released_at=2026-01-02T03:04:05Z" --data-urlencode "milestones[]=m1" --data-urlencode "assets[links][0][name]=app" --data-urlencode "assets[links][0][url]=https://example.com/app" --data-urlencode "assets[links][0][filepath]=/bin/app" --data-urlencode "assets[links][0][link_type]=package" "$CI_API_V4_URL/projects/$CI_PROJECT_ID/releases"
else
echo "release: there is neither release-cli nor curl here; use an image that has one" >&2
exit 1
fi"#;
        assert_eq!(script(&release).join("\n"), expected);
    }

    #[test]
    fn a_text_stays_in_its_quotes() {
        for (text, expected) in [
            ("a", r#""a""#),
            (r#"a "b""#, r#""a \"b\"""#),
            (r"a\", r#""a\\""#),
            ("$X $(cat y)", r#""$X $(cat y)""#),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }
}
