//! Personal access tokens, and what their scopes allow.

use shipway_server::identity::Scope;

use crate::site::Site;

const VERSION: &str = "/api/v4/version";

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_shown_in_several_ways() {
    let site = Site::start().await;
    let ann = site.user("ann").await;
    let token = site.token(&ann, &[Scope::Api]).await;
    assert!(token.starts_with("glpat-"));
    for header in [
        ("private-token", token.clone()),
        ("PRIVATE-TOKEN", token.clone()),
        ("authorization", format!("Bearer {token}")),
    ] {
        let status = site.status(VERSION, (header.0, &header.1)).await;
        assert_eq!(status, 200, "{header:?}");
    }
    for name in ["private_token", "access_token"] {
        let path = format!("{VERSION}?{name}={token}");
        assert_eq!(site.get(&path).await.status(), 200, "{name}");
    }
    for header in [
        ("private-token", "glpat-wrong".to_owned()),
        ("authorization", "Bearer x".to_owned()),
        ("job-token", token.clone()),
        ("cookie", format!("_shipway_session={token}")),
        ("x", token.clone()),
    ] {
        let status = site.status(VERSION, (header.0, &header.1)).await;
        assert_eq!(status, 401, "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_by_time_and_by_revoking() {
    let site = Site::start().await;
    let ann = site.user("ann").await;
    let token = site.token(&ann, &[Scope::Api]).await;
    let header = ("private-token", token.as_str());
    assert_eq!(site.status(VERSION, header).await, 200);
    let row = site.store().access_tokens(ann.id).await.unwrap()[0].clone();
    assert!(row.last_used_at.is_some());
    assert_ne!(row.digest, token.as_bytes());
    let mut transaction = site.store().begin().await.unwrap();
    transaction.revoke_access_token(row.id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(site.status(VERSION, header).await, 401);

    let new = shipway_server::users::NewToken {
        name: "old".to_owned(),
        scopes: shipway_server::identity::Scopes::of([Scope::Api]),
        expires_at: Some(1),
        secret: None,
    };
    let (_, old) = shipway_server::users::create_token(&site.app, ann.id, &new)
        .await
        .unwrap();
    assert_eq!(site.status(VERSION, ("private-token", &old)).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_limit_what_a_token_is_for() {
    let site = Site::start().await;
    let ann = site.user("ann").await;
    site.pushed("root/lib").await;
    let lib = site.project("root/lib").await;
    let project = shipway_store::MemberSource::Project;
    site.member(project, lib.id.0, &ann, 30).await;
    for (scope, api, fetch, push) in [
        (Scope::Api, 200, true, true),
        (Scope::ReadApi, 200, false, false),
        (Scope::ReadUser, 403, false, false),
        (Scope::ReadRepository, 403, true, false),
        (Scope::WriteRepository, 403, true, true),
        (Scope::CreateRunner, 403, false, false),
    ] {
        let token = site.token(&ann, &[scope]).await;
        // Not the version, which `read_user` opens too, as on GitLab.
        let projects = "/api/v4/projects";
        let status = site.status(projects, ("private-token", &token)).await;
        assert_eq!(status, api, "{scope:?}");
        for (service, expected) in [("git-upload-pack", fetch), ("git-receive-pack", push)] {
            let path = format!("/root/lib.git/info/refs?service={service}");
            let request = site.request(reqwest::Method::GET, &path);
            let answer = request
                .basic_auth("ann", Some(&token))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status() == 200, expected, "{scope:?} {service}");
        }
    }
}
