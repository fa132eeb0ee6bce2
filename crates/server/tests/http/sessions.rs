//! Signing in by a password, sessions, and requests of other sites.

use reqwest::{Method, Response};
use shipway_server::{Settings, TrustedProxies};

use crate::site::{PASSWORD, Site};

/// The cookie of a new session.
async fn sign_in(site: &Site, login: &str) -> String {
    let answer = submit(site, login, PASSWORD, &[]).await;
    assert_eq!(answer.status(), 303);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

async fn submit(site: &Site, login: &str, password: &str, headers: &[(&str, &str)]) -> Response {
    let form = [("user[login]", login), ("user[password]", password)];
    let form: Vec<String> = (form.iter())
        .map(|(name, value)| {
            let encode = |text: &str| {
                text.replace('[', "%5B")
                    .replace(']', "%5D")
                    .replace(' ', "+")
            };
            format!("{}={}", encode(name), encode(value))
        })
        .collect();
    let mut request = site
        .request(Method::POST, "/users/sign_in")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.join("&"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_and_out() {
    let site = Site::start().await;
    site.user("ann").await;
    let answer = submit(&site, "ANN", PASSWORD, &[]).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "the server speaks plain HTTP");
    assert_eq!(answer.headers()["location"], "/");

    let cookie = sign_in(&site, "ann@example.com").await;
    assert_eq!(
        site.status("/api/v4/version", ("cookie", &cookie)).await,
        200
    );

    // What is kept is a digest.
    let user = site.store().user_by_username("ann").await.unwrap().unwrap();
    let sessions = site.store().sessions(user.id).await.unwrap();
    assert_eq!(sessions.len(), 2);
    let csrf = sessions.last().unwrap().csrf.clone();
    let secret = cookie.split_once('=').unwrap().1;
    assert!(sessions.iter().all(|row| row.digest != secret.as_bytes()));

    let sessions_csrf: Vec<String> = sessions.into_iter().map(|row| row.csrf).collect();
    assert!(sessions_csrf.contains(&csrf));
    let mut ended = false;
    for token in sessions_csrf {
        let request = site
            .request(Method::POST, "/users/sign_out")
            .header("cookie", &cookie)
            .header("x-csrf-token", &token);
        ended |= request.send().await.unwrap().status() == 303;
    }
    assert!(ended);
    assert_eq!(
        site.status("/api/v4/version", ("cookie", &cookie)).await,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_limited() {
    let site = Site::start().await;
    site.user("ann").await;
    for (login, password) in [("ann", "wrong password"), ("nobody", PASSWORD), ("", "")] {
        let answer = submit(&site, login, password, &[]).await;
        assert_eq!(answer.status(), 422, "{login}");
        assert!(!answer.headers().contains_key("set-cookie"));
        let text = answer.text().await.unwrap();
        assert!(text.contains("Invalid login or password."), "{text}");
    }
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let answer = submit(&site, "ann", "wrong password", &[]).await;
        statuses.push(answer.status().as_u16());
        if let Some(wait) = answer.headers().get("retry-after") {
            let seconds: u64 = wait.to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds));
        }
    }
    assert_eq!(statuses[0], 422);
    assert_eq!(*statuses.last().unwrap(), 429, "{statuses:?}");
    // The right one does not get through either; another name does.
    assert_eq!(submit(&site, "ann", PASSWORD, &[]).await.status(), 429);
    assert_eq!(submit(&site, "root", PASSWORD, &[]).await.status(), 303);
}

/// The last of so many wrong passwords, each said to come from another client.
async fn after_many_clients(site: &Site) -> u16 {
    let mut last = 0;
    for number in 0..12 {
        let client = format!("6.6.6.6, 198.51.100.{number}");
        let headers = [("x-forwarded-for", client.as_str())];
        let answer = submit(site, "root", "wrong password", &headers).await;
        last = answer.status().as_u16();
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proxies_say_counts_only_where_they_are_trusted() {
    let https = [("x-forwarded-proto", "https")];
    let site = Site::start().await;
    let answer = submit(&site, "root", PASSWORD, &https).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert_eq!(after_many_clients(&site).await, 429);

    let trusting = |settings: &mut Settings| {
        settings.trusted_proxies = TrustedProxies::parse(["127.0.0.0/8"]).unwrap();
    };
    let site = Site::start_with(trusting).await;
    let answer = submit(&site, "root", PASSWORD, &https).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("Secure"), "{cookie}");
    assert_eq!(after_many_clients(&site).await, 422);
    // One client behind the proxy is limited as ever.
    let one = [("x-forwarded-for", "198.51.100.1")];
    let mut last = 0;
    for _ in 0..12 {
        let answer = submit(&site, "root", "wrong password", &one).await;
        last = answer.status().as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_signed_in_by_another_site() {
    let site = Site::start().await;
    let own = site.url.clone();
    for (headers, status) in [
        (vec![], 303),
        (vec![("origin", own.as_str())], 303),
        (vec![("sec-fetch-site", "same-origin")], 303),
        (vec![("origin", "https://evil.example")], 422),
        (vec![("origin", "null")], 422),
        (vec![("sec-fetch-site", "cross-site")], 422),
    ] {
        let answer = submit(&site, "root", PASSWORD, &headers).await;
        assert_eq!(answer.status(), status, "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_changes_nothing_without_its_token() {
    let site = Site::start().await;
    let root = site
        .store()
        .user_by_username("root")
        .await
        .unwrap()
        .unwrap();
    let cookie = sign_in(&site, "root").await;
    let csrf = site.store().sessions(root.id).await.unwrap()[0]
        .csrf
        .clone();
    let form = format!("a=b&authenticity_token={csrf}");
    let kind = "application/x-www-form-urlencoded";
    for (headers, body, status) in [
        (vec![], "", 422),
        (vec![("x-csrf-token", "wrong")], "", 422),
        (
            vec![("content-type", kind)],
            "authenticity_token=wrong",
            422,
        ),
        (vec![("content-type", "text/plain")], form.as_str(), 422),
        (
            vec![
                ("x-csrf-token", csrf.as_str()),
                ("sec-fetch-site", "cross-site"),
            ],
            "",
            422,
        ),
        (
            vec![("content-type", kind), ("origin", "https://evil.example")],
            form.as_str(),
            422,
        ),
        (vec![("content-type", kind)], form.as_str(), 303),
    ] {
        let mut request = site
            .request(Method::POST, "/users/sign_out")
            .header("cookie", &cookie)
            .body(body.to_owned());
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{headers:?} {body}");
    }
    assert!(site.store().sessions(root.id).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_time_by_password_and_by_blocking() {
    let site = Site::start().await;
    let ann = site.user("ann").await;
    let cookie = sign_in(&site, "ann").await;
    let header = ("cookie", cookie.as_str());
    assert_eq!(site.status("/api/v4/version", header).await, 200);

    let digest = site.store().sessions(ann.id).await.unwrap()[0]
        .digest
        .clone();
    let mut transaction = site.store().begin().await.unwrap();
    transaction.extend_session(&digest, 1).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(site.status("/api/v4/version", header).await, 401, "time");

    let cookie = sign_in(&site, "ann").await;
    shipway_server::users::set_password(&site.app, ann.id, "another password")
        .await
        .unwrap();
    let header = ("cookie", cookie.as_str());
    assert_eq!(
        site.status("/api/v4/version", header).await,
        401,
        "password"
    );
    assert_eq!(submit(&site, "ann", PASSWORD, &[]).await.status(), 422);

    let mut row = site.store().user(ann.id).await.unwrap().unwrap();
    row.state = shipway_store::UserState::Blocked;
    let mut transaction = site.store().begin().await.unwrap();
    transaction.update_user(&row).await.unwrap();
    transaction.commit().await.unwrap();
    let answer = submit(&site, "ann", "another password", &[]).await;
    assert_eq!(answer.status(), 403, "blocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_signing_in_one_stays_on_the_site() {
    let site = Site::start().await;
    let cookie = sign_in(&site, "root").await;
    for (return_to, expected) in [
        ("/a/b", "/a/b"),
        ("%2Fa%3Fb%3Dc", "/a?b=c"),
        ("//evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
    ] {
        let path = format!("/users/sign_in?return_to={return_to}");
        let request = site.request(Method::GET, &path).header("cookie", &cookie);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["location"], expected, "{return_to}");
    }
}
