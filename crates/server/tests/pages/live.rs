//! Pages that follow what happens, and a log that does.

use std::time::Duration;

use shipway_pipeline::Status;

use crate::browser::Browser;
use crate::site::Site;
use crate::world::{SHOP, world};

/// Reads a stream until a text is in it.
async fn until(stream: &mut reqwest::Response, read: &mut String, text: &str) {
    let reading = async {
        while !read.contains(text) {
            let piece = stream.chunk().await.unwrap();
            let piece = piece.unwrap_or_else(|| panic!("ended without {text}: {read}"));
            read.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(20), reading).await;
    assert!(within.is_ok(), "{text} did not come: {read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_comes_as_it_is_written() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let job = site.store().job(world.running_job).await.unwrap().unwrap();
    let page = dev.see(&format!("/{SHOP}/-/jobs/{}", job.id)).await;
    let next = crate::html::after(&page, "data-next=\"").unwrap();
    let events = format!("/{SHOP}/-/jobs/{}/events", job.id);
    assert!(page.contains(&format!("data-log=\"{events}\"")), "{page}");
    let mut stream = dev.fetch(&format!("{events}?after={next}")).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    assert!(
        stream.headers()["cache-control"]
            .to_str()
            .unwrap()
            .contains("no-cache")
    );
    let write = |text: &'static str| {
        let logs = site.store().logs();
        let offset = logs.length(job.pipeline_id, job.id).unwrap();
        logs.append(job.pipeline_id, job.id, offset, text.as_bytes())
            .unwrap();
    };
    let mut read = String::new();
    // Half a line waits for its other half.
    write("first <b>");
    write("half\nsection_end:1760000108:prepare_executor\r\x1b[0K\nlast without an end");
    until(&mut stream, &mut read, "first &lt;b&gt;half").await;
    until(&mut stream, &mut read, "\"duration\":\"8 s\"").await;
    assert!(
        read.contains("event: log") && !read.contains("last without"),
        "{read}"
    );
    let mut transaction = site.store().begin().await.unwrap();
    let over = shipway_store::JobUpdate::default();
    transaction
        .set_job_status(job.id, Status::Success, over)
        .await
        .unwrap();
    transaction.notify(format!("pipeline {}", job.pipeline_id));
    transaction.commit().await.unwrap();
    until(&mut stream, &mut read, "event: end").await;
    assert!(read.contains("last without an end"), "{read}");
    // A reader that comes back gets what it has not seen.
    let id = read
        .split("id: ")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .to_owned();
    let mut again = dev.fetch(&format!("{events}?after={id}")).await;
    let mut rest = String::new();
    until(&mut again, &mut rest, "event: end").await;
    assert!(
        !rest.contains("first") && rest.contains("last without an end"),
        "{rest}"
    );
    // The page has it all without a script.
    let page = dev.see(&format!("/{SHOP}/-/jobs/{}", job.id)).await;
    assert!(page.contains("first &lt;b&gt;half") && page.contains("last without an end"));
    assert!(!page.contains("data-log=") && !page.contains("http-equiv=\"refresh\""));
    let guest = Browser::sign_in(&site, "guest").await;
    assert_eq!(guest.get(&events).await.status, 403);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_told_of_changes() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let page = dev
        .see(&format!("/{SHOP}/-/pipelines/{}", world.pushed))
        .await;
    let events = format!("/{SHOP}/-/events?pipeline={}", world.pushed);
    assert!(
        page.contains(&format!("data-events=\"{events}\"")),
        "{page}"
    );
    assert!(
        page.contains("http-equiv=\"refresh\""),
        "without a script it asks again"
    );
    let mut stream = dev.fetch(&events).await;
    let mut read = String::new();
    let app = site.app.clone();
    let cancel = app.coordinator().cancel_pipeline(world.pushed);
    let told = until(&mut stream, &mut read, "event: change");
    let (canceled, ()) = tokio::join!(cancel, told);
    canceled.unwrap();
    // The server ends although somebody listens.
    let stopped = tokio::time::timeout(Duration::from_secs(10), site.stop()).await;
    assert!(stopped.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn long_logs_come_in_parts() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let job = site.store().job(world.failed_job).await.unwrap().unwrap();
    let logs = site.store().logs();
    let offset = logs.length(job.pipeline_id, job.id).unwrap();
    let many: String = (0..20_000)
        .map(|line| format!("line number {line}\n"))
        .collect();
    logs.append(job.pipeline_id, job.id, offset, many.as_bytes())
        .unwrap();
    let path = format!("/{SHOP}/-/jobs/{}", job.id);
    let last = dev.see(&path).await;
    assert!(last.contains("line number 19999") && !last.contains("line number 100<"));
    assert!(last.contains("Show earlier lines") && !last.contains("Show later lines"));
    let first = dev.see(&format!("{path}?from=1")).await;
    assert!(first.contains("line number 100<") && !first.contains("line number 19999"));
    assert!(first.contains("Show later lines") && !first.contains("Show earlier lines"));
    let beyond = dev.see(&format!("{path}?from=999999999")).await;
    assert!(beyond.contains("line number 19999"));
    site.stop().await;
}
