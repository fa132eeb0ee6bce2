//! `include` of other projects, components, templates and other hosts.

use crate::support::{accepted, messages};
use shipway_config::variables::{Collection, Variable};
use shipway_config::{
    Limits, LoadContext, Loaded, OtherProject, OtherProjectError, ProjectRequest, Reader,
    RemoteError, Severity, Source, SourceError, load_for,
};
use std::rc::Rc;
use std::time::Duration;

/// Files by path. In that of a [`World`], `group/name@ref:path` is a file of another project,
/// `host/group/name@ref:path` one that only components reach, `https://…` and `template:…`
/// are what they say.
#[derive(Clone)]
struct Tree(Vec<(String, String)>);

impl Source for Tree {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        let found = self.0.iter().find(|(name, _)| name == path);
        found
            .map(|(_, text)| text.clone())
            .ok_or(SourceError::NotFound)
    }

    fn list(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }
}

struct World {
    own: Tree,
    slow: bool,
}

impl World {
    fn named(request: &ProjectRequest<'_>) -> String {
        let host = request
            .host
            .map_or(String::new(), |host| format!("{host}/"));
        format!("{host}{}@", request.path)
    }
}

impl Source for World {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        self.own.local(path)
    }

    fn list(&self) -> Vec<String> {
        let all = self.own.list().into_iter();
        all.filter(|path| !path.contains([':', '@'])).collect()
    }

    fn project(&self, request: &ProjectRequest<'_>) -> Result<OtherProject, OtherProjectError> {
        if request.reader == Reader::Anonymous && !request.path.starts_with("public/") {
            return Err(OtherProjectError::Project);
        }
        if request.host.is_some_and(|host| host != "ci.test") {
            return Err(OtherProjectError::Host);
        }
        let project = Self::named(request);
        if !self
            .own
            .0
            .iter()
            .any(|(name, _)| name.starts_with(&project))
        {
            return Err(OtherProjectError::Project);
        }
        let git_ref = request.git_ref.unwrap_or("HEAD");
        let prefix = format!("{project}{git_ref}:");
        let files: Vec<(String, String)> = (self.own.0.iter())
            .filter_map(|(name, text)| Some((name.strip_prefix(&prefix)?.into(), text.clone())))
            .collect();
        if files.is_empty() {
            return Err(OtherProjectError::Ref);
        }
        Ok(OtherProject {
            sha: Some(format!("sha-of-{git_ref}")),
            files: Rc::new(Tree(files)),
        })
    }

    fn tags_of(&self, request: &ProjectRequest<'_>) -> Result<Vec<String>, OtherProjectError> {
        let project = Self::named(request);
        let names = self.own.0.iter();
        Ok(names
            .filter_map(|(name, _)| {
                Some(name.strip_prefix(&project)?.split_once(':')?.0.to_owned())
            })
            .collect())
    }

    fn remote(&self, url: &str, max_age: Option<Duration>) -> Result<String, RemoteError> {
        let text = self.own.local(url);
        let text = text.map_err(|_| RemoteError::new("of HTTP code `404` error").hint("look"))?;
        let age = max_age.map_or(0, |age| age.as_secs());
        Ok(text.replace("AGE", &age.to_string()))
    }

    fn template(&self, name: &str) -> Result<String, SourceError> {
        self.own.local(&format!("template:{name}"))
    }

    fn out_of_time(&self) -> Option<Duration> {
        self.slow.then_some(Duration::from_secs(30))
    }
}

fn load_in(files: &[(&str, &str)], limits: &Limits, slow: bool) -> Loaded {
    let own = files.iter();
    let own = own.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let world = World {
        own: Tree(own.collect()),
        slow,
    };
    let mut variables = Collection::new();
    variables.push(Variable::new("NAME", "ci"));
    variables.push(Variable {
        masked: true,
        ..Variable::new("TOKEN", "s3cret")
    });
    let context = LoadContext {
        variables,
        ..LoadContext::default()
    };
    load_for(files[0].0, files[0].1, &world, limits, &context)
}

fn load(files: &[(&str, &str)]) -> Loaded {
    load_in(files, &Limits::default(), false)
}

fn errors(files: &[(&str, &str)]) -> Vec<String> {
    messages(&load(files), Severity::Error)
}

fn jobs(files: &[(&str, &str)]) -> String {
    let config = accepted(load(files), files[0].1);
    let names: Vec<&str> = config.jobs.keys().map(String::as_str).collect();
    names.join(" ")
}

const JOB: &str = "x: {script: m}";

/// The jobs of one `include` beside the job `x`.
fn jobs_of(include: &str, world: &[(&str, &str)]) -> String {
    let main = format!("include: {include}\n{JOB}");
    let mut files = vec![("main", main.as_str())];
    files.extend(world);
    jobs(&files)
}

fn errors_of(include: &str, world: &[(&str, &str)]) -> Vec<String> {
    let main = format!("include: {include}\n{JOB}");
    let mut files = vec![("main", main.as_str())];
    files.extend(world);
    errors(&files)
}

#[test]
fn files_of_another_project() {
    let world = [
        ("g/p@HEAD:a.yml", "a: {script: m}"),
        ("g/p@HEAD:ci/b.yml", "b: {script: m}"),
        ("g/p@v1:a.yml", "old: {script: m}"),
        ("g/p@1.0:a.yml", "one: {script: m}"),
    ];
    for (include, expected) in [
        ("{project: g/p, file: a.yml}", "a x"),
        ("{project: g/p, file: /a.yml}", "a x"),
        ("{project: g/p, file: [a.yml, $NAME/b.yml]}", "a b x"),
        ("{project: g/p, file: a.yml, ref: v1}", "old x"),
        ("{project: g/p, file: a.yml, ref: 1.0}", "one x"),
        ("{project: g/p, file: a.yml, ref: $UNDEFINED}", "a x"),
    ] {
        assert_eq!(jobs_of(include, &world), expected, "{include}");
    }
    for (include, expected) in [
        (
            "{project: g/q, file: a.yml}",
            "1:20 Project `g/q` not found or access denied! Make sure any includes in the \
             pipeline configuration are correctly defined.",
        ),
        (
            "{project: g/p, file: a.yml, ref: v2}",
            "1:20 Project `g/p` reference `v2` does not exist!",
        ),
        (
            "{project: g/p, file: c.yml}",
            "1:31 Project `g/p` file `c.yml` does not exist!",
        ),
        (
            "{project: g/p, file: a.txt}",
            "1:31 Included file `a.txt` does not have YAML extension!",
        ),
        (
            "{project: g/p, file: ../a.yml}",
            "1:31 Project `g/p` file `../a.yml` does not exist!",
        ),
        (
            "{project: g/p, file: {a: b}}",
            "1:31 include:file should be a string or an array of strings",
        ),
        (
            "{project: g/p$TOKEN, file: a.yml}",
            "1:20 Project `g/p[MASKED]` not found or access denied! Make sure any includes in the \
             pipeline configuration are correctly defined.",
        ),
    ] {
        assert_eq!(errors_of(include, &world), [expected], "{include}");
    }
}

#[test]
fn what_a_file_includes_is_of_its_own_project_and_commit() {
    let files = [
        (
            "main",
            "include: {project: g/p, file: a.yml, ref: v1}\nx: {script: m}",
        ),
        ("b.yml", "wrong: {script: m}"),
        ("g/p@HEAD:b.yml", "wrong: {script: m}"),
        (
            "g/p@v1:a.yml",
            "include: [b.yml, {local: c.yml, rules: [{exists: [only-here]}]},\
             {local: c.yml, rules: [{exists: [main]}]}, 'sub/*.yml']",
        ),
        ("g/p@v1:b.yml", "b: {script: m}"),
        ("g/p@v1:c.yml", "c: {script: m}"),
        ("g/p@v1:sub/d.yml", "d: {script: m}"),
        ("g/p@v1:only-here", "1"),
    ];
    assert_eq!(jobs(&files), "b c d x");
}

#[test]
fn a_file_from_outside_has_no_project_no_variables_and_no_rights() {
    let world = [
        ("https://host/local.yml", "include: a.yml"),
        (
            "https://host/component.yml",
            "include: {component: ci.test/public/p/c@v1}",
        ),
        (
            "https://host/private.yml",
            "include: {project: g/p, file: a.yml}",
        ),
        (
            "https://host/public.yml",
            "include: {project: public/p, file: a.yml}",
        ),
        (
            "https://host/variable.yml",
            "include: {project: public/p, file: $NAME.yml}",
        ),
        (
            "https://host/exists.yml",
            "y: {script: m}\ninclude: {remote: 'https://host/missing.yml', rules: [{exists: [a.yml]}]}",
        ),
        ("template:Local.gitlab-ci.yml", "include: a.yml"),
        ("a.yml", "a: {script: m}"),
        ("g/p@HEAD:a.yml", "a: {script: m}"),
        ("public/p@HEAD:a.yml", "a: {script: m}"),
        ("public/p@HEAD:ci.yml", "ci: {script: m}"),
    ];
    assert_eq!(jobs_of("https://host/public.yml", &world), "a x");
    assert_eq!(jobs_of("https://host/exists.yml", &world), "y x");
    for (include, expected) in [
        (
            "https://host/local.yml",
            "1:10 Local file `a.yml` does not have project!",
        ),
        (
            "{template: Local.gitlab-ci.yml}",
            "1:10 Local file `a.yml` does not have project!",
        ),
        (
            "https://host/component.yml",
            "1:22 Unable to use components outside of a project context",
        ),
        (
            "https://host/private.yml",
            "1:20 Project `g/p` not found or access denied! Make sure any includes in the \
             pipeline configuration are correctly defined.",
        ),
        (
            "https://host/variable.yml",
            // A name of nothing but an extension is refused for that.
            "1:36 Included file `.yml` does not have YAML extension!",
        ),
    ] {
        let found = errors_of(include, &world);
        assert_eq!(found, [expected], "{include}");
    }
}

#[test]
fn files_of_other_hosts() {
    let world = [
        ("https://host/a.yml", "a: {script: m}"),
        ("https://host/age.yml", "age AGE: {script: m}"),
        ("https://host/empty.yml", " \n"),
        ("https://host/s3cret.yml", "y: {script: 1}\nz: {}"),
    ];
    let digest = "sha256-GsJdfSVyHsN+rjhxXF8Pwac4GTmb8yHsVY/rsvcN4xU=";
    for (include, expected) in [
        ("https://host/a.yml".to_owned(), "a x"),
        ("{remote: 'https://host/a.yml'}".to_owned(), "a x"),
        ("{remote: 'https://host/age.yml'}".to_owned(), "age 0 x"),
        (
            "{remote: 'https://host/age.yml', cache: true}".to_owned(),
            "age 3600 x",
        ),
        (
            "{remote: 'https://host/age.yml', cache: false}".to_owned(),
            "age 0 x",
        ),
        (
            "{remote: 'https://host/age.yml', cache: 2 hours}".to_owned(),
            "age 7200 x",
        ),
    ] {
        assert_eq!(jobs_of(&include, &world), expected, "{include}");
    }
    for (include, expected) in [
        (
            "https://host/b.yml".to_owned(),
            "1:10 Remote file `https://host/b.yml` could not be fetched because of HTTP code \
             `404` error!",
        ),
        (
            "ftp://host/b.yml".to_owned(),
            "1:10 Remote file `ftp://host/b.yml` does not have a valid address!",
        ),
        (
            "https://host/a.yml?ref=1".to_owned(),
            "1:10 Included file `https://host/a.yml?ref=1` does not have YAML extension!",
        ),
        (
            "https://host/empty.yml".to_owned(),
            "1:10 Remote file `https://host/empty.yml` is empty!",
        ),
        (
            format!("{{remote: 'https://host/a.yml', integrity: '{digest}'}}"),
            "1:52 Remote file `https://host/a.yml` failed integrity check!",
        ),
        (
            "{remote: 'https://host/a.yml', cache: 59 seconds}".to_owned(),
            "1:48 include config cache must be a boolean or a duration of at least 1 minute",
        ),
        (
            "{local: a.yml, cache: true}".to_owned(),
            "1:32 include config cache can only be specified for remote includes",
        ),
    ] {
        assert_eq!(errors_of(&include, &world), [expected], "{include}");
    }
}

#[test]
fn the_digest_that_a_file_must_have() {
    // SHA-256 of `a: {script: m}`, from another program.
    let digest = "glxi1LbcQEgACkyGxd/mF1dZRR4pQQtsQ1p4JfYcSJ4=";
    let include = format!("{{remote: 'https://host/a.yml', integrity: 'sha256-{digest}'}}");
    let world = [("https://host/a.yml", "a: {script: m}")];
    assert_eq!(jobs_of(&include, &world), "a x");
}

#[test]
fn templates() {
    let world = [
        ("template:A.gitlab-ci.yml", "a: {script: m}"),
        ("template:Jobs/B.gitlab-ci.yml", "b: {script: m}"),
    ];
    assert_eq!(jobs_of("{template: A.gitlab-ci.yml}", &world), "a x");
    assert_eq!(jobs_of("{template: Jobs/B.gitlab-ci.yml}", &world), "b x");
    for (include, expected) in [
        (
            "{template: A.yml}",
            "1:21 Template file `A.yml` is not a valid location!",
        ),
        (
            "{template: ../A.gitlab-ci.yml}",
            "1:21 Template file `../A.gitlab-ci.yml` is not a valid location!",
        ),
        (
            "{template: C.gitlab-ci.yml}",
            "1:21 Template file `C.gitlab-ci.yml` does not exist!",
        ),
    ] {
        assert_eq!(errors_of(include, &world), [expected], "{include}");
    }
}

#[test]
fn components() {
    let world = [
        ("ci.test/g/p@1.0.0:templates/a.yml", "one: {script: m}"),
        ("ci.test/g/p@1.2.0:templates/a.yml", "one-two: {script: m}"),
        ("ci.test/g/p@2.0.0:templates/a.yml", "two: {script: m}"),
        (
            "ci.test/g/p@3.0.0-rc1:templates/a.yml",
            "three: {script: m}",
        ),
        ("ci.test/g/p@main:templates/a.yml", "include: other.yml"),
        ("ci.test/g/p@main:other.yml", "main: {script: m}"),
        (
            "ci.test/g/p@main:templates/b/template.yml",
            "folder: {script: m}",
        ),
        ("ci.test/g/p@9:templates/a.yml", "branch: {script: m}"),
    ];
    for (address, expected) in [
        ("ci.test/g/p/a@1.0.0", "one x"),
        ("ci.test/g/p/a@1", "one-two x"),
        ("ci.test/g/p/a@1.0", "one x"),
        ("ci.test/g/p/a@~latest", "two x"),
        ("ci.test/g/p/a@3.0.0-rc1", "three x"),
        ("ci.test/g/p/a@main", "main x"),
        ("ci.test/g/p/b@main", "folder x"),
        ("ci.test/g/p/a@9", "branch x"),
    ] {
        let include = format!("{{component: {address}}}");
        assert_eq!(jobs_of(&include, &world), expected, "{address}");
    }
    for (address, expected) in [
        ("ci.test/g/p/a", "the component path is not supported"),
        ("other.test/g/p/a@1", "the component path is not supported"),
        ("ci.test/g/q/a@1.0.0", "content not found"),
        ("ci.test/g/p/a@none", "content not found"),
        ("ci.test/g/p/c@main", "content not found"),
    ] {
        let expected = format!("1:22 Component '{address}' - {expected}");
        let include = format!("{{component: {address}}}");
        let found = errors_of(&include, &world);
        assert_eq!(found, [expected], "{address}");
    }
}

#[test]
fn what_a_component_knows_of_itself() {
    let component = "spec: {component: [name, sha, version, reference]}\n---\n\
        'j $[[ component.name ]] $[[ component.sha ]] $[[ component.version ]] \
        $[[ component.reference ]]': {script: m}";
    let world = [
        ("ci.test/g/p@1.2.0:templates/a.yml", component),
        ("ci.test/g/p@main:templates/a.yml", component),
        (
            "ci.test/g/p@some:templates/a.yml",
            "spec: {component: [name]}\n---\n'$[[ component.sha ]]': {script: m}",
        ),
    ];
    for (version, expected) in [
        ("1.2.0", "j a sha-of-1.2.0 1.2.0 1.2.0 x"),
        ("1", "j a sha-of-1.2.0 1.2.0 1 x"),
        ("main", "j a sha-of-main null main x"),
    ] {
        let include = format!("{{component: ci.test/g/p/a@{version}}}");
        assert_eq!(jobs_of(&include, &world), expected, "{version}");
    }
    let found = errors_of("{component: ci.test/g/p/a@some}", &world);
    assert_eq!(
        found,
        ["3:2 `ci.test/g/p/a@some`: unknown interpolation key: `sha`"]
    );
}

#[test]
fn inputs_reach_a_component_and_a_project() {
    let file = "spec: {inputs: {stage: {default: test}, job: {}}}\n---\n\
        '$[[ inputs.job ]]': {stage: $[[ inputs.stage ]], script: m}";
    let world = [
        ("ci.test/g/p@1.0.0:templates/a.yml", file),
        ("g/p@HEAD:a.yml", file),
    ];
    for include in [
        "{component: ci.test/g/p/a@1.0.0, inputs: {job: one}}",
        "{project: g/p, file: a.yml, inputs: {job: one}}",
    ] {
        assert_eq!(jobs_of(include, &world), "one x", "{include}");
    }
    assert_eq!(
        errors_of("{project: g/p, file: a.yml}", &world),
        ["1:20 `a.yml`: `job` input: required value has not been provided"]
    );
}

#[test]
fn shared_inputs_come_from_other_projects_and_hosts() {
    let header = |include: &str| {
        format!("spec: {{include: [{include}]}}\n---\n'$[[ inputs.a ]]': {{script: m}}")
    };
    for (include, expected) in [
        ("{project: g/p, file: i.yml}", "from-project"),
        ("{remote: 'https://host/i.yml'}", "from-host"),
    ] {
        let main = header(include);
        let files = [
            ("main", main.as_str()),
            ("g/p@HEAD:i.yml", "inputs: {a: {default: from-project}}"),
            ("https://host/i.yml", "inputs: {a: {default: from-host}}"),
        ];
        assert_eq!(jobs(&files), expected, "{include}");
    }
}

#[test]
fn a_diagnostic_names_project_and_ref() {
    let files = [
        (
            "main",
            "include: {project: g/p, file: a.yml, ref: v1}\nx: {script: m}",
        ),
        ("g/p@v1:a.yml", "include: none.yml"),
    ];
    let loaded = load(&files);
    let span = loaded.diagnostics[0].span.unwrap();
    assert_eq!(loaded.files.path(span.file), "g/p@v1:a.yml");
    assert_eq!(loaded.files.included_from(span.file).unwrap().line, 1);
}

#[test]
fn limits_are_named() {
    let files = [
        ("main", "include: {project: g/p, file: a.yml}"),
        ("g/p@HEAD:a.yml", "include: a.yml"),
    ];
    let found = errors(&files);
    assert_eq!(found, ["1:10 Maximum of 150 nested includes are allowed!"]);

    let limits = Limits {
        include_bytes: 20,
        ..Limits::default()
    };
    let files = [
        ("main", "include: [a.yml, a.yml]\nx: {script: m}"),
        ("a.yml", "a: {script: m}"),
    ];
    let found = messages(&load_in(&files, &limits, false), Severity::Error);
    assert_eq!(
        found,
        [
            "1:18 Total size of combined CI/CD configuration is too big: included files may have \
             20 bytes together"
        ]
    );

    let slow = load_in(&files, &Limits::default(), true);
    let found = messages(&slow, Severity::Error);
    assert_eq!(
        found,
        ["1:11 Request timed out when fetching configuration files."]
    );
    assert_eq!(
        slow.diagnostics[0].label.as_deref(),
        Some("not within 30 seconds")
    );
}
