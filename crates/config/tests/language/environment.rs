//! `environment`.

use crate::support::{check_error, check_job_error, config, errors, with_job};
use shipway_config::Environment;

#[test]
fn environments() {
    let named = |name: &str| Environment {
        name: name.to_owned(),
        action: "start".to_owned(),
        ..Environment::default()
    };
    for (lines, expected) in [
        ("environment: prod", Some(named("prod"))),
        ("environment: null", None),
        (
            "environment: review/$CI_COMMIT_REF_SLUG",
            Some(named("review/$CI_COMMIT_REF_SLUG")),
        ),
        (
            "environment: {name: prod, url: 'http://h:$PORT', action: prepare, auto_stop_in: 2 days, deployment_tier: staging}",
            Some(Environment {
                url: Some("http://h:$PORT".to_owned()),
                action: "prepare".to_owned(),
                auto_stop_in: Some("2 days".to_owned()),
                deployment_tier: Some("staging".to_owned()),
                ..named("prod")
            }),
        ),
        (
            "environment: {name: p, auto_stop_in: $TTL}",
            Some(Environment {
                auto_stop_in: Some("$TTL".to_owned()),
                ..named("p")
            }),
        ),
    ] {
        let environment = config(&with_job(lines)).jobs["x"].environment.clone();
        assert_eq!(environment, expected, "{lines}");
    }
}

#[test]
fn wrong_environments() {
    check_job_error(&[
        (
            "environment: 1",
            "jobs:x:environment config should be a hash or a string",
        ),
        (
            "environment: [prod]",
            "jobs:x:environment config should be a hash or a string",
        ),
        (
            "environment: 'prod:eu'",
            "jobs:x:environment name can contain only letters, digits, '-', '_', '/', '$', '{', \
             '}', '.', and spaces, but it cannot start or end with '/'",
        ),
        (
            "environment: {url: 'http://h'}",
            "jobs:x:environment name can't be blank",
        ),
        (
            "environment: {name: p, action: odd}",
            "jobs:x:environment action should be start, stop, prepare, verify, or access",
        ),
        (
            "environment: {name: p, action: [stop]}",
            "jobs:x:environment action should be a string",
        ),
        (
            "environment: {name: p, on_stop: false}",
            "jobs:x:environment on stop should be a string",
        ),
        (
            "environment: {name: p, url: [u]}",
            "jobs:x:environment url should be a string",
        ),
        (
            "environment: {name: p, deployment_tier: odd}",
            "jobs:x:environment deployment tier must be one of production, staging, testing, \
             development, other",
        ),
        (
            "environment: {name: p, auto_stop_in: soon}",
            "jobs:x:environment auto stop in should be a duration",
        ),
        (
            "environment: {name: p, urll: u}",
            "jobs:x:environment config contains unknown keys: urll",
        ),
    ]);
}

#[test]
fn the_job_that_stops_an_environment_must_fit() {
    let open = "open: {script: m, environment: {name: rev, on_stop: shut}}\n";
    let shut = |environment: &str| format!("{open}shut: {{script: m, {environment}}}\n");
    assert_eq!(
        errors(&shut("environment: {name: rev, action: stop}")),
        [""; 0]
    );
    check_error(&[
        (open, "1:53 open job: on_stop job shut is not defined"),
        (
            &shut("tags: [a]"),
            "1:53 open job: on_stop job shut does not have environment defined",
        ),
        (
            &shut("environment: {name: other, action: stop}"),
            "1:53 open job: on_stop job shut have different environment name",
        ),
        (
            &shut("environment: rev"),
            "1:53 open job: on_stop job shut needs to have action stop defined",
        ),
    ]);
}
