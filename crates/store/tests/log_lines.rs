//! Logs are read by lines, while they grow and after a kill at any byte.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod support;

use std::time::Instant;

use shipway_pipeline::{JobId, PipelineId};
use shipway_store::Store;
use support::store;

const PIPELINE: PipelineId = PipelineId(1);
const JOB: JobId = JobId(2);

fn append(store: &Store, bytes: &[u8]) {
    let logs = store.logs();
    let length = logs.length(PIPELINE, JOB).unwrap();
    logs.append(PIPELINE, JOB, length, bytes).unwrap();
}

/// The lines that a plain reading of the whole log gives.
fn expected(log: &[u8]) -> Vec<&[u8]> {
    log.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Compares some windows with a plain reading.
fn check(store: &Store, log: &[u8]) {
    let all = expected(log);
    let last = all.len().saturating_sub(1);
    for from in [
        0,
        1,
        all.len() / 3,
        all.len() / 2,
        last,
        all.len(),
        all.len() + 5,
    ] {
        for count in [0, 1, 7] {
            let found = store
                .logs()
                .lines(PIPELINE, JOB, from as u64, count)
                .unwrap();
            let wanted: Vec<_> = all.iter().skip(from).take(count).copied().collect();
            assert_eq!(found.lines, wanted, "{count} lines from {from}");
            assert_eq!(
                (found.total, found.bytes),
                (all.len() as u64, log.len() as u64)
            );
            if !wanted.is_empty() {
                let start: usize = all.iter().take(from).map(|line| line.len()).sum();
                assert_eq!(found.start, start as u64);
                assert_eq!(found.end, found.start + wanted.concat().len() as u64);
            }
        }
    }
}

/// Lines of many lengths, empty and very long ones too, the last one unfinished.
fn log(lines: usize) -> Vec<u8> {
    let mut log = Vec::new();
    for line in 0..lines {
        let length = match line % 97 {
            0 => 0,
            50 => 30_000,
            _ => line * 31 % 120,
        };
        log.extend(format!("{line}:").bytes());
        log.extend(std::iter::repeat_n(b'x', length));
        log.push(b'\n');
    }
    log.extend(b"unfinished \xff");
    log
}

#[tokio::test]
async fn a_log_that_was_never_written_has_no_lines() {
    let (_directory, store) = store().await;
    check(&store, b"");
}

#[tokio::test]
async fn windows_of_a_growing_log_are_those_of_a_plain_reading() {
    let (_directory, store) = store().await;
    let whole = log(3000);
    let mut written: usize = 0;
    // Parts of uneven lengths, which cut lines and blocks anywhere.
    for part in [1, 10, 60_000, 65_536, 1, 131_071, 300_000, usize::MAX] {
        let end = whole.len().min(written.saturating_add(part));
        append(&store, &whole[written..end]);
        written = end;
        check(&store, &whole[..written]);
    }
    assert_eq!(written, whole.len());
}

#[tokio::test]
async fn an_index_that_a_kill_cut_anywhere_is_mended() {
    let (_directory, store) = store().await;
    let whole = log(2000);
    append(&store, &whole);
    check(&store, &whole);
    let index = store.logs().path(PIPELINE, JOB).with_extension("lines");
    let good = std::fs::read(&index).unwrap();
    assert!(good.len() > 64, "{}", good.len());
    for cut in 0..good.len() {
        std::fs::write(&index, &good[..cut]).unwrap();
        let found = store.logs().lines(PIPELINE, JOB, 1999, 1).unwrap();
        assert_eq!(found.total, 2001);
        assert!(found.lines[0].starts_with(b"1999:"), "cut at {cut}");
        assert_eq!(std::fs::read(&index).unwrap(), good, "cut at {cut}");
    }
    for rubbish in [
        vec![0; 160],
        vec![0xff; 160],
        b"not an index at all, but text".repeat(9),
    ] {
        std::fs::write(&index, rubbish).unwrap();
        check(&store, &whole);
        assert_eq!(std::fs::read(&index).unwrap(), good);
    }
}

#[tokio::test]
async fn an_index_ahead_of_a_log_that_lost_its_end_is_mended() {
    let (_directory, store) = store().await;
    let whole = log(2000);
    append(&store, &whole);
    check(&store, &whole);
    let path = store.logs().path(PIPELINE, JOB);
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let half = whole.len() / 2;
    file.set_len(half as u64).unwrap();
    check(&store, &whole[..half]);
    append(&store, &whole[..]);
    let regrown = [&whole[..half], &whole[..]].concat();
    check(&store, &regrown);
}

#[tokio::test]
async fn a_window_has_a_limit_and_a_longer_line_is_cut() {
    let (_directory, store) = store().await;
    let limit = 4 * 1024 * 1024;
    let long = vec![b'a'; limit + 5];
    append(&store, &long);
    append(&store, b"\nshort\n");
    let found = store.logs().lines(PIPELINE, JOB, 0, 10).unwrap();
    assert_eq!((found.lines.len(), found.lines[0].len()), (1, limit));
    assert_eq!(found.total, 2);
    let found = store.logs().lines(PIPELINE, JOB, 1, 10).unwrap();
    assert_eq!(found.lines, [b"short\n"]);
}

#[tokio::test]
async fn a_log_can_be_read_where_no_index_can_be_written() {
    let (_directory, store) = store().await;
    let whole = log(2000);
    append(&store, &whole);
    // A directory in the index's place is refused whoever runs the test.
    let index = store.logs().path(PIPELINE, JOB).with_extension("lines");
    std::fs::create_dir(index).unwrap();
    check(&store, &whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_at_the_same_time_do_not_disturb_each_other() {
    let (_directory, store) = store().await;
    let whole = log(4000);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::task::spawn_blocking(move || {
                let mut seen = 0;
                while seen < 4001 {
                    let found = store.logs().lines(PIPELINE, JOB, seen, 50).unwrap();
                    let whole = found.lines.iter().filter(|line| line.ends_with(b"\n"));
                    for (number, line) in (seen..).zip(whole) {
                        assert!(line.starts_with(format!("{number}:").as_bytes()));
                        seen = number + 1;
                    }
                    if seen == 4000 && found.total == 4001 {
                        seen = 4001;
                    }
                }
            })
        })
        .collect();
    for part in whole.chunks(10_007) {
        append(&store, part);
    }
    for task in tasks {
        task.await.unwrap();
    }
    check(&store, &whole);
}

#[tokio::test]
async fn the_end_of_a_long_log_is_found_without_reading_all_of_it() {
    let (_directory, store) = store().await;
    let line = [b"x".repeat(99), b"\n".to_vec()].concat();
    append(&store, &line.repeat(300_000));
    let start = Instant::now();
    store.logs().lines(PIPELINE, JOB, 299_990, 10).unwrap();
    let first = start.elapsed();
    let start = Instant::now();
    let found = store.logs().lines(PIPELINE, JOB, 299_990, 10).unwrap();
    let second = start.elapsed();
    assert_eq!(found.lines.len(), 10);
    println!("30 MB: first {first:?}, then {second:?}");
    assert!(second * 5 < first, "first {first:?}, then {second:?}");
}
