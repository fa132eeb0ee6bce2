//! JUnit reports: how many tests a job ran and how they ended (language inventory, 9.5).

use std::collections::HashSet;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::{Deserialize, Serialize};

/// How many tests ran and how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TestTotals {
    /// All of them.
    pub total: u64,
    /// Those that passed.
    pub success: u64,
    /// Those with a `failure`.
    pub failed: u64,
    /// Those with an `error`.
    pub error: u64,
    /// Those that were skipped.
    pub skipped: u64,
    /// Seconds all of them took together.
    pub time: f64,
}

impl std::ops::AddAssign for TestTotals {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.success += other.success;
        self.failed += other.failed;
        self.error += other.error;
        self.skipped += other.skipped;
        self.time += other.time;
    }
}

/// A report that is no XML; what was read before the fault is lost, the job is not.
#[derive(Debug, thiserror::Error)]
#[error("the JUnit report is not well-formed XML at byte {position}")]
pub struct JunitError {
    /// Where reading stopped.
    pub position: u64,
    /// What the XML reader says.
    #[source]
    pub source: quick_xml::Error,
}

/// Counts the tests of one or several reports that follow each other.
///
/// Attributes that make no sense, such as a `time` with a thousands separator, cost that
/// attribute and not the report. Of tests with the same class and name the first counts.
///
/// # Errors
/// When the bytes are not XML.
pub fn totals(report: impl BufRead) -> Result<TestTotals, JunitError> {
    let mut reader = Reader::from_reader(report);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut totals = TestTotals::default();
    let mut seen = HashSet::new();
    let mut case: Option<Case> = None;
    let mut buffer = Vec::new();
    loop {
        let event = reader.read_event_into(&mut buffer);
        match event {
            Err(source) => {
                return Err(JunitError {
                    position: reader.error_position(),
                    source,
                });
            }
            Ok(Event::Eof) => return Ok(totals),
            Ok(Event::Start(tag)) => match tag.local_name().as_ref() {
                "testcase" => case = Some(Case::of(&tag)),
                name => {
                    if let Some(case) = &mut case {
                        case.child(name);
                    }
                }
            },
            Ok(Event::Empty(tag)) => match tag.local_name().as_ref() {
                "testcase" => Case::of(&tag).count(&mut totals, &mut seen),
                name => {
                    if let Some(case) = &mut case {
                        case.child(name);
                    }
                }
            },
            Ok(Event::End(tag)) if tag.local_name().as_ref() == "testcase" => {
                if let Some(case) = case.take() {
                    case.count(&mut totals, &mut seen);
                }
            }
            Ok(_) => {}
        }
        buffer.clear();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Success,
    Skipped,
    Error,
    Failed,
}

struct Case {
    key: (String, String),
    time: f64,
    ending: Ending,
}

impl Case {
    fn of(tag: &BytesStart<'_>) -> Self {
        let attribute = |name: &str| {
            let found = tag.try_get_attribute(name).ok().flatten();
            found.map(|attribute| attribute.value.into_owned())
        };
        let time = attribute("time");
        Self {
            key: (
                attribute("classname").unwrap_or_default(),
                attribute("name").unwrap_or_default(),
            ),
            time: (time.and_then(|text| text.parse::<f64>().ok()))
                .filter(|seconds| seconds.is_finite())
                .unwrap_or_default(),
            ending: Ending::Success,
        }
    }

    fn child(&mut self, name: &str) {
        let ending = match name {
            "failure" => Ending::Failed,
            "error" => Ending::Error,
            "skipped" => Ending::Skipped,
            _ => return,
        };
        self.ending = self.ending.max(ending);
    }

    fn count(self, totals: &mut TestTotals, seen: &mut HashSet<(String, String)>) {
        if !seen.insert(self.key) {
            return;
        }
        totals.total += 1;
        totals.time += self.time;
        *match self.ending {
            Ending::Success => &mut totals.success,
            Ending::Skipped => &mut totals.skipped,
            Ending::Error => &mut totals.error,
            Ending::Failed => &mut totals.failed,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn counts(report: &str) -> [u64; 5] {
        let totals = totals(report.as_bytes()).unwrap();
        [
            totals.total,
            totals.success,
            totals.failed,
            totals.error,
            totals.skipped,
        ]
    }

    #[test]
    fn endings_are_counted() {
        let report = r#"<?xml version="1.0"?>
            <testsuites><testsuite name="pytest" tests="99">
              <testcase classname="a" name="one" time="0.5"/>
              <testcase classname="a" name="two" time="0.25"><failure message="no">text</failure></testcase>
              <testcase classname="a" name="three"><error/></testcase>
              <testcase classname="a" name="four"><skipped/><system-out>x</system-out></testcase>
            </testsuite></testsuites>"#;
        assert_eq!(counts(report), [4, 1, 1, 1, 1]);
        assert_eq!(totals(report.as_bytes()).unwrap().time, 0.75);
    }

    #[test]
    fn reports_may_follow_each_other_and_the_first_of_a_name_counts() {
        let one = r#"<?xml version="1.0"?><testsuite><testcase name="x"/></testsuite>"#;
        let two = r#"<?xml version="1.0"?><testsuite><testcase name="x"><failure/></testcase>
            <testcase name="y"/></testsuite>"#;
        assert_eq!(counts(&format!("{one}\n{two}")), [2, 2, 0, 0, 0]);
    }

    #[test]
    fn odd_attributes_cost_only_themselves() {
        let report = r#"<testsuite><testcase name="a" time="1,234.5"/><testcase name="b" time="x" class=y/></testsuite>"#;
        assert_eq!(counts(report), [2, 2, 0, 0, 0]);
        assert_eq!(totals(report.as_bytes()).unwrap().time, 0.0);
    }

    #[test]
    fn what_is_no_report_counts_nothing_or_is_a_fault() {
        assert_eq!(counts(""), [0; 5]);
        assert_eq!(counts("just text"), [0; 5]);
        assert!(totals("<testsuite><testcase".as_bytes()).is_err());
    }
}
