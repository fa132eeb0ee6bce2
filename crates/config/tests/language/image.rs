//! `image` and `services`.

use crate::support::{check_error, check_job_error, config, with_job};
use shipway_config::{Image, PullPolicy, Service};

#[test]
fn images() {
    let name = |name: &str| Image {
        name: name.to_owned(),
        ..Image::default()
    };
    for (lines, expected) in [
        ("image: alpine:3", name("alpine:3")),
        (
            "image: {name: alpine:3, entrypoint: [/bin/sh, -c]}",
            Image {
                entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
                ..name("alpine:3")
            },
        ),
        (
            "image: {name: alpine:3, entrypoint: ['']}",
            Image {
                entrypoint: Some(vec![String::new()]),
                ..name("alpine:3")
            },
        ),
        (
            "image: {name: alpine:3, pull_policy: always}",
            Image {
                pull_policy: vec![PullPolicy::Always],
                ..name("alpine:3")
            },
        ),
        (
            "image: {name: a, pull_policy: [always, never, if-not-present]}",
            Image {
                pull_policy: vec![
                    PullPolicy::Always,
                    PullPolicy::Never,
                    PullPolicy::IfNotPresent,
                ],
                ..name("a")
            },
        ),
        (
            "image: {name: a, docker: {platform: linux/arm64, user: dev}}",
            Image {
                platform: Some("linux/arm64".to_owned()),
                user: Some("dev".to_owned()),
                ..name("a")
            },
        ),
    ] {
        let image = config(&with_job(lines)).jobs["x"].image.clone();
        assert_eq!(image, Some(expected), "{lines}");
    }
}

#[test]
fn services() {
    let yaml = with_job(
        "services:\n  - pg:16\n  - {name: docker:dind, alias: dk, command: [c], entrypoint: [e], variables: {V: 1}, pull_policy: never}",
    );
    let services = config(&yaml).jobs["x"].services.clone();
    let expected = Service {
        image: Image {
            name: "docker:dind".to_owned(),
            entrypoint: Some(vec!["e".to_owned()]),
            pull_policy: vec![PullPolicy::Never],
            ..Image::default()
        },
        alias: Some("dk".to_owned()),
        command: Some(vec!["c".to_owned()]),
        ..Service::default()
    };
    assert_eq!(services[0].image.name, "pg:16");
    assert_eq!(services[1].variables["V"].value, "1");
    let without_variables = Service {
        variables: Default::default(),
        ..services[1].clone()
    };
    assert_eq!(without_variables, expected);
}

#[test]
fn wrong_images_and_services() {
    check_job_error(&[
        (
            "image: [a]",
            "jobs:x:image config should be a hash or a string",
        ),
        (
            "image: {entrypoint: [a]}",
            "jobs:x:image name can't be blank",
        ),
        ("image: {name: 5}", "jobs:x:image name should be a string"),
        (
            "image: {name: a, odd: 1}",
            "jobs:x:image config contains unknown keys: odd",
        ),
        (
            "image: {name: a, entrypoint: 5}",
            "jobs:x:image entrypoint should be an array of strings or a string",
        ),
        (
            "image: {name: a, pull_policy: sometimes}",
            "jobs:x:image:pull_policy config contains unknown values: sometimes",
        ),
        ("services: pg", "jobs:x:services config should be a array"),
        (
            "services: [5, pg]",
            "jobs:x:services:service config should be a hash or a string",
        ),
        (
            "services: [{name: pg, odd: 1}]",
            "jobs:x:services:service config contains unknown keys: odd",
        ),
        (
            "services: [{name: pg, docker: {odd: x}}]",
            "jobs:x:services:service executor opts object property at `/docker/odd` is a \
             disallowed additional property",
        ),
        (
            "services: [{name: pg, docker: {platform: 9}}]",
            "jobs:x:services:service executor opts value at `/docker/platform` is not a string",
        ),
        (
            "services: [{alias: pg}]",
            "jobs:x:services:service name can't be blank",
        ),
    ]);
    check_error(&[
        (
            "services: pg\na: {script: m}",
            "1:11 services config should be a array",
        ),
        (
            "services: [5, pg]\na: {script: m}",
            "1:12 services:service config should be a hash or a string",
        ),
    ]);
}
