//! Which lines of which files tests ran: reports in Cobertura's and JaCoCo's form.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

/// How often each line ran, by its number.
pub type Lines = BTreeMap<u32, u64>;

/// Directories that a Cobertura report may name as its sources; more are not tried, as on
/// GitLab.
pub const MOST_SOURCES: usize = 100;

/// Lines of all files of a pipeline that are kept.
pub const MOST_LINES: usize = 2_000_000;

/// What reports say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineCoverage {
    /// By the path in the repository; where that is not found out, by the report's own.
    pub files: BTreeMap<String, Lines>,
    /// Why some of what was reported is missing, for people.
    pub faults: Vec<String>,
    /// How many lines are in it.
    count: usize,
}

/// A report that is no XML.
#[derive(Debug, thiserror::Error)]
#[error("it is not well-formed XML at byte {position}")]
pub struct ReportError {
    /// Where reading stopped.
    pub position: u64,
    /// What the XML reader says.
    #[source]
    pub source: quick_xml::Error,
}

impl LineCoverage {
    /// Adds what one or several Cobertura reports that follow each other say. Their paths are
    /// looked for among `tree`, the files of the commit.
    ///
    /// # Errors
    /// When the bytes are not XML; what was read before the fault stays.
    pub fn add_cobertura(
        &mut self,
        report: impl BufRead,
        tree: &BTreeSet<String>,
    ) -> Result<(), ReportError> {
        let mut sources: Vec<String> = Vec::new();
        let mut in_source = false;
        let mut file: Option<String> = None;
        each(report, |event| match event {
            Xml::Open("coverage", _) => sources.clear(),
            Xml::Open("source", _) => in_source = true,
            Xml::Text(text) if in_source && sources.len() < MOST_SOURCES => {
                sources.push(text.trim().to_owned());
            }
            Xml::Close("source") => in_source = false,
            Xml::Open("class", tag) => {
                let name = attribute(tag, "filename").unwrap_or_default();
                file = Some(located(&sources, &name, tree));
            }
            Xml::Close("class") => file = None,
            Xml::Open("line", tag) => {
                if let Some(file) = &file {
                    self.add(file, number(tag, "number"), number(tag, "hits"));
                }
            }
            _ => {}
        })
    }

    /// Adds what one or several JaCoCo reports that follow each other say; of a line that ran
    /// they do not say how often.
    ///
    /// # Errors
    /// As [`Self::add_cobertura`].
    pub fn add_jacoco(
        &mut self,
        report: impl BufRead,
        tree: &BTreeSet<String>,
    ) -> Result<(), ReportError> {
        let mut package = String::new();
        let mut file: Option<String> = None;
        each(report, |event| match event {
            Xml::Open("package", tag) => package = attribute(tag, "name").unwrap_or_default(),
            Xml::Open("sourcefile", tag) => {
                let name = attribute(tag, "name").unwrap_or_default();
                let path = format!("{package}/{name}");
                let path = path.trim_start_matches('/');
                // The report knows nothing of `src/main/java`.
                let below = format!("/{path}");
                let found = tree
                    .iter()
                    .find(|known| *known == path || known.ends_with(&below));
                file = Some(found.map_or(path, String::as_str).to_owned());
            }
            Xml::Close("sourcefile") => file = None,
            Xml::Open("line", tag) => {
                if let Some(file) = &file {
                    let ran = number(tag, "ci").map(|instructions| u64::from(instructions > 0));
                    self.add(file, number(tag, "nr"), ran);
                }
            }
            _ => {}
        })
    }

    fn add(&mut self, file: &str, line: Option<u64>, hits: Option<u64>) {
        let line = line.and_then(|line| u32::try_from(line).ok());
        let (Some(line), Some(hits)) = (line, hits) else {
            return;
        };
        if self.count == MOST_LINES {
            return;
        }
        if !self.files.contains_key(file) {
            self.files.insert(file.to_owned(), Lines::new());
        }
        let Some(lines) = self.files.get_mut(file) else {
            return;
        };
        match lines.get_mut(&line) {
            // Several jobs that ran the line add up.
            Some(known) => *known = known.saturating_add(hits),
            None => {
                lines.insert(line, hits);
                self.count += 1;
                if self.count == MOST_LINES {
                    let fault = format!("only the first {MOST_LINES} lines are kept");
                    self.faults.push(fault);
                }
            }
        }
    }
}

/// Of a file's lines those that ran, in per cent; none where no line is reported.
pub fn percent(lines: &Lines) -> Option<f64> {
    let ran = lines.values().filter(|hits| **hits > 0).count();
    #[expect(clippy::cast_precision_loss, reason = "files have fewer lines")]
    let percent = ran as f64 * 100.0 / lines.len() as f64;
    (!lines.is_empty()).then_some(percent)
}

/// The path in the repository of what a report calls `name`, below one of its `sources`. Where a
/// job ran is nobody's business: of a source and a name the longest end counts that is a file.
fn located(sources: &[String], name: &str, tree: &BTreeSet<String>) -> String {
    let name = name.trim_start_matches("./");
    let joined = sources.iter().map(|source| format!("{source}/{name}"));
    for path in joined.chain([name.to_owned()]) {
        let parts: Vec<&str> = (path.split(['/', '\\']))
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        for start in 0..parts.len() {
            let end = parts[start..].join("/");
            if tree.contains(&end) {
                return end;
            }
        }
    }
    name.to_owned()
}

enum Xml<'a, 'b> {
    Open(&'a str, &'a BytesStart<'b>),
    Close(&'a str),
    Text(&'a str),
}

/// Gives every element's begin and end, and text; one without content has both.
fn each(report: impl BufRead, mut take: impl FnMut(Xml<'_, '_>)) -> Result<(), ReportError> {
    let mut reader = Reader::from_reader(report);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut buffer = Vec::new();
    loop {
        let event = reader.read_event_into(&mut buffer);
        let event = event.map_err(|source| ReportError {
            position: reader.error_position(),
            source,
        })?;
        match event {
            Event::Eof => return Ok(()),
            Event::Start(tag) => take(Xml::Open(tag.local_name().as_ref(), &tag)),
            Event::Empty(tag) => {
                take(Xml::Open(tag.local_name().as_ref(), &tag));
                take(Xml::Close(tag.local_name().as_ref()));
            }
            Event::End(tag) => take(Xml::Close(tag.local_name().as_ref())),
            Event::Text(text) => take(Xml::Text(&text)),
            Event::CData(text) => take(Xml::Text(&text)),
            _ => {}
        }
        buffer.clear();
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok().flatten()?;
    let plain = unescape(&found.value).map(|text| text.into_owned());
    Some(plain.unwrap_or_else(|_| found.value.into_owned()))
}

fn number(tag: &BytesStart<'_>, name: &str) -> Option<u64> {
    attribute(tag, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> BTreeSet<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    fn cobertura(report: &str, paths: &[&str]) -> LineCoverage {
        let mut coverage = LineCoverage::default();
        coverage
            .add_cobertura(report.as_bytes(), &tree(paths))
            .unwrap();
        coverage
    }

    #[test]
    fn cobertura_says_how_often_each_line_ran() {
        // As coverage.py writes it, twice, as a runner sends two reports.
        let report = r#"<?xml version="1.0" ?>
            <!DOCTYPE coverage SYSTEM "http://example.org/coverage-04.dtd">
            <coverage version="7.6" line-rate="0.5">
            <sources><source>/builds/group/app/src</source></sources>
            <packages><package name="."><classes>
              <class name="calc.py" filename="app/calc.py"><methods/><lines>
                <line number="1" hits="1"/><line number="2" hits="0"/><line number="x" hits="1"/>
              </lines></class>
            </classes></package></packages></coverage>"#;
        let both = format!("{report}\n{report}");
        let coverage = cobertura(&both, &["src/app/calc.py", "README"]);
        let lines = &coverage.files["src/app/calc.py"];
        assert_eq!(lines, &Lines::from([(1, 2), (2, 0)]));
        assert_eq!(percent(lines), Some(50.0));
        assert_eq!(coverage.files.len(), 1);
        assert_eq!(percent(&Lines::new()), None);
    }

    #[test]
    fn paths_are_found_in_the_commit() {
        let known = tree(&["src/app/a.py", "a.py", "lib/b.py"]);
        for (sources, name, expected) in [
            (&["/builds/g/p/src"][..], "app/a.py", "src/app/a.py"),
            (&["/tmp/x/7/src/app"], "a.py", "src/app/a.py"),
            (&[], "a.py", "a.py"),
            (&[], "./lib/b.py", "lib/b.py"),
            (&["C:\\work\\lib"], "b.py", "lib/b.py"),
            (&["/nowhere", "/x/lib"], "b.py", "lib/b.py"),
            (&["/nowhere"], "gone.py", "gone.py"),
        ] {
            let sources: Vec<String> = sources.iter().map(|one| (*one).to_owned()).collect();
            assert_eq!(
                located(&sources, name, &known),
                expected,
                "{sources:?} {name}"
            );
        }
    }

    #[test]
    fn only_so_many_sources_are_tried() {
        let source = |count: usize| "<source>/no</source>".repeat(count);
        let report = |before: usize| {
            format!(
                "<coverage><sources>{}<source>/x/src</source></sources>\
                 <class filename='a.py'><line number='1' hits='3'/></class></coverage>",
                source(before)
            )
        };
        let paths = ["src/a.py"];
        let found = |before| cobertura(&report(before), &paths).files;
        assert!(found(MOST_SOURCES - 1).contains_key("src/a.py"));
        assert!(found(MOST_SOURCES).contains_key("a.py"));
    }

    #[test]
    fn jacoco_says_whether_a_line_ran() {
        let report = r#"<report name="app"><group name="g"><package name="org/example">
            <class name="org/example/A"/><sourcefile name="A.java">
            <line nr="3" mi="0" ci="4" mb="0" cb="0"/><line nr="4" mi="2" ci="0" mb="0" cb="0"/>
            <counter type="LINE" missed="1" covered="1"/></sourcefile>
            </package></group></report>"#;
        let mut coverage = LineCoverage::default();
        let paths = tree(&[
            "app/src/main/java/org/example/A.java",
            "xorg/example/A.java",
        ]);
        coverage.add_jacoco(report.as_bytes(), &paths).unwrap();
        let lines = &coverage.files["app/src/main/java/org/example/A.java"];
        assert_eq!(lines, &Lines::from([(3, 1), (4, 0)]));
    }

    #[test]
    fn what_is_no_report_is_a_fault_and_no_panic() {
        let mut coverage = LineCoverage::default();
        for report in [
            "<a b=",
            "<coverage><class filename='a'><line number='1' hits='1'/><",
            "\u{0}<",
        ] {
            let _ = coverage.add_cobertura(report.as_bytes(), &BTreeSet::new());
            let _ = coverage.add_jacoco(report.as_bytes(), &BTreeSet::new());
        }
        let fault = coverage.add_jacoco(&b"<a b=\"<c"[..], &BTreeSet::new());
        assert!(fault.is_err());
    }
}
