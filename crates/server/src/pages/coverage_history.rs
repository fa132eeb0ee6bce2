//! What coverage the jobs of a branch had from day to day, as a page and as CSV.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use shipway_store::CoveredJob;

use super::html::segment;
use super::page;
use super::shell::{Place, Shell};
use super::status;
use super::visit::ProjectVisit;
use crate::error::ApiError;
use crate::permission::Action;

/// Days that are shown where nobody asks for others; GitLab's.
const DAYS: i64 = 90;

/// Coverage in per cent by day and job: the last value of the day counts.
type History = BTreeMap<Date, BTreeMap<String, f64>>;

#[derive(Debug, Template)]
#[template(path = "coverage_history.html")]
struct HistoryPage {
    shell: Shell,
    branch: String,
    csv_url: String,
    jobs: Vec<Job>,
    names: Vec<String>,
    /// Each day, the newest first, with the value of each job.
    days: Vec<(String, Vec<String>)>,
}

/// A job as a curve.
#[derive(Debug)]
struct Job {
    name: String,
    newest: String,
    /// The corners of the curve.
    points: String,
    /// A path with a dot for each day: a curve of one day has no line.
    dots: String,
}

/// `GET /-/graphs/{ref}/charts`.
pub(super) async fn show(
    visit: ProjectVisit,
    Path(branch): Path<String>,
) -> Result<Response, ApiError> {
    visit.require(Action::ReadJobs)?;
    let (first, last) = period(&visit)?;
    let history = history(&visit, &branch, first, last).await?;
    let names: BTreeSet<&String> = history.values().flat_map(BTreeMap::keys).collect();
    let names: Vec<String> = names.into_iter().cloned().collect();
    let days = history.iter().rev().map(|(day, values)| {
        let values = names.iter().map(|name| match values.get(name) {
            Some(value) => status::percent(*value),
            None => String::new(),
        });
        (day.to_string(), values.collect())
    });
    let days = days.collect();
    let jobs = names.iter().map(|name| job(name, &history, first, last));
    let reference = segment(&format!("refs/heads/{branch}"));
    page(&HistoryPage {
        shell: visit.shell(Place::Pipelines, "Coverage history"),
        csv_url: format!(
            "{}/-/ci/daily_build_group_report_results.csv?param_type=coverage&ref_path={reference}\
             &start_date={first}&end_date={last}",
            visit.url
        ),
        jobs: jobs.collect(),
        branch,
        names,
        days,
    })
}

/// `GET /-/ci/daily_build_group_report_results.csv`, with GitLab's parameters.
pub(super) async fn csv(visit: ProjectVisit) -> Result<Response, ApiError> {
    visit.require(Action::ReadJobs)?;
    if !matches!(visit.query("param_type"), "" | "coverage") {
        return Err(ApiError::parameter(
            "param_type does not have a valid value",
        ));
    }
    let (first, last) = period(&visit)?;
    let default = visit.project.default_branch.as_deref().unwrap_or_default();
    let branch = match visit.query("ref_path") {
        "" => default,
        name => name.strip_prefix("refs/heads/").unwrap_or(name),
    };
    let history = history(&visit, branch, first, last).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"code-coverage-history.csv\"",
        ),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    Ok((headers, as_csv(&history)).into_response())
}

/// The first and the last day that are asked for.
fn period(visit: &ProjectVisit) -> Result<(Date, Date), ApiError> {
    let today = Timestamp::from_microsecond(visit.now)
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC)
        .date();
    let day = |name: &str, default: Date| match visit.query(name) {
        "" => Ok(default),
        text => (text.parse::<Date>())
            .map_err(|_| ApiError::parameter(format!("{name} is no date such as 2026-01-31"))),
    };
    let last = day("end_date", today)?;
    let first = last.saturating_sub(DAYS.days());
    Ok((day("start_date", first)?, last))
}

async fn history(
    visit: &ProjectVisit,
    branch: &str,
    first: Date,
    last: Date,
) -> Result<History, ApiError> {
    let begin = |day: Date| {
        let zoned = day.to_zoned(TimeZone::UTC);
        zoned.map_or(i64::MAX, |zoned| zoned.timestamp().as_microsecond())
    };
    let until = begin(last.saturating_add(1.day()));
    let store = visit.app.store();
    let jobs = store.covered_jobs(visit.project.id, branch, begin(first), until);
    Ok(by_day(&jobs.await?))
}

/// Of jobs, the newest first, the newest of each day and group.
fn by_day(jobs: &[CoveredJob]) -> History {
    let mut history = History::new();
    for job in jobs {
        let Ok(ended) = Timestamp::from_microsecond(job.finished_at) else {
            continue;
        };
        let day = ended.to_zoned(TimeZone::UTC).date();
        let values = history.entry(day).or_default();
        values
            .entry(group(&job.name).to_owned())
            .or_insert(job.coverage);
    }
    history
}

/// The name that the jobs of `parallel` share.
fn group(name: &str) -> &str {
    let numbered = name.rsplit_once(' ').filter(|(_, end)| {
        let parts = end.split_once('/');
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        parts.is_some_and(|(index, total)| number(index) && number(total))
    });
    if let Some((group, _)) = numbered {
        return group;
    }
    match name.ends_with(']') {
        true => name.split_once(": [").map_or(name, |(group, _)| group),
        false => name,
    }
}

fn as_csv(history: &History) -> String {
    let mut text = "date,group_name,coverage\n".to_owned();
    for (day, values) in history.iter().rev() {
        for (name, value) in values {
            text.push_str(&format!("{day},{},{value}\n", field(name)));
        }
    }
    text
}

/// A field of CSV. What a spreadsheet would take for a formula stands behind an apostrophe.
fn field(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// Width and height of a curve.
const SIZE: (f64, f64) = (600.0, 80.0);

fn job(name: &str, history: &History, first: Date, last: Date) -> Job {
    let days = |to: Date| f64::from((to - first).get_days());
    let whole = days(last).max(1.0);
    let mut values = (history.iter()).filter_map(|(day, values)| Some((*day, *values.get(name)?)));
    let points = values.clone().map(|(day, value)| {
        let x = days(day) / whole * SIZE.0;
        let y = (1.0 - value / 100.0) * SIZE.1;
        (format!("{x:.1}"), format!("{y:.1}"))
    });
    let (points, dots): (Vec<_>, Vec<_>) = points
        .map(|(x, y)| (format!("{x},{y}"), format!("M{x} {y}h0")))
        .unzip();
    Job {
        name: name.to_owned(),
        points: points.join(" "),
        dots: dots.concat(),
        newest: values
            .next_back()
            .map(|(_, value)| status::percent(value))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job_at(name: &str, time: &str, coverage: f64) -> CoveredJob {
        CoveredJob {
            name: name.to_owned(),
            finished_at: time.parse::<Timestamp>().unwrap().as_microsecond(),
            coverage,
        }
    }

    #[test]
    fn the_last_value_of_a_day_counts() {
        let jobs = [
            job_at("unit 2/2", "2026-01-02T10:00:00Z", 91.5),
            job_at("unit 1/2", "2026-01-02T09:00:00Z", 80.0),
            job_at("=\"x,y", "2026-01-02T08:00:00Z", 1.0),
            job_at("unit: [a]", "2026-01-01T23:59:59Z", 70.0),
        ];
        let expected = "date,group_name,coverage\n\
            2026-01-02,\"'=\"\"x,y\",1\n\
            2026-01-02,unit,91.5\n\
            2026-01-01,unit,70\n";
        assert_eq!(as_csv(&by_day(&jobs)), expected);
    }

    #[test]
    fn a_single_day_is_a_dot() {
        let history = by_day(&[job_at("unit", "2026-01-02T10:00:00Z", 75.0)]);
        let day = |text: &str| text.parse::<Date>().unwrap();
        let drawn = job("unit", &history, day("2026-01-01"), day("2026-01-03"));
        assert_eq!(drawn.points, "300.0,20.0");
        assert_eq!(drawn.dots, "M300.0 20.0h0");
        assert_eq!(drawn.newest, "75.00%");
    }

    #[test]
    fn groups() {
        for (name, expected) in [
            ("unit", "unit"),
            ("unit 1/3", "unit"),
            ("unit: [a, b]", "unit"),
            ("unit a/b", "unit a/b"),
            ("unit [a]", "unit [a]"),
        ] {
            assert_eq!(group(name), expected, "{name}");
        }
    }
}
