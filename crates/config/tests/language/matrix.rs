//! `parallel:matrix`, and needs of its instances.

use crate::support::{check_error, check_job_error, config, errors, job_names};

#[test]
fn instances_are_named_by_their_values() {
    for (parallel, expected) in [
        ("{matrix: [{A: [x], B: [k, l]}]}", "p: [x, k]|p: [x, l]"),
        (
            "{matrix: [{P: [c], S: [r, y], D: [g, h]}, {P: [u], V: [a, b]}]}",
            "p: [c, r, g]|p: [c, r, h]|p: [c, y, g]|p: [c, y, h]|p: [u, a]|p: [u, b]",
        ),
        ("{matrix: [{A: x, B: 1}]}", "p: [x, 1]"),
        ("{matrix: [{A: ['x, y', 'a b']}]}", "p: [x, y]|p: [a b]"),
        (
            "{matrix: [{V: [3.9, true, 010]}]}",
            "p: [3.9]|p: [true]|p: [8]",
        ),
        // Two that come to the same name are one job, the later one.
        ("{matrix: [{A: [x]}, {B: [x]}]}", "p: [x]"),
    ] {
        let names = job_names(&format!("p: {{script: m, parallel: {parallel}}}"));
        assert_eq!(names.join("|"), expected, "{parallel}");
    }
}

#[test]
fn values_are_variables_behind_those_of_the_job() {
    let config =
        config("x: {script: m, variables: {A: 1, P: job}, parallel: {matrix: [{P: [p, q]}]}}");
    for (index, (name, value)) in (1..).zip([("x: [p]", "p"), ("x: [q]", "q")]) {
        let job = &config.jobs[name];
        let variables: Vec<(&str, &str)> = (job.variables.iter())
            .map(|(key, variable)| (key.as_str(), variable.value.as_str()))
            .collect();
        assert_eq!(variables, [("A", "1"), ("P", value)]);
        let instance = job.parallel.unwrap();
        assert_eq!((instance.index, instance.total), (index, 2));
        assert_eq!(job.key, "x");
    }
}

#[test]
fn matrices_are_checked() {
    let values = "jobs:x:parallel:matrix:variables config should be a hash of key value pairs, \
         value can be an array";
    let lists: String = (0..21).map(|n| format!("{n},")).collect();
    let ten: String = (0..10).map(|n| format!("{n},")).collect();
    let many = format!("parallel: {{matrix: [{{A: [{lists}], B: [{ten}]}}]}}");
    check_job_error(&[
        (
            "parallel: {}",
            "jobs:x:parallel config missing required keys: matrix",
        ),
        (
            "parallel: {matrix: {}}",
            "jobs:x:parallel:matrix config should be an array of hashes",
        ),
        (
            "parallel: {matrix: [a]}",
            "jobs:x:parallel:matrix config should be an array of hashes",
        ),
        (
            "parallel: {matrix: [{}]}",
            "jobs:x:parallel:matrix:variables config requires at least 1 items",
        ),
        ("parallel: {matrix: [{A: []}]}", values),
        ("parallel: {matrix: [{A: }]}", values),
        ("parallel: {matrix: [{A: {b: c}}]}", values),
        (
            "parallel: {odd: 1, matrix: [{A: b}]}",
            "jobs:x:parallel config contains unknown keys: odd",
        ),
        (
            &many,
            "jobs:x:parallel:matrix config generates too many jobs (maximum is 200)",
        ),
    ]);
    let long = format!(
        "x: {{script: m, parallel: {{matrix: [{{A: [{}]}}]}}}}",
        "y".repeat(251)
    );
    let found = errors(&long);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("1:26 jobs:x: [yyy")
            && found[0].ends_with("name is too long (maximum is 255 characters)"),
        "{found:?}"
    );
    assert_eq!(job_names(&long.replacen('y', "", 1)).len(), 1);
    // Entries add up, values multiply: 10·5 + 2·3 = 56.
    let names = job_names(
        "p: {script: m, parallel: {matrix: [{A: [0,1,2,3,4,5,6,7,8,9], B: \
             [0,1,2,3,4]}, {C: [x, y], D: [x, y, z]}]}}",
    );
    assert_eq!(names.len(), 56);
}

#[test]
fn needs_name_instances() {
    let needs = |yaml: &str, job: &str| {
        let needs = config(yaml).jobs[job].needs.clone().unwrap();
        needs
            .into_iter()
            .map(|need| need.job)
            .collect::<Vec<_>>()
            .join("|")
    };
    let p = "p: {stage: build, script: m, parallel: {matrix: [{A: [x], B: [k, l, n]}]}}\n";
    for (written, expected) in [
        ("[p]", "p: [x, k]|p: [x, l]|p: [x, n]"),
        (
            "[{job: p, parallel: {matrix: [{A: [x], B: [l]}]}}]",
            "p: [x, l]",
        ),
        (
            "[{job: p, parallel: {matrix: [{A: x, B: [k, n]}]}}]",
            "p: [x, k]|p: [x, n]",
        ),
        ("['p: [x, l]']", "p: [x, l]"),
    ] {
        assert_eq!(
            needs(&format!("{p}b: {{script: m, needs: {written}}}"), "b"),
            expected
        );
    }
    let both = "p: {script: m, parallel: {matrix: [{OS: [l], CPU: [a, b]}]}}
q:
  script: m
  parallel: {matrix: [{OS: [l], CPU: [a, b]}]}
  needs: [{job: p, parallel: {matrix: [{OS: ['$[[ matrix.OS ]]'], CPU: ['$[[matrix.CPU]]']}]}}]";
    assert_eq!(job_names(both).len(), 4);
    assert_eq!(needs(both, "q: [l, a]"), "p: [l, a]");
    assert_eq!(needs(both, "q: [l, b]"), "p: [l, b]");
    let dependencies = config(&format!("{p}b: {{script: m, dependencies: [p]}}")).jobs["b"]
        .dependencies
        .clone();
    assert_eq!(dependencies.unwrap().len(), 3);
}

#[test]
fn needs_of_instances_are_checked() {
    check_error(&[
        (
            "p: {script: m, parallel: {matrix: [{OS: [l]}]}}\nq: {script: m, parallel: \
                 {matrix: [{OS: [l]}]}, needs: [{job: p, parallel: {matrix: [{OS: ['$[[ \
                 matrix.NO ]]']}]}}]}",
            "2:56 q job: 'NO' does not exist in matrix configuration",
        ),
        (
            // The order of the names counts.
            "p: {stage: build, script: m, parallel: {matrix: [{A: [x], B: [k]}]}}\nb: \
                 {script: m, needs: [{job: p, parallel: {matrix: [{B: [k], A: [x]}]}}]}",
            "2:23 b job: undefined need: p: [k, x]",
        ),
        (
            "p: {script: m}\nb: {script: m, needs: [{job: p, parallel: 10}]}",
            "2:43 jobs:b:needs:need:parallel config cannot use \"parallel: <number>\".",
        ),
    ]);
    for yaml in [
        "p: {script: m}\nb: {script: m, needs: [{job: p, parallel: {not_matrix: []}}]}",
        "p: {script: m}\nb: {script: m, needs: [{job: p, parallel: matrix}]}",
        "p: {script: m}\nb: {script: m, needs: [{job: p, parallel: [a]}]}",
    ] {
        assert!(!errors(yaml).is_empty(), "{yaml}");
    }
}
