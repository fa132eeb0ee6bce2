//! What a merge request does to the tests, as its page shows it.

use shipway_coordinator::{TestCase, TestComparison};
use shipway_store::MergeRequestRow;

use super::visit::ProjectVisit;
use crate::error::ApiError;
use crate::permission::Action;

/// Tests that are listed; the page of the pipeline's tests has them all.
const LISTED: usize = 100;

/// A part of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TestChanges {
    /// `1 new failure, 2 fixed, of 48 tests`.
    pub(super) summary: String,
    /// The tests of the newest pipeline.
    pub(super) url: String,
    /// With which pipeline it is compared, by its number and address.
    pub(super) base: Option<(i64, String)>,
    /// New failures, then those from before, then what is fixed.
    pub(super) rows: Vec<ChangedTest>,
    /// How many more there are.
    pub(super) more: usize,
    /// What is missing.
    pub(super) notes: Vec<String>,
}

/// A test that did not pass, before or now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChangedTest {
    pub(super) word: &'static str,
    pub(super) label: &'static str,
    pub(super) name: String,
    pub(super) class: String,
    pub(super) suite: String,
    pub(super) output: Option<String>,
}

/// The tests of a merge request; none when none are reported or the visitor may not see them.
pub(super) async fn of(
    visit: &ProjectVisit,
    row: &MergeRequestRow,
) -> Result<Option<TestChanges>, ApiError> {
    if !visit.allows(Action::ReadJobs) {
        return Ok(None);
    }
    let coordinator = visit.app.coordinator();
    let compared = coordinator.compare_tests(&visit.project, row).await?;
    Ok(compared.map(|compared| changes(compared, &visit.url)))
}

fn changes(compared: TestComparison, project_url: &str) -> TestChanges {
    let (mut new, mut existing, mut resolved) = (Vec::new(), Vec::new(), Vec::new());
    let mut total = 0;
    for suite in compared.suites {
        total += suite.total;
        let rows = |word, label, cases: Vec<TestCase>| {
            let suite = suite.name.clone();
            cases.into_iter().map(move |case| ChangedTest {
                word,
                label,
                name: case.name,
                class: case.classname,
                suite: suite.clone(),
                output: case.output,
            })
        };
        new.extend(rows("new", "off", suite.new));
        existing.extend(rows("failed before", "", suite.existing));
        resolved.extend(rows("fixed", "on", suite.resolved));
    }
    let address = |id| format!("{project_url}/-/pipelines/{id}");
    let summary = summary(new.len(), existing.len(), resolved.len(), total);
    let mut rows: Vec<ChangedTest> = (new.into_iter().chain(existing)).chain(resolved).collect();
    let more = rows.len().saturating_sub(LISTED);
    rows.truncate(LISTED);
    TestChanges {
        summary,
        url: format!("{}/test_report", address(compared.head.id)),
        base: compared.base.map(|base| (base.id.0, address(base.id))),
        rows,
        more,
        notes: compared.notes,
    }
}

fn summary(new: usize, existing: usize, resolved: usize, total: usize) -> String {
    let mut parts = Vec::new();
    match new {
        0 => {}
        1 => parts.push("1 new failure".to_owned()),
        _ => parts.push(format!("{new} new failures")),
    }
    if existing > 0 {
        parts.push(format!("{existing} failed before too"));
    }
    if resolved > 0 {
        parts.push(format!("{resolved} fixed"));
    }
    if parts.is_empty() {
        parts.push("Nothing failed".to_owned());
    }
    let plural = if total == 1 { "" } else { "s" };
    format!("{}, of {total} test{plural}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_in_words() {
        let table = [
            ((0, 0, 0, 48), "Nothing failed, of 48 tests"),
            ((1, 0, 2, 48), "1 new failure, 2 fixed, of 48 tests"),
            ((0, 3, 0, 3), "3 failed before too, of 3 tests"),
            (
                (2, 1, 0, 9),
                "2 new failures, 1 failed before too, of 9 tests",
            ),
            ((0, 0, 1, 1), "1 fixed, of 1 test"),
        ];
        for ((new, existing, resolved, total), expected) in table {
            assert_eq!(summary(new, existing, resolved, total), expected);
        }
    }
}
