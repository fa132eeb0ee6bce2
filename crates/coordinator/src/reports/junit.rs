//! JUnit reports: which tests a job ran and how they ended (language inventory, 9.5).

use std::collections::HashSet;
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
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

/// How a test ended. Of a test that says several the last in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TestStatus {
    /// It passed.
    Success,
    /// It did not run.
    Skipped,
    /// It could not run to its end.
    Error,
    /// It found a fault.
    Failed,
}

impl TestStatus {
    /// GitLab's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Skipped => "skipped",
            Self::Error => "error",
            Self::Failed => "failed",
        }
    }

    /// The status that an element in a test stands for.
    fn of_element(name: &str) -> Option<Self> {
        match name {
            "failure" => Some(Self::Failed),
            "error" => Some(Self::Error),
            "skipped" => Some(Self::Skipped),
            _ => None,
        }
    }
}

/// A test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestCase {
    /// Its name; with that of the class unique in a job.
    pub name: String,
    /// Its class or module.
    pub classname: String,
    /// Where it is written, if the report says so.
    pub file: Option<String>,
    /// How long it took, in seconds.
    pub time: f64,
    /// How it ended.
    pub status: TestStatus,
    /// What it says of a fault, up to [`LONGEST_OUTPUT`].
    pub output: Option<String>,
    /// The path of a file in the job's artifacts that shows more, such as a picture of the
    /// screen: `[[ATTACHMENT|path]]` in its `system-out`.
    pub attachment: Option<String>,
}

/// Tests in the order of their reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TestCases {
    /// At most [`MOST_CASES`].
    pub cases: Vec<TestCase>,
    /// False when there are more.
    pub complete: bool,
}

/// Tests of a job that are kept in memory at most.
pub const MOST_CASES: usize = 10_000;

/// What one test says that is kept, in bytes.
pub const LONGEST_OUTPUT: usize = 16 * 1024;

/// What all tests of a job say that is kept, in bytes.
pub const LONGEST_OUTPUTS: usize = 8 * 1024 * 1024;

/// Counts the tests of one or several reports that follow each other.
///
/// Attributes that make no sense, such as a `time` with a thousands separator, cost that
/// attribute and not the report. Of tests with the same class and name the first counts.
///
/// # Errors
/// When the bytes are not XML.
pub fn totals(report: impl BufRead) -> Result<TestTotals, JunitError> {
    totals_of(report, drop)
}

/// As [`totals`]; gives every test that is counted to `take`, without what it says.
///
/// # Errors
/// When the bytes are not XML.
pub fn totals_of(
    report: impl BufRead,
    mut take: impl FnMut(TestCase),
) -> Result<TestTotals, JunitError> {
    let mut totals = TestTotals::default();
    read(report, 0, |case| {
        totals.total += 1;
        totals.time += case.time;
        *match case.status {
            TestStatus::Success => &mut totals.success,
            TestStatus::Skipped => &mut totals.skipped,
            TestStatus::Error => &mut totals.error,
            TestStatus::Failed => &mut totals.failed,
        } += 1;
        take(case);
    })?;
    Ok(totals)
}

/// The tests of one or several reports that follow each other, as [`totals`] counts them.
///
/// # Errors
/// When the bytes are not XML.
pub fn cases(report: impl BufRead) -> Result<TestCases, JunitError> {
    let mut found = TestCases {
        complete: true,
        ..TestCases::default()
    };
    let mut outputs = 0;
    read(report, LONGEST_OUTPUT, |mut case| {
        if found.cases.len() == MOST_CASES {
            found.complete = false;
            return;
        }
        outputs += case.output.as_ref().map_or(0, String::len);
        if outputs > LONGEST_OUTPUTS {
            case.output = case
                .output
                .map(|_| "(left out: too much output)".to_owned());
        }
        found.cases.push(case);
    })?;
    Ok(found)
}

/// Gives every test once. Of what it says `longest` bytes are kept.
fn read(
    report: impl BufRead,
    longest: usize,
    mut take: impl FnMut(TestCase),
) -> Result<(), JunitError> {
    let mut reader = Reader::from_reader(report);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut seen = HashSet::new();
    let mut first = |case: TestCase| {
        if seen.insert((case.classname.clone(), case.name.clone())) {
            take(case);
        }
    };
    let mut case: Option<TestCase> = None;
    // Inside of a `failure`, `error` or `skipped`, whose text is what the test says.
    let mut speaks = false;
    // Inside of its `system-out`.
    let mut prints = false;
    let mut buffer = Vec::new();
    loop {
        let event = reader.read_event_into(&mut buffer);
        let event = event.map_err(|source| JunitError {
            position: reader.error_position(),
            source,
        })?;
        match (event, &mut case) {
            (Event::Eof, _) => return Ok(()),
            (Event::Start(tag), _) if tag.local_name().as_ref() == "testcase" => {
                case = Some(TestCase::of(&tag));
                (speaks, prints) = (false, false);
            }
            (Event::Empty(tag), _) if tag.local_name().as_ref() == "testcase" => {
                first(TestCase::of(&tag));
            }
            (Event::Start(tag), Some(_)) if tag.local_name().as_ref() == OUTPUT => prints = true,
            (Event::Start(tag), Some(case)) => speaks |= case.child(&tag, longest),
            (Event::Empty(tag), Some(case)) => {
                case.child(&tag, longest);
            }
            (Event::End(tag), Some(open)) => match tag.local_name().as_ref() {
                "testcase" => {
                    open.output = open.output.take().filter(|text| !text.is_empty());
                    case.take().into_iter().for_each(&mut first);
                }
                OUTPUT => prints = false,
                name if TestStatus::of_element(name).is_some() => speaks = false,
                _ => {}
            },
            (Event::Text(text), Some(case)) if prints => case.attach(&text),
            (Event::CData(text), Some(case)) if prints => case.attach(&text),
            (Event::Text(text), Some(case)) if speaks => case.say(&text, longest),
            (Event::CData(text), Some(case)) if speaks => case.say(&text, longest),
            (Event::GeneralRef(name), Some(case)) if speaks => {
                let character = name.resolve_char_ref().ok().flatten();
                let character = character.map(String::from);
                let text = character.or(resolve_predefined_entity(&name).map(str::to_owned));
                case.say(&text.unwrap_or_default(), longest);
            }
            _ => {}
        }
        buffer.clear();
    }
}

/// The element with what a test printed.
const OUTPUT: &str = "system-out";

/// The longest path of an attachment, in bytes.
const LONGEST_PATH: usize = 1024;

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok().flatten()?;
    let plain = unescape(&found.value).map(|text| text.into_owned());
    Some(plain.unwrap_or_else(|_| found.value.into_owned()))
}

impl TestCase {
    fn of(tag: &BytesStart<'_>) -> Self {
        let time = attribute(tag, "time");
        Self {
            name: attribute(tag, "name").unwrap_or_default(),
            classname: attribute(tag, "classname").unwrap_or_default(),
            file: attribute(tag, "file"),
            time: (time.and_then(|text| text.parse::<f64>().ok()))
                .filter(|seconds| seconds.is_finite())
                .unwrap_or_default(),
            status: TestStatus::Success,
            output: None,
            attachment: None,
        }
    }

    /// An element in the test; whether its text is what the test says.
    fn child(&mut self, tag: &BytesStart<'_>, longest: usize) -> bool {
        let Some(status) = TestStatus::of_element(tag.local_name().as_ref()) else {
            return false;
        };
        self.status = self.status.max(status);
        if longest > 0
            && let Some(message) = attribute(tag, "message").filter(|text| !text.is_empty())
        {
            self.say(&message, longest);
            self.say("\n", longest);
        }
        true
    }

    /// Looks for the first attachment in what the test printed.
    fn attach(&mut self, text: &str) {
        let found = text.split_once("[[ATTACHMENT|");
        let path = found.and_then(|(_, rest)| rest.split_once("]]"));
        let path = path.map(|(path, _)| path.trim());
        let fits = |path: &&str| !path.is_empty() && path.len() <= LONGEST_PATH;
        if let (None, Some(path)) = (&self.attachment, path.filter(fits)) {
            self.attachment = Some(path.to_owned());
        }
    }

    fn say(&mut self, text: &str, longest: usize) {
        if longest == 0 {
            return;
        }
        let output = self.output.get_or_insert_default();
        let room = longest.saturating_sub(output.len());
        output.push_str(&text[..text.floor_char_boundary(room)]);
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
    fn a_test_names_the_file_that_shows_more() {
        let report = "<testsuite>
            <testcase name='a'><failure>no</failure>
              <system-out>begin [[ATTACHMENT|/shots/a.png]] [[ATTACHMENT|b.png]]</system-out></testcase>
            <testcase name='b'><system-out><![CDATA[[[ATTACHMENT|c d.txt]]]]></system-out></testcase>
            <testcase name='c'><failure>[[ATTACHMENT|x]]</failure></testcase>
            <testcase name='d'><system-out>[[ATTACHMENT|]] [[ATTACHMENT|</system-out></testcase>
            <system-out>[[ATTACHMENT|of the suite]]</system-out></testsuite>";
        let found = cases(report.as_bytes()).unwrap().cases;
        let found: Vec<Option<&str>> = found
            .iter()
            .map(|case| case.attachment.as_deref())
            .collect();
        assert_eq!(found, [Some("/shots/a.png"), Some("c d.txt"), None, None]);
        let output = cases(report.as_bytes()).unwrap().cases[0].output.clone();
        assert_eq!(output.as_deref(), Some("no"));
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

    #[test]
    fn cases_say_what_is_wrong() {
        let report = r#"<testsuite>
            <testcase classname="a.B" name="x &lt;1&gt;" file="a.py" time="0.5"/>
            <testcase name="two"><failure message="no &amp; no"><![CDATA[at <line>]]> 7 &gt; 6 &#33;</failure>
              <system-out>not this</system-out></testcase>
            <testcase name="three"><skipped message="later"/></testcase>
            <testcase name="four"><error/></testcase></testsuite>"#;
        let found = cases(report.as_bytes()).unwrap();
        assert!(found.complete);
        let shown: Vec<_> = (found.cases.iter())
            .map(|case| (&*case.name, case.status.as_str(), case.output.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                ("x <1>", "success", None),
                ("two", "failed", Some("no & no\nat <line> 7 > 6 !")),
                ("three", "skipped", Some("later\n")),
                ("four", "error", None),
            ]
        );
        let first = &found.cases[0];
        assert_eq!(
            (&*first.classname, first.file.as_deref()),
            ("a.B", Some("a.py"))
        );
    }

    #[test]
    fn cases_have_limits() {
        let long = "ä".repeat(LONGEST_OUTPUT);
        let one = format!("<testcase name='1'><failure>{long}</failure></testcase>");
        let found = cases(one.as_bytes()).unwrap();
        assert_eq!(
            found.cases[0].output.as_ref().unwrap().len(),
            LONGEST_OUTPUT
        );
        let many: String = (0..=MOST_CASES)
            .map(|number| format!("<testcase name='{number}'/>"))
            .collect();
        let found = cases(many.as_bytes()).unwrap();
        assert_eq!((found.cases.len(), found.complete), (MOST_CASES, false));
        let loud: String = (0..600)
            .map(|number| one.replace("'1'", &format!("'{number}'")))
            .collect();
        let kept: usize = (cases(loud.as_bytes()).unwrap().cases.iter())
            .filter_map(|case| case.output.as_ref().map(String::len))
            .sum();
        assert!(kept < LONGEST_OUTPUTS + 100_000, "{kept}");
    }
}
