//! What a project publishes: releases, packages, badges; and long lists by their ids.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use crate::support::server::{group, project, runner, user};
use crate::support::{job, store, stored_in};
use shipway_pipeline::{JobId, PipelineId, Status};
use shipway_store::{
    Beyond, CheckDepth, Claim, NewBadge, NewCommitStatus, NewJob, NewPackage, NewPackageFile,
    NewRelease, NewReleaseLink, PackageFilter, PackageOrder, Page, ProjectFilter, ProjectId,
    ReleaseOrder, RunnerJobs, RunnerKind, Store, StoreError, Visibility,
};

/// A pipeline with pending jobs of these names, and the jobs.
async fn jobs_of(store: &Store, project: ProjectId, names: &[&str]) -> (PipelineId, Vec<JobId>) {
    let jobs: Vec<_> = (names.iter())
        .map(|name| NewJob {
            status: Status::Pending,
            ..job(name)
        })
        .collect();
    let pipeline = stored_in(store, project, "group/app", false, &jobs).await;
    let rows = store.jobs(pipeline).await.unwrap();
    (pipeline, rows.iter().map(|row| row.id).collect())
}

async fn new_project(store: &Store, name: &str) -> ProjectId {
    let group = group(store, &format!("group-{name}"), None).await;
    project(
        store,
        group,
        &format!("group-{name}/{name}"),
        Visibility::Private,
    )
    .await
}

#[tokio::test]
async fn releases_are_of_a_tag_and_take_their_links_along() {
    let (_directory, store) = store().await;
    let project = new_project(&store, "app").await;
    let author = user(&store, "ann").await;
    let new = |tag: &str, at: i64| NewRelease {
        project_id: project,
        tag: tag.to_owned(),
        sha: "abc".to_owned(),
        name: tag.to_owned(),
        description: "notes".to_owned(),
        author_id: Some(author),
        created_at: 100 - at,
        released_at: at,
    };
    let mut transaction = store.begin().await.unwrap();
    let first = transaction.insert_release(&new("v1", 1)).await.unwrap();
    transaction.insert_release(&new("v2", 2)).await.unwrap();
    let link = |name: &str, path: Option<&str>| NewReleaseLink {
        release_id: first.id,
        name: name.to_owned(),
        url: format!("https://example.com/{name}"),
        file_path: path.map(str::to_owned),
        link_type: "other".to_owned(),
    };
    let kept = transaction
        .insert_release_link(&link("a", Some("/a")))
        .await
        .unwrap();
    // Several have no path.
    for name in ["b", "c"] {
        let made = transaction.insert_release_link(&link(name, None)).await;
        made.unwrap();
    }
    transaction.commit().await.unwrap();
    for taken in [link("a", None), link("d", Some("/a"))] {
        let mut transaction = store.begin().await.unwrap();
        let error = transaction.insert_release_link(&taken).await.unwrap_err();
        assert!(matches!(error, StoreError::Taken { .. }), "{error:?}");
    }
    let mut transaction = store.begin().await.unwrap();
    let error = transaction.insert_release(&new("v1", 3)).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken { .. }), "{error:?}");
    drop(transaction);

    for (order, expected) in [
        (ReleaseOrder::NewestReleased, ["v2", "v1"]),
        (ReleaseOrder::OldestReleased, ["v1", "v2"]),
        (ReleaseOrder::NewestCreated, ["v1", "v2"]),
        (ReleaseOrder::OldestCreated, ["v2", "v1"]),
    ] {
        let found = store
            .releases(project, order, Page::first(9))
            .await
            .unwrap();
        let tags: Vec<&str> = found.rows.iter().map(|row| row.tag.as_str()).collect();
        assert_eq!(
            (tags.as_slice(), found.total),
            (&expected[..], 2),
            "{order:?}"
        );
    }
    let links = store.release_links(first.id).await.unwrap();
    assert_eq!((links.len(), &links[2]), (3, &kept));
    let mut transaction = store.begin().await.unwrap();
    transaction.delete_release(first.id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.release(project, "v1").await.unwrap(), None);
    assert_eq!(store.release_links(first.id).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_of_a_package_has_its_row_after_its_content() {
    let (_directory, store) = store().await;
    let project = new_project(&store, "app").await;
    let put = async |version: &str, content: &[u8]| {
        let mut transaction = store.begin().await.unwrap();
        let upload = transaction.begin_package_upload(project, 10).await.unwrap();
        transaction.commit().await.unwrap();
        let blobs = store.blobs();
        let blob = blobs.put_package(project, upload, "f", content, 100).await;
        let blob = blob.unwrap();
        // While it comes, nobody takes it for left over.
        assert_eq!(store.sweep_packages(20).await.unwrap(), 0);
        let mut transaction = store.begin().await.unwrap();
        transaction.end_package_upload(upload).await.unwrap();
        let package = NewPackage {
            project_id: project,
            name: "app".to_owned(),
            version: version.to_owned(),
            status: "default".to_owned(),
            creator_id: None,
            pipeline_id: None,
            created_at: 10,
        };
        let package = transaction.ensure_package(&package).await.unwrap();
        let file = NewPackageFile {
            package_id: package.id,
            file_name: "f".to_owned(),
            size: i64::try_from(blob.size).unwrap(),
            digest: blob.digest.to_vec(),
            path: blob.path,
            created_at: 10,
        };
        let file = transaction.insert_package_file(&file).await.unwrap();
        transaction.commit().await.unwrap();
        (package, file)
    };
    let (package, older) = put("1", b"older").await;
    let (same, newer) = put("1", b"newer").await;
    let (other, _) = put("2", b"other").await;
    assert_eq!(package.id, same.id);
    let found = store.package_file(package.id, "f").await.unwrap();
    assert_eq!(found.as_ref(), Some(&newer));
    let files = store.package_files(package.id).await.unwrap();
    assert_eq!(files, [older.clone(), newer.clone()]);
    assert_eq!(store.check(CheckDepth::Contents).await.unwrap(), []);

    let versions = async |filter: PackageFilter<'_>| -> String {
        let found = store.packages(project, filter, Page::first(9)).await;
        let rows = found.unwrap().rows;
        let versions: Vec<String> = rows.into_iter().map(|row| row.version).collect();
        versions.join(" ")
    };
    let all = PackageFilter::default();
    for (filter, expected) in [
        (all, "1 2"),
        (
            PackageFilter {
                descending: true,
                ..all
            },
            "2 1",
        ),
        (
            PackageFilter {
                order: PackageOrder::Version,
                descending: true,
                ..all
            },
            "2 1",
        ),
        (
            PackageFilter {
                order: PackageOrder::Name,
                ..all
            },
            "1 2",
        ),
        (
            PackageFilter {
                name: Some("pp"),
                ..all
            },
            "1 2",
        ),
        (
            PackageFilter {
                name: Some("%"),
                ..all
            },
            "",
        ),
        (
            PackageFilter {
                version: Some("2"),
                ..all
            },
            "2",
        ),
        (
            PackageFilter {
                status: Some("hidden"),
                ..all
            },
            "",
        ),
    ] {
        assert_eq!(versions(filter).await, expected, "{filter:?}");
    }

    // What a process that died left, and what lost its row, is swept.
    let mut transaction = store.begin().await.unwrap();
    let upload = transaction.begin_package_upload(project, 10).await.unwrap();
    transaction.delete_package(other.id).await.unwrap();
    transaction.delete_package_file(older.id).await.unwrap();
    transaction.commit().await.unwrap();
    let left = store
        .blobs()
        .put_package(project, upload, "f", &b"left"[..], 9);
    left.await.unwrap();
    assert_eq!(store.sweep_packages(20).await.unwrap(), 2);
    let days = 2 * 86_400_000_000;
    assert_eq!(store.sweep_packages(days).await.unwrap(), 1);
    let mut transaction = store.begin().await.unwrap();
    let late = transaction.end_package_upload(upload).await.unwrap_err();
    assert!(matches!(late, StoreError::NotFound { .. }), "{late:?}");
    drop(transaction);
    assert_eq!(store.blobs().size(&newer.path).await.unwrap(), 5);
    store.blobs().delete(&newer.path).await.unwrap();
    let faults = store.check(CheckDepth::Sizes).await.unwrap();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].to_string().contains("of a package"), "{faults:?}");
}

#[tokio::test]
async fn badges_are_of_a_project() {
    let (_directory, store) = store().await;
    let project = new_project(&store, "app").await;
    let new = NewBadge {
        project_id: project,
        name: None,
        link_url: "https://example.com/%{project_path}".to_owned(),
        image_url: "https://example.com/a.svg".to_owned(),
        created_at: 1,
    };
    let mut transaction = store.begin().await.unwrap();
    let mut row = transaction.insert_badge(&new).await.unwrap();
    row.name = Some("name".to_owned());
    transaction.update_badge(&row).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.badges(project).await.unwrap(), [row.clone()]);
    let mut transaction = store.begin().await.unwrap();
    transaction.delete_badge(row.id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.badges(project).await.unwrap(), []);
}

#[tokio::test]
async fn statuses_and_jobs_share_their_numbers() {
    let (_directory, store) = store().await;
    let project = new_project(&store, "app").await;
    let (pipeline, first) = jobs_of(&store, project, &["a"]).await;
    let said = async |name: &str| {
        let new = NewCommitStatus {
            project_id: project,
            pipeline_id: pipeline,
            sha: "abc".to_owned(),
            ref_name: "main".to_owned(),
            name: name.to_owned(),
            status: Status::Success,
            target_url: None,
            description: None,
            coverage: None,
            user_id: None,
            at: 1,
        };
        let mut transaction = store.begin().await.unwrap();
        let row = transaction.set_commit_status(&new).await.unwrap();
        transaction.commit().await.unwrap();
        row.id.0
    };
    let status = said("x").await;
    assert_eq!(status, first[0].0 + 1);
    assert_eq!(said("x").await, status, "the same again keeps its number");
    let (_, second) = jobs_of(&store, project, &["a"]).await;
    assert_eq!(second[0].0, status + 1);
}

#[tokio::test]
async fn long_lists_go_on_beyond_an_id() {
    let (_directory, store) = store().await;
    let group = group(&store, "group", None).await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(
            project(
                &store,
                group,
                &format!("group/p{number}"),
                Visibility::Private,
            )
            .await,
        );
    }
    let filter = ProjectFilter::default();
    for ascending in [true, false] {
        let mut beyond = Beyond {
            last: None,
            ascending,
        };
        let mut found = Vec::new();
        loop {
            let part = store.projects_beyond(&filter, beyond, 2).await.unwrap();
            let Some(last) = part.last() else { break };
            beyond.last = Some(last.id.0);
            found.extend(part.into_iter().map(|row| row.id));
        }
        if !ascending {
            found.reverse();
        }
        assert_eq!(found, all, "{ascending}");
    }

    let runner = runner(&store, RunnerKind::Instance, None).await;
    let (_, jobs) = jobs_of(&store, all[0], &["a", "b", "c"]).await;
    let mut transaction = store.begin().await.unwrap();
    for (number, job) in jobs.iter().enumerate() {
        let claim = Claim {
            runner,
            system_id: (number == 1).then(|| "s_1".to_owned()),
            description: "runner".to_owned(),
            token_digest: vec![u8::try_from(number).unwrap(); 32],
            at: 5,
            acknowledged: true,
        };
        transaction.claim(*job, &claim).await.unwrap().unwrap();
    }
    transaction.commit().await.unwrap();
    let wanted = |status: Option<Status>, system: Option<&str>| RunnerJobs {
        runner,
        status,
        system_id: system.map(str::to_owned),
    };
    let beyond = |last: Option<usize>, ascending| Beyond {
        last: last.map(|index| jobs[index].0),
        ascending,
    };
    for (wanted, beyond, expected, total) in [
        (wanted(None, None), beyond(None, false), vec![2, 1], 3),
        (wanted(None, None), beyond(Some(1), false), vec![0], 3),
        (wanted(None, None), beyond(Some(0), true), vec![1, 2], 3),
        (wanted(None, Some("s_1")), beyond(None, true), vec![1], 1),
        (
            wanted(Some(Status::Failed), None),
            beyond(None, true),
            vec![],
            0,
        ),
        (
            wanted(Some(Status::Running), None),
            beyond(None, true),
            vec![0, 1],
            3,
        ),
    ] {
        let found = store
            .list_jobs_of_runner(&wanted, beyond, Page::first(2))
            .await;
        let found = found.unwrap();
        let ids: Vec<_> = found.rows.iter().map(|row| row.id).collect();
        let expected: Vec<_> = expected
            .into_iter()
            .map(|index: usize| jobs[index])
            .collect();
        assert_eq!(
            (ids, found.total),
            (expected, total),
            "{wanted:?} {beyond:?}"
        );
    }
}
