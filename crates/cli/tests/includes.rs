//! `include` of other projects, components, templates and other hosts, on a laptop.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{Done, Sandbox};

/// A project that includes this, beside a repository of templates at `../lib`.
fn project(include: &str) -> Sandbox {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        &format!("include: {include}\nown: {{script: echo own}}\n"),
    )]);
    for (name, content) in [
        ("../lib/ci/a.yml", "include: b.yml\n"),
        ("../lib/b.yml", "old: {script: echo old}\n"),
        (
            "../lib/templates/c.yml",
            "spec: {component: [version]}\n---\nof $[[ component.version ]]: {script: echo c}\n",
        ),
    ] {
        sandbox.write(name, content);
    }
    lib(&sandbox, &["init", "--quiet", "--initial-branch", "main"]);
    lib(&sandbox, &["add", "--all"]);
    let who = ["-c", "user.name=A", "-c", "user.email=a@b"];
    lib(
        &sandbox,
        &[&who[..], &["commit", "--quiet", "-m", "1"]].concat(),
    );
    lib(&sandbox, &["tag", "1.2.3"]);
    sandbox.write("../lib/b.yml", "edited: {script: echo edited}\n");
    sandbox
}

fn lib(sandbox: &Sandbox, args: &[&str]) {
    sandbox.git(&[&["-C", "../lib"], args].concat());
}

/// The names of the jobs of `shipway list`.
fn jobs(done: &Done) -> Vec<String> {
    done.exits(0);
    let report: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let jobs = report["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["name"].as_str().unwrap().to_owned())
        .collect()
}

fn list(sandbox: &Sandbox, options: &[&str]) -> Done {
    sandbox.shipway(&[&["list", "--format", "json"], options].concat())
}

#[test]
fn what_cannot_be_had_is_left_out_when_told_so() {
    let sandbox = Sandbox::new(&[(
        ".gitlab-ci.yml",
        "include:\n- project: group/lib\n  file: ci/a.yml\n\
         own: {script: echo own}\ntheirs: {extends: .theirs, script: echo theirs}\n",
    )]);
    list(&sandbox, &[]).exits(2);
    let done = list(&sandbox, &["--partial"]);
    assert_eq!(jobs(&done), ["own"]);
    assert!(
        done.err.contains("job `theirs` is left out"),
        "{}",
        done.err
    );
}

#[test]
fn another_project_is_read_from_its_checkout() {
    let checkout = ["--project", "group/lib=../lib"];
    for (include, expected) in [
        ("{project: group/lib, file: ci/a.yml}", "edited"),
        ("{project: group/lib, file: ci/a.yml, ref: main}", "old"),
        ("{project: group/lib, file: /ci/a.yml, ref: 1.2.3}", "old"),
        ("{component: gitlab.example.com/group/lib/c@1}", "of 1.2.3"),
        (
            "{component: gitlab.example.com/group/lib/c@~latest}",
            "of 1.2.3",
        ),
    ] {
        let sandbox = project(include);
        assert_eq!(
            jobs(&list(&sandbox, &checkout)),
            [expected, "own"],
            "{include}"
        );
    }
    let sandbox = project("{project: group/lib, file: ci/a.yml, ref: v9}");
    let as_it_is = ["--project", "group/lib@v9=../lib"];
    assert_eq!(jobs(&list(&sandbox, &as_it_is)), ["edited", "own"]);
    let unknown = list(&sandbox, &checkout);
    unknown.exits(2);
    let text = "Project `group/lib` reference `v9` does not exist!";
    assert!(unknown.err.contains(text), "{}", unknown.err);

    let run = project("{project: group/lib, file: ci/a.yml}").shipway(&[
        "run",
        "--project",
        "group/lib=../lib",
    ]);
    run.exits(0);
    assert!(run.out.contains("edited"), "{}", run.out);
}

#[test]
fn checkouts_and_templates_can_be_configured_in_git() {
    let sandbox = project("[{project: group/lib, file: b.yml}, {template: T.gitlab-ci.yml}]");
    sandbox.write(
        "../templates/T.gitlab-ci.yml",
        "templated: {script: echo t}\n",
    );
    sandbox.git(&["config", "--add", "shipway.project", "group/other=../none"]);
    sandbox.git(&["config", "--add", "shipway.project", "group/lib=../lib"]);
    sandbox.git(&["config", "shipway.templates", "../templates"]);
    assert_eq!(jobs(&list(&sandbox, &[])), ["edited", "templated", "own"]);
    let lint = sandbox.shipway(&["lint"]);
    lint.exits(0);
}

#[test]
fn what_is_not_there_is_refused_with_what_to_do() {
    for (include, text, hint) in [
        (
            "{project: group/lib, file: ci/a.yml}",
            "Project `group/lib` cannot be read: no checkout of it is known here",
            "--project group/lib=DIR",
        ),
        (
            "{component: gitlab.com/group/lib/c@1.0}",
            "Component 'gitlab.com/group/lib/c@1.0' - no checkout of it is known here",
            "--project group/lib=DIR",
        ),
        (
            "{template: Python.gitlab-ci.yml}",
            "Template file `Python.gitlab-ci.yml` cannot be included: GitLab's templates are not \
             part of shipway",
            "--templates DIR",
        ),
    ] {
        let done = project(include).shipway(&["lint"]);
        done.exits(1);
        assert!(done.out.contains(text), "{}", done.out);
        assert!(done.out.contains(hint), "{}", done.out);
    }
    let done = project("a.yml").shipway(&["lint", "--project", "nonsense"]);
    done.exits(2);
    assert!(done.err.contains("write GROUP/NAME=DIR"), "{}", done.err);
}

#[test]
fn offline_only_what_was_fetched_before_is_read() {
    let url = "https://host.invalid/a.yml";
    let sandbox = project(url);
    let missing = sandbox.shipway(&["lint", "--offline"]);
    missing.exits(1);
    let text = "could not be fetched because the network is not to be used!";
    assert!(missing.out.contains(text), "{}", missing.out);
    assert!(
        !sandbox.path().join(".shipway").exists(),
        "lint leaves nothing behind"
    );
}

#[test]
#[cfg(not(feature = "remote"))]
fn a_build_without_http_refuses_by_name() {
    let done = project("https://host.invalid/a.yml").shipway(&["lint"]);
    done.exits(1);
    let text = "because this shipway was built without `include:remote`!";
    assert!(done.out.contains(text), "{}", done.out);
    assert!(done.out.contains("--features remote"), "{}", done.out);
}

/// A host on this machine that answers every request with what it is told, until it ends.
#[cfg(feature = "remote")]
fn host(bodies: &'static [&'static str]) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a.yml", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for body in bodies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let length = body.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
            let answer = format!("{head}Connection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

#[test]
#[cfg(feature = "remote")]
fn a_file_of_another_host_is_fetched_once_and_locked() {
    let url = host(&[
        "one: {script: echo 1}",
        "two: {script: echo 2}",
        "three: {script: echo 3}",
    ]);
    let sandbox = project(&url);
    let refused = sandbox.shipway(&["lint"]);
    refused.exits(1);
    refused.says("could not be fetched because URL is blocked: 127.0.0.1 is not a public address!");
    refused.says("--private-includes");
    let private = ["--private-includes"];
    assert_eq!(jobs(&list(&sandbox, &private)), ["one", "own"]);
    // The host would answer with something else now, and is not asked.
    assert_eq!(jobs(&list(&sandbox, &private)), ["one", "own"]);
    assert_eq!(jobs(&list(&sandbox, &["--offline"])), ["one", "own"]);
    let lock = sandbox.read(".shipway/includes.lock");
    assert!(lock.contains(&url), "{lock}");

    // The lock came without the contents, as with a fresh clone.
    std::fs::remove_dir_all(sandbox.path().join(".shipway/includes")).unwrap();
    let changed = list(&sandbox, &private);
    changed.exits(2);
    changed.says("because its content is not the one that was locked!");
    let update = ["--private-includes", "--update-includes"];
    assert_eq!(jobs(&list(&sandbox, &update)), ["three", "own"]);
    assert_eq!(jobs(&list(&sandbox, &[])), ["three", "own"]);
}
