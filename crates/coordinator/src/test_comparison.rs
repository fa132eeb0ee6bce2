//! What a merge request does to the tests: those that fail only with it, those that it mends
//! (language inventory, 9.5). Child pipelines count.

use std::collections::{BTreeMap, HashMap};

use shipway_pipeline::PipelineId;
use shipway_store::{MergeRequestRow, Page, PipelineFilter, PipelineRow, ProjectRow};

use crate::coordinator::{Boxed, Coordinator};
use crate::error::Error;
use crate::payload::Shared;
use crate::reports::junit::{TestCase, TestStatus};
use crate::start::HEADS;

/// Jobs of a pipeline and its children whose reports are read.
const MOST_REPORTS: usize = 100;

/// Tests of a pipeline and its children that are compared.
const MOST_TESTS: usize = 100_000;

/// The newest pipeline of a merge request next to the one of what it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct TestComparison {
    /// The pipeline of the merge request's newest commit.
    pub head: PipelineRow,
    /// The pipeline of the target branch from which the merge request goes on, if there is one.
    pub base: Option<PipelineRow>,
    /// What became of the tests, by suite.
    pub suites: Vec<SuiteComparison>,
    /// What could not be read or is too much.
    pub notes: Vec<String>,
}

/// The tests of a job that did not pass, before or now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SuiteComparison {
    /// The job; of one in a child pipeline after the names of the jobs above.
    pub name: String,
    /// How many tests there are.
    pub total: usize,
    /// They do not pass, and did before or were not there.
    pub new: Vec<TestCase>,
    /// They did not pass before either.
    pub existing: Vec<TestCase>,
    /// They pass, and did not before.
    pub resolved: Vec<TestCase>,
}

/// The tests of a pipeline by suite.
type Suites = BTreeMap<String, Vec<TestCase>>;

fn fails(status: TestStatus) -> bool {
    matches!(status, TestStatus::Failed | TestStatus::Error)
}

/// Tests are the same by suite, class and name. As on GitLab a failure that becomes an error is
/// a new error.
fn compare(base: &Suites, head: Suites) -> Vec<SuiteComparison> {
    let suite = |(name, cases): (String, Vec<TestCase>)| {
        let before: HashMap<(&str, &str), TestStatus> = (base.get(&name).into_iter().flatten())
            .map(|case| ((case.classname.as_str(), case.name.as_str()), case.status))
            .collect();
        let mut found = SuiteComparison {
            total: cases.len(),
            ..SuiteComparison::default()
        };
        for case in cases {
            let before = before.get(&(case.classname.as_str(), case.name.as_str()));
            match (fails(case.status), before) {
                (true, Some(status)) if *status == case.status => found.existing.push(case),
                (true, _) => found.new.push(case),
                (false, Some(status)) if fails(*status) && case.status == TestStatus::Success => {
                    found.resolved.push(case);
                }
                (false, _) => {}
            }
        }
        found.name = name;
        found
    };
    head.into_iter().map(suite).collect()
}

/// The name of a suite: jobs of `parallel: 3` share theirs, since tests move between them.
fn suite_name(job: &str) -> &str {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match job.rsplit_once(' ') {
        Some((name, part))
            if part
                .split_once('/')
                .is_some_and(|(n, of)| number(n) && number(of)) =>
        {
            name
        }
        _ => job,
    }
}

impl Coordinator {
    /// The pipeline that speaks for a merge request: the newest of its newest commit, its own or
    /// else of its branch.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn head_pipeline(&self, row: &MergeRequestRow) -> Result<Option<PipelineRow>, Error> {
        let own = self.store.pipelines_of_merge_request(row.id, 1).await?;
        let own = own.into_iter().next();
        if own
            .as_ref()
            .is_some_and(|one| one.sha.as_ref() == Some(&row.sha))
        {
            return Ok(own);
        }
        let of_branch = self.newest_of(row, &row.source_branch, &row.sha).await?;
        Ok(of_branch.or(own))
    }

    /// The newest pipeline of a branch at a commit.
    async fn newest_of(
        &self,
        row: &MergeRequestRow,
        branch: &str,
        sha: &str,
    ) -> Result<Option<PipelineRow>, Error> {
        let filter = PipelineFilter {
            ref_name: Some(branch.to_owned()),
            sha: Some(sha.to_owned()),
            ..PipelineFilter::default()
        };
        let found = (self.store).pipelines_of_project(row.project_id, &filter, Page::first(1));
        Ok(found.await?.rows.into_iter().next())
    }

    /// The tests of a merge request's newest pipeline, compared with those of its target branch
    /// where it began; none when it has no pipeline or no job of that reported tests.
    ///
    /// # Errors
    /// When the store or the repository fails.
    pub fn compare_tests<'a>(
        &'a self,
        project: &'a ProjectRow,
        row: &'a MergeRequestRow,
    ) -> Boxed<'a, Result<Option<TestComparison>, Error>> {
        Box::pin(async move {
            let Some(head) = self.head_pipeline(row).await? else {
                return Ok(None);
            };
            let mut notes = Vec::new();
            let suites = self.suites(head.id, &mut notes).await?;
            if suites.is_empty() && notes.is_empty() {
                return Ok(None);
            }
            let base = self.base_pipeline(project, row, &head).await?;
            let before = match &base {
                Some(base) => self.suites(base.id, &mut notes).await?,
                None => Suites::new(),
            };
            Ok(Some(TestComparison {
                suites: compare(&before, suites),
                head,
                base,
                notes,
            }))
        })
    }

    /// The pipeline of the target branch at the last commit that both branches have.
    async fn base_pipeline(
        &self,
        project: &ProjectRow,
        row: &MergeRequestRow,
        head: &PipelineRow,
    ) -> Result<Option<PipelineRow>, Error> {
        let shared = Shared::read(&head.context, &[]).unwrap_or_default();
        let noted = shared.predefined("CI_MERGE_REQUEST_DIFF_BASE_SHA");
        let base = match noted {
            "" => {
                let repository = self.repository(project).await?;
                let target = format!("{HEADS}{}", row.target_branch);
                match repository.resolve(&target).await? {
                    Some(target) => repository.merge_base(&target, &row.sha).await?,
                    None => None,
                }
            }
            noted => Some(noted.to_owned()),
        };
        match base {
            Some(base) => self.newest_of(row, &row.target_branch, &base).await,
            None => Ok(None),
        }
    }

    /// The tests of a pipeline and of its children; `notes` is told what is missing.
    async fn suites(&self, pipeline: PipelineId, notes: &mut Vec<String>) -> Result<Suites, Error> {
        let children = self.children(pipeline, " / ").await?;
        let below = children
            .iter()
            .map(|child| (child.pipeline, format!("{} / ", child.name)));
        let mut suites = Suites::new();
        let (mut reports, mut room) = (0, MOST_TESTS);
        for (pipeline, above) in std::iter::once((pipeline, String::new())).chain(below) {
            let jobs = self.store.jobs(pipeline).await?;
            for job in jobs
                .iter()
                .filter(|job| !job.retried && job.tests.is_some())
            {
                reports += 1;
                if reports > MOST_REPORTS || room == 0 {
                    notes.push(format!(
                        "Of pipeline #{pipeline} only {MOST_REPORTS} reports with {MOST_TESTS} \
                         tests are compared."
                    ));
                    return Ok(suites);
                }
                match self.test_cases(job.id).await? {
                    Err(fault) => notes.push(format!("{above}{}: {fault}", job.name)),
                    Ok(found) if found.cases.is_empty() => {}
                    Ok(found) => {
                        let suite = suites.entry(format!("{above}{}", suite_name(&job.name)));
                        let taken = found.cases.len().min(room);
                        room -= taken;
                        suite
                            .or_default()
                            .extend(found.cases.into_iter().take(taken));
                    }
                }
            }
        }
        Ok(suites)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, status: TestStatus) -> TestCase {
        TestCase {
            name: name.to_owned(),
            classname: "c".to_owned(),
            file: None,
            time: 0.0,
            status,
            output: None,
            attachment: None,
        }
    }

    #[test]
    fn a_test_is_new_existing_or_resolved() {
        use TestStatus::{Error, Failed, Skipped, Success};
        // Before, now, where it is listed.
        let table = [
            (Some(Success), Success, ""),
            (Some(Success), Failed, "new"),
            (None, Failed, "new"),
            (None, Error, "new"),
            (Some(Failed), Error, "new"),
            (Some(Skipped), Failed, "new"),
            (Some(Failed), Failed, "existing"),
            (Some(Error), Error, "existing"),
            (Some(Failed), Success, "resolved"),
            (Some(Error), Success, "resolved"),
            (Some(Failed), Skipped, ""),
            (None, Success, ""),
        ];
        for (before, now, expected) in table {
            let of = |status: Option<TestStatus>| {
                let cases = status.map(|status| vec![case("t", status)]);
                Suites::from([("unit".to_owned(), cases.unwrap_or_default())])
            };
            let found = compare(&of(before), of(Some(now)));
            let [suite] = found.as_slice() else {
                panic!("{found:?}");
            };
            let lists = [
                ("new", &suite.new),
                ("existing", &suite.existing),
                ("resolved", &suite.resolved),
            ];
            let listed = lists.iter().filter(|(_, list)| !list.is_empty());
            let listed: Vec<&str> = listed.map(|(name, _)| *name).collect();
            assert_eq!(listed.join(" "), expected, "{before:?} {now:?}");
            assert_eq!((suite.name.as_str(), suite.total), ("unit", 1));
        }
    }

    #[test]
    fn a_test_of_another_suite_is_another_test() {
        let of = |suite: &str, status| Suites::from([(suite.to_owned(), vec![case("t", status)])]);
        let found = compare(
            &of("unit", TestStatus::Failed),
            of("browser", TestStatus::Failed),
        );
        assert_eq!(found[0].new.len(), 1);
    }

    #[test]
    fn jobs_of_a_parallel_one_are_a_suite() {
        let table = [
            ("unit 1/3", "unit"),
            ("unit", "unit"),
            ("unit: [3.12]", "unit: [3.12]"),
            ("a b 12/30", "a b"),
            ("lint a/b", "lint a/b"),
            ("lint 1/", "lint 1/"),
        ];
        for (job, expected) in table {
            assert_eq!(suite_name(job), expected, "{job}");
        }
    }
}
