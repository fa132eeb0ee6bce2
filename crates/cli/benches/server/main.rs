//! What the server does in a second, and how soon: simulated runners on loopback against the
//! real `shipway serve`, beside a handler that answers at once.
//!
//! `benches/server.sh` runs it; `--help` lists the options. The runners share the machine's
//! processors with the server. Figures only: nothing here fails for being slow.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that fails ends"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its result")]

mod dispatch;
mod figures;
mod floor;
mod http;
mod runner;
mod server;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use shipway_testing::postgres;

use crate::figures::Table;
use crate::server::Server;

/// Measures `shipway serve` with simulated runners on loopback.
#[derive(Debug, Parser)]
struct Options {
    /// Repetitions of each figure.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Jobs of a big pipeline, and of a repetition.
    #[arg(long, default_value_t = 1000)]
    jobs: usize,
    /// Runners that work at the same time.
    #[arg(long, default_value_t = 16)]
    runners: usize,
    /// Runners that wait while jobs are handed out.
    #[arg(long, default_value_t = 1000)]
    idle: usize,
    /// Jobs handed out to waiting runners in a repetition.
    #[arg(long, default_value_t = 100)]
    hand_outs: usize,
    /// Where the rows are.
    #[arg(long, value_enum, default_values_t = [Database::Sqlite, Database::Postgres])]
    database: Vec<Database>,
    /// The directory below which the server keeps everything: it chooses the disk.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    directory: PathBuf,
    /// The program to measure.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_shipway"))]
    program: PathBuf,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the handler that answers at once; the file is what it answers to a request for a job.
    #[arg(long, hide = true)]
    floor: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

fn main() {
    let options = Options::parse();
    // The server needs the processors more.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match &options.floor {
            Some(answer) => floor::serve(answer).await,
            None => measure(&options).await,
        }
    });
}

async fn measure(options: &Options) {
    figures::print_machine();
    for database in &options.database {
        let (name, url) = match database {
            Database::Sqlite => ("SQLite", None),
            Database::Postgres => match postgres::database().await {
                Some(url) => ("PostgreSQL", Some(url)),
                None => continue,
            },
        };
        let mut table = Table::new(&format!("{name}, {} repetitions", options.repeat));
        measure_server(options, url.as_deref(), &mut table).await;
        table.print();
    }
}

async fn measure_server(options: &Options, database: Option<&str>, table: &mut Table) {
    let server = Server::start(&options.program, &options.directory, database).await;
    table.add("memory at rest, MB", "< 60", vec![server.memory()]);
    let tokens = server.runners(options.idle.max(options.runners)).await;
    let working = &tokens[..options.runners];

    let big = server::wide(options.jobs);
    let mut pushed = Vec::new();
    let mut asked = Vec::new();
    let mut rates = Vec::new();
    for _ in 0..options.repeat {
        pushed.push(server.push(&big).await.as_secs_f64() * 1e3);
        rates.push(runner::rate(server.address(), working, options.jobs).await);
        if let Some(took) = server.create_pipeline().await {
            asked.push(took.as_secs_f64() * 1e3);
            rates.push(runner::rate(server.address(), working, options.jobs).await);
        }
    }
    let jobs = options.jobs;
    table.add(
        &format!("pipeline of {jobs} jobs by POST, ms"),
        "< 300",
        asked,
    );
    table.add(
        &format!("pipeline of {jobs} jobs by git push, ms"),
        "",
        pushed,
    );
    table.add(&format!("jobs/s of pipelines of {jobs}"), "> 500", rates);

    let small = server::wide(SMALL);
    let mut rates = Vec::new();
    for _ in 0..options.repeat {
        let pipelines = options.jobs.div_ceil(SMALL);
        for _ in 0..pipelines {
            server.push(&small).await;
        }
        rates.push(runner::rate(server.address(), working, pipelines * SMALL).await);
    }
    table.add(&format!("jobs/s of pipelines of {SMALL}"), "> 500", rates);

    server.push(&server::wide(1)).await;
    let answer = runner::take_one(server.address(), &working[0]).await;
    let mut rates = Vec::new();
    let floor = floor::Floor::start(&answer).await;
    for _ in 0..options.repeat {
        rates.push(runner::rate(floor.address(), working, options.jobs).await);
    }
    drop(floor);
    table.add("  the same requests, answered at once", "", rates);

    let waits = dispatch::measure(&server, &tokens[..options.idle], options).await;
    let idle = options.idle;
    table.add(&format!("hand-out, {idle} wait, p50, ms"), "", waits.half);
    table.add(
        &format!("hand-out, {idle} wait, p99, ms"),
        "< 50",
        waits.most,
    );
    table.add("  from the start of a git push, ms", "", waits.pushed);
    table.add("memory after that, MB", "", vec![server.memory()]);
}

/// Jobs of a pipeline as people have them.
const SMALL: usize = 50;
