//! Where values were written.

use crate::support::{Project, accepted};

#[test]
fn values_know_where_they_were_written() {
    let files = [
        (
            ".gitlab-ci.yml",
            "include: lib.yml\ndefault:\n  image: alpine:3\ncache: {paths: [c]}\nvariables: {A: a}\ntest:\n  extends: .t\n  script: [one, [two, three]]\nlonely:\n  inherit: {default: false}\n  script: m\n",
        ),
        (
            "lib.yml",
            ".t:\n  rules:\n    - if: $A\n      when: manual\n  variables: {X: x}\n",
        ),
    ];
    let loaded = Project(&files).load();
    let files = loaded.files.clone();
    let config = accepted(loaded, "origin");
    for (path, expected) in [
        (&["variables", "A"][..], ".gitlab-ci.yml:5:16"),
        (&["jobs", "test"], ".gitlab-ci.yml:6:1"),
        (&["jobs", "test", "script"], ".gitlab-ci.yml:8:11"),
        (&["jobs", "test", "script", "2"], ".gitlab-ci.yml:8:23"),
        (&["jobs", "test", "rules", "0", "if"], "lib.yml:3:11"),
        (&["jobs", "test", "rules", "0", "when"], "lib.yml:4:13"),
        (&["jobs", "test", "variables", "X"], "lib.yml:5:18"),
        (&["jobs", "test", "image"], ".gitlab-ci.yml:3:10"),
        (&["jobs", "test", "cache", "paths"], ".gitlab-ci.yml:4:16"),
        (&["jobs", "lonely", "image"], "nowhere"),
        (&["jobs", "test", "rules", "7", "if"], "nowhere"),
        (&["jobs", "gone"], "nowhere"),
        (&["jobs"], "nowhere"),
        (&[], "nowhere"),
    ] {
        let found = config.origin(path).map_or("nowhere".to_owned(), |span| {
            format!("{}:{}:{}", files.path(span.file), span.line, span.column)
        });
        assert_eq!(found, expected, "{path:?}");
    }
}
