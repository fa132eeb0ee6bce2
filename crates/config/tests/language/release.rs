//! `release`.

use crate::support::{check_job_error, job_value, with_job};
use serde_json::json;

#[test]
fn releases() {
    let value = job_value(
        &with_job(
            "release: {tag_name: v1, description: d, milestones: m, ref: main, \
                 released_at: '2025-03-15T08:00:00Z', assets: {links: [{name: n, url: \
                 'https://h/f', filepath: /f, link_type: package}]}}",
        ),
        "x",
        "release",
    );
    assert_eq!(
        value,
        json!({"tag_name": "v1", "tag_message": null, "name": null, "description": "d", "git_ref": "main",
            "milestones": ["m"], "released_at": "2025-03-15T08:00:00Z",
            "links": [{"name": "n", "url": "https://h/f", "filepath": "/f", "link_type": "package"}]})
    );
    check_job_error(&[
        ("release: text", "jobs:x:release config should be a hash"),
        (
            "release: {tag_name: v1}",
            "jobs:x:release description can't be blank",
        ),
        (
            "release: {description: d}",
            "jobs:x:release tag name can't be blank",
        ),
        (
            "release: {tag_name: v1, description: 5}",
            "jobs:x:release description should be a string",
        ),
        (
            "release: {tag_name: v1, description: d, odd: 1}",
            "jobs:x:release config contains unknown keys: odd",
        ),
        (
            "release: {tag_name: v1, description: d, released_at: ABC}",
            "jobs:x:release released at must be a valid datetime",
        ),
        (
            "release: {tag_name: v1, description: d, ref: \"a\\bb\"}",
            "jobs:x:release ref must be a valid ref",
        ),
        (
            "release: {tag_name: v1, description: d, milestones: [1]}",
            "jobs:x:release milestones should be an array of strings or a string",
        ),
        (
            "release: {tag_name: v1, description: d, tag_message: 5}",
            "jobs:x:release tag message should be a string",
        ),
        (
            "release: {tag_name: v1, description: d, assets: {links: []}}",
            "jobs:x:release:assets:links config can't be blank",
        ),
        (
            "release: {tag_name: v1, description: d, assets: {}}",
            "jobs:x:release:assets:links config should be a array",
        ),
        (
            "release: {tag_name: v1, description: d, assets: {links: [{url: 'https://h'}]}}",
            "jobs:x:release:assets:links:link name can't be blank",
        ),
        (
            "release: {tag_name: v1, description: d, assets: {links: [{name: n, url: \
             'gopher://h'}]}}",
            "jobs:x:release:assets:links:link url is blocked: Only allowed schemes are \
             http, https, ftp"
                .to_lowercase()
                .leak(),
        ),
        (
            "release: {tag_name: v1, description: d, assets: {links: [{name: n, url: \
             'https://h', link_type: odd}]}}",
            "jobs:x:release:assets:links:link link type should be one of: other, runbook, \
             image, package",
        ),
    ]);
}
