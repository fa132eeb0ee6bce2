//! Bad input on every page and form: refused, and nothing changes. Pages and forms are found as
//! a browser finds them, by following every link; every route has to be among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use reqwest::{Method, StatusCode};

use shipway_testing::state;

use crate::browser::Browser;
use crate::html;
use crate::site::Site;
use crate::world::{SHOP, World, world};

/// The table of the routes, as it stands in the source.
const ROUTES: &str = include_str!("../../src/pages/mod.rs");

/// What is not reached by following links.
fn unlinked(world: &World) -> Vec<String> {
    let job = |id: shipway_pipeline::JobId| format!("/{SHOP}/-/jobs/{id}");
    vec![
        "/admin".to_owned(),
        format!("/{SHOP}/-/events"),
        format!("{}/events", job(world.running_job)),
        format!("/{SHOP}/-/jobs/{}/raw", world.running_job),
        format!("{}/artifacts/browse/htmlcov", job(world.artifacts_job)),
        format!("{}/artifacts/browse/", job(world.artifacts_job)),
        format!(
            "{}/artifacts/file/htmlcov/index.html",
            job(world.artifacts_job)
        ),
        format!("{}/artifacts/raw/coverage.xml", job(world.artifacts_job)),
        format!("{}/artifacts/download", job(world.artifacts_job)),
        format!("/{SHOP}/-/jobs/artifacts/main/raw/coverage.xml?job=unit"),
        format!("/{SHOP}/badges/main/pipeline.svg"),
        format!("/{SHOP}/-/badges/main/pipeline.svg"),
        format!("/{SHOP}/-/raw/main/app.py"),
        format!("/{SHOP}/-/pipelines/latest"),
        format!("/{SHOP}/-/pipelines/main/latest"),
        format!("/{SHOP}/-/releases/permalink/latest"),
        format!("/{SHOP}/-/group_members"),
    ]
}

/// A form: where it goes and what it sends if nobody changes it.
struct Form {
    from: String,
    fields: Vec<(String, String)>,
    /// The names that are boxes to check.
    boxes: BTreeSet<String>,
}

#[derive(Default)]
struct Found {
    pages: BTreeSet<String>,
    /// By action, without the query.
    forms: BTreeMap<String, Form>,
}

/// Every page and every form of the site.
async fn explore(root: &Browser<'_>, world: &World) -> Found {
    let mut found = Found::default();
    let mut next: VecDeque<String> = VecDeque::from(["/".to_owned()]);
    next.extend(unlinked(world));
    while let Some(address) = next.pop_front() {
        let plain = without_query(&address).to_owned();
        // One page of each list is enough.
        if !found.pages.insert(plain) || address.contains("/-/assets/") {
            continue;
        }
        let answer = root.fetch(&address).await;
        let kind = answer.headers().get("content-type");
        let html = kind.is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"));
        if !html || address.contains("/artifacts/raw/") {
            continue;
        }
        let text = answer.text().await.unwrap();
        for part in text.split("href=\"").skip(1) {
            let link = unescaped(part.split('"').next().unwrap());
            let link = link.split('#').next().unwrap().to_owned();
            if link.starts_with('/') && !link.starts_with("//") {
                next.push_back(link);
            }
        }
        for part in text.split("<form").skip(1) {
            let (head, body) = part.split_once('>').unwrap();
            let body = body.split("</form>").next().unwrap();
            if !head.contains("method=\"post\"") {
                continue;
            }
            let action = html::after(head, "action=\"").map_or(address.clone(), unescaped);
            let action = without_query(&action).to_owned();
            found.forms.entry(action).or_insert_with(|| Form {
                from: address.clone(),
                fields: fields(body, |_| true),
                boxes: fields(body, |tag| tag.contains("type=\"checkbox\""))
                    .into_iter()
                    .map(|one| one.0)
                    .collect(),
            });
        }
    }
    found
}

fn without_query(address: &str) -> &str {
    address.split('?').next().unwrap()
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&")
}

/// The names in a form and what they are at first.
fn fields(form: &str, wanted: fn(&str) -> bool) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for part in form.split('<').skip(1).filter(|part| wanted(part)) {
        let Some(name) = html::after(part, " name=\"") else {
            continue;
        };
        let value = match html::after(part, " value=\"") {
            Some(value) => value,
            None if part.starts_with("textarea") => part.split_once('>').unwrap().1,
            None => "",
        };
        fields.push((name.to_owned(), unescaped(value)));
    }
    fields
}

/// The routes of the source: `/-/jobs/{id}/play`, as addresses end.
fn routes() -> Vec<String> {
    let text = ROUTES
        .split("/// A page that is as it should be")
        .next()
        .unwrap();
    let mut routes = BTreeSet::new();
    for part in text.split("route(").skip(1) {
        let start = part.trim_start().trim_start_matches("&at(");
        if let Some(path) = start.strip_prefix('"') {
            routes.insert(path.split('"').next().unwrap().to_owned());
        }
    }
    routes.into_iter().collect()
}

/// Whether an address is one of a route.
fn fits(route: &str, address: &str) -> bool {
    let (route, address): (Vec<&str>, Vec<&str>) = (
        route.split('/').skip(1).collect(),
        address.split('/').collect(),
    );
    let open = route.last().is_some_and(|last| last.starts_with("{*"));
    let fit = |window: &[&str]| {
        let pairs = route.iter().zip(window);
        pairs
            .into_iter()
            .all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    let mut windows = address.windows(route.len());
    match open {
        true => windows.any(fit),
        false => windows.next_back().is_some_and(fit),
    }
}

const BAD_NUMBERS: [&str; 6] = [
    "-1",
    "0",
    "x",
    "%00",
    "%FF%FE",
    "99999999999999999999999999",
];

/// An address whose last number is another one.
fn with_number(address: &str, bad: &str) -> Option<String> {
    let mut parts: Vec<&str> = address.split('/').collect();
    let at = parts.iter().rposition(|part| part.parse::<u64>().is_ok())?;
    parts[at] = bad;
    Some(parts.join("/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn on_every_page_and_form() {
    let site = Site::start().await;
    let world = world(&site).await;
    let root = Browser::sign_in(&site, "root").await;
    furnish(&site, &root).await;
    let found = explore(&root, &world).await;
    let missed: Vec<String> = (routes().into_iter())
        .filter(|route| {
            let mut all = found.pages.iter().chain(found.forms.keys());
            !all.any(|address| fits(route, address))
        })
        .collect();
    assert_eq!(missed, [""; 0], "routes that nothing leads to");

    let data = site.root.join("data");
    let before = state::of(&data).await;
    addresses(&root, &found).await;
    assert_eq!(state::of(&data).await, before, "after bad addresses");
    for (action, form) in &found.forms {
        if action == "/users/sign_out" {
            continue;
        }
        submit(&root, action, form).await;
        assert_eq!(
            state::of(&data).await,
            before,
            "after bad forms for {action}"
        );
    }
    site.stop().await;
}

async fn addresses(root: &Browser<'_>, found: &Found) {
    for page in &found.pages {
        for bad in BAD_NUMBERS {
            if let Some(address) = with_number(page, bad) {
                let status = root.fetch(&address).await.status();
                assert!(status.is_client_error(), "{address}: {status}");
            }
        }
        for query in [
            "page=x",
            "page=0",
            "page=-1",
            "page=99999999999999999999",
            "page=9223372036854775807",
            "page[]=1",
            "ref=%00",
            "search=%FF",
            "status=%F0%9F%92%A5",
        ] {
            let status = root.fetch(&format!("{page}?{query}")).await.status();
            let right =
                status.is_client_error() || status == StatusCode::OK || status.is_redirection();
            assert!(right, "{page}?{query}: {status}");
        }
    }
}

/// What the world does not have and forms are about.
async fn furnish(site: &Site, root: &Browser<'_>) {
    let page = |below: &str| format!("/{SHOP}/-/{below}");
    let cron = [
        ("description", "nightly"),
        ("cron", "0 2 * * *"),
        ("cron_timezone", "UTC"),
        ("ref", "main"),
        ("active", "1"),
    ];
    let (from, to) = (page("pipeline_schedules/new"), page("pipeline_schedules"));
    assert_eq!(root.submit(&from, &to, &cron).await.status, 303);
    let trigger = [("description", "hook")];
    let status = root
        .submit(&page("triggers"), &page("triggers"), &trigger)
        .await
        .status;
    assert!(status < 400, "{status}");
    let eve = site.user("eve").await.id;
    let block = format!("/admin/users/{eve}/block");
    assert_eq!(root.submit("/admin/users", &block, &[]).await.status, 303);
}

async fn submit(root: &Browser<'_>, action: &str, form: &Form) {
    let Form {
        from,
        fields,
        boxes,
    } = form;
    let token = root.token(from).await;
    let encoded = |fields: &[(String, String)]| -> String {
        let encode =
            |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let pairs = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    };
    let kind = "application/x-www-form-urlencoded";
    let refused = async |action: &str, kind: &str, body: Vec<u8>, what: &str| {
        let status = root.send(Method::POST, action, kind, body).await.status();
        assert!(status.is_client_error(), "POST {action} {what}: {status}");
    };
    let mut good = fields.clone();
    good.retain(|(name, _)| name != "authenticity_token");
    let forged = [
        good.as_slice(),
        &[("authenticity_token".to_owned(), "forged".to_owned())],
    ]
    .concat();
    refused(
        action,
        kind,
        encoded(&good).into_bytes(),
        "without its token",
    )
    .await;
    refused(
        action,
        kind,
        encoded(&forged).into_bytes(),
        "with a forged token",
    )
    .await;
    let signed = format!("authenticity_token={token}");
    for bad in BAD_NUMBERS {
        if let Some(address) = with_number(action, bad) {
            let body = format!("{signed}&{}", encoded(&good));
            refused(&address, kind, body.into_bytes(), "of another number").await;
        }
    }
    for (kind, body) in [
        ("application/json", b"{}".to_vec()),
        ("text/plain", signed.clone().into_bytes()),
        ("multipart/form-data; boundary=X", b"--X\r\nbroken".to_vec()),
    ] {
        refused(action, kind, body, kind).await;
    }
    for (name, _) in &good {
        let others: Vec<(String, String)> = (good.iter())
            .filter(|one| one.0 != *name)
            .cloned()
            .collect();
        let plain = name;
        let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        // A box is checked whatever its value is, and a configuration that is none is shown again.
        let long = !boxes.contains(plain) && !action.ends_with("/-/ci/lint");
        let long = long.then(|| "x".repeat(1 << 20));
        for poison in ["a%00b".to_owned(), "%FF".to_owned()]
            .into_iter()
            .chain(long)
        {
            let body = format!("{signed}&{}&{name}={poison}", encoded(&others));
            let what = format!("{name}={}", &poison[..poison.len().min(10)]);
            refused(action, kind, body.into_bytes(), &what).await;
        }
    }
}
