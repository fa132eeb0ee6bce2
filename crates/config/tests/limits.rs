//! One hostile configuration for each limit: it is refused, the fault names the limit, and
//! neither time nor memory is wasted before.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use shipway_config::{Limits, Source, SourceError, load};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Generous, because test machines are busy and this is not optimised; what the limits are
/// against takes minutes or forever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that a load may take. What the limits are against takes tens of gigabytes.
const MEMORY: u64 = 1536 * 1024 * 1024;

/// Files by path; `loop.yml` includes itself, `many/` has two hundred files.
struct Files;

impl Source for Files {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        Ok(match path {
            "loop.yml" => "include: [{local: loop.yml}, {local: loop.yml}]".to_owned(),
            "large.yml" => format!("a: '{}'", "x".repeat(3 * 1024 * 1024)),
            _ => format!("'.{path}': {{script: m}}"),
        })
    }

    fn list(&self) -> Vec<String> {
        (0..200)
            .map(|number| format!("many/{number}.yml"))
            .collect()
    }
}

/// Lines made of a number each.
fn lines(numbers: std::ops::Range<usize>, line: impl Fn(usize) -> String) -> String {
    numbers.map(|number| line(number) + "\n").collect()
}

fn expression_of(text: &str) -> String {
    format!("x: {{script: m, rules: [{{if: '{text}'}}]}}")
}

/// Name, configuration, part of the message, its label or its hint, which name the limit.
fn table() -> Vec<(&'static str, String, &'static str)> {
    let long_script = format!(".t: {{script: '{}'}}\n", "x".repeat(1_000_000));
    vec![
        (
            "bytes of a file",
            format!("x: {{script: '{}'}}", "y".repeat(2_100_000)),
            "more than 2097152 bytes",
        ),
        (
            "bytes of an included file",
            "include: large.yml".to_owned(),
            "more than 2097152 bytes",
        ),
        (
            "depth of lists",
            "[".repeat(1_000_000),
            "deeper than 100 levels",
        ),
        (
            "depth of maps",
            "{a: ".repeat(400_000),
            "deeper than 100 levels",
        ),
        (
            "depth of blocks",
            "- ".repeat(100_000),
            "deeper than 100 levels",
        ),
        (
            "depth through aliases",
            format!(
                "a0: &a0 x\n{}",
                lines(1..150, |i| format!("a{i}: &a{i} [*a{}]", i - 1))
            ),
            "deeper than 100 levels",
        ),
        (
            "aliases of aliases",
            format!(
                "a0: &a0 [x, x]\n{}",
                lines(1..60, |i| format!("a{i}: &a{i} [*a{0}, *a{0}]", i - 1))
            ),
            "1000000",
        ),
        (
            "merge keys of merge keys",
            format!(
                "m0: &m0 {{a: 1}}\n{}",
                lines(1..60, |i| format!(
                    "m{i}: &m{i} {{a{i}: *m{0}, b{i}: {{<<: *m{0}}}}}",
                    i - 1
                ))
            ),
            "1000000",
        ),
        (
            "includes in a circle",
            "include: loop.yml".to_owned(),
            "Maximum of 150 nested includes",
        ),
        (
            "includes by wildcard",
            "include: {local: 'many/*.yml'}".to_owned(),
            "Maximum of 150 nested includes",
        ),
        (
            "levels of extends",
            format!(
                ".e0: {{script: m}}\n{}x: {{extends: .e12}}",
                lines(1..13, |i| format!(".e{i}: {{extends: .e{}}}", i - 1))
            ),
            "at most 11 levels",
        ),
        (
            "extends of one long script",
            long_script + &lines(0..30_000, |i| format!("j{i}: {{extends: .t}}")),
            "larger than 536870912 bytes",
        ),
        (
            "extends of one long map",
            format!(
                ".t: {{script: m, variables: {{{}}}}}\n{}",
                lines(0..60_000, |i| format!("v{i}: a,")),
                lines(0..20_000, |i| format!(
                    "j{i}: {{extends: .t, variables: {{a: b}}}}"
                ))
            ),
            "larger than 536870912 bytes",
        ),
        (
            "one default for all",
            format!(
                "default: {{before_script: '{}'}}\n{}",
                "x".repeat(1_000_000),
                lines(0..30_000, |i| format!("j{i}: {{script: m}}"))
            ),
            "larger than 536870912 bytes",
        ),
        (
            "references to references",
            format!(
                ".r0: {{s: [m]}}\n{}x: {{script: !reference [.r12, s]}}",
                lines(1..13, |i| format!(
                    ".r{i}: {{s: !reference [.r{}, s]}}",
                    i - 1
                ))
            ),
            "more than 10 references deep",
        ),
        (
            "references to one long list",
            format!(
                ".r: {{s: [{}]}}\n{}",
                "a, ".repeat(150_000),
                lines(0..15_000, |i| format!(
                    "j{i}: {{script: !reference [.r, s]}}"
                ))
            ),
            "larger than 536870912 bytes",
        ),
        (
            "tokens of an expression",
            expression_of(&"$A && ".repeat(100_000)),
            "more than 99 tokens",
        ),
        (
            "depth of an expression",
            expression_of(&"(".repeat(500_000)),
            "more than 99 tokens",
        ),
        (
            "size of a regular expression",
            expression_of(r"$A =~ /(\pL{100}){10}(\pL{100}){10}/"),
            "2097152 bytes",
        ),
        (
            "repetitions in a regular expression",
            expression_of("$A =~ /((a{100}){100}){100}/"),
            "more than 1000 repetitions",
        ),
        (
            "depth of a regular expression",
            expression_of(&format!(
                "$A =~ /{}/",
                "(".repeat(200_000) + &")".repeat(200_000)
            )),
            "nested parentheses/brackets (250)",
        ),
        (
            "parallel",
            "x: {script: m, parallel: 100000}".to_owned(),
            "200",
        ),
        (
            "matrix",
            format!(
                "x: {{script: m, parallel: {{matrix: [{{{}}}]}}}}",
                (0..50)
                    .map(|i| format!("V{i}: [a, b, c, d, e, f, g, h, i, j],"))
                    .collect::<String>()
            ),
            "maximum is 200",
        ),
        (
            "jobs of many parallels",
            lines(0..40_000, |i| format!("j{i}: {{script: m, parallel: 200}}")),
            "more than 200000 jobs",
        ),
        (
            "needs of one job",
            lines(0..60, |i| format!("j{i}: {{script: m}}"))
                + &format!(
                    "x: {{script: m, needs: [{}]}}",
                    (0..60).map(|i| format!("j{i},")).collect::<String>()
                ),
            "50",
        ),
        (
            "needs of parallel jobs",
            lines(0..40, |i| format!("a{i}: {{script: m, parallel: 200}}"))
                + &lines(0..900, |i| {
                    let needs: String = (0..40).map(|i| format!("a{i},")).collect();
                    format!("b{i}: {{script: m, parallel: 200, needs: [{needs}]}}")
                }),
            "more than 2000000",
        ),
        (
            "tags",
            format!(
                "x: {{script: m, tags: [{}]}}",
                (0..60).map(|i| format!("t{i},")).collect::<String>()
            ),
            "less than the limit of 50 tags",
        ),
        (
            "caches",
            format!("x: {{script: m, cache: [{}]}}", "{paths: [a]},".repeat(5)),
            "no more than 4 caches",
        ),
        (
            "one fault in every job",
            lines(0..60_000, |i| format!("j{i}: {{extends: .nobody}}")),
            "unknown keys in `extends` (.nobody)",
        ),
        (
            "one broken reference in every job",
            lines(0..40_000, |i| {
                format!("j{i}: {{script: !reference [.nobody, s]}}")
            }),
            "could not be found",
        ),
        (
            "inputs that grow",
            format!(
                "spec: {{inputs: {{a: {{default: '{}'}}}}}}\n---\n{}",
                "x".repeat(10_000),
                lines(0..60_000, |i| format!("j{i}: {{script: $[[ inputs.a ]]}}"))
            ),
            "config too large",
        ),
    ]
}

#[test]
fn hostile_configurations_are_refused_by_name_in_bounded_time_and_memory() {
    for (name, text, limit) in table() {
        forget_the_peak();
        let start = busy();
        let loaded = load(".gitlab-ci.yml", &text, &Files, &Limits::default());
        let (time, peak) = (busy() - start, peak());
        assert!(loaded.config.is_none(), "{name} is accepted");
        let faults: Vec<String> = loaded
            .errors()
            .map(|fault| {
                let parts = [
                    Some(&fault.message),
                    fault.label.as_ref(),
                    fault.hint.as_ref(),
                ];
                parts
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" | ")
            })
            .collect();
        assert!(faults.len() <= 1001, "{name}: {} faults", faults.len());
        assert!(
            faults.iter().all(|fault| fault.len() < 5000),
            "{name}: a fault is too long to be read"
        );
        assert!(
            faults.iter().any(|fault| fault.contains(limit)),
            "{name}: {:#?}",
            &faults[..faults.len().min(5)]
        );
        assert!(time < PATIENCE, "{name} took {time:?}");
        if let Some(peak) = peak {
            assert!(peak < MEMORY, "{name} took {} MB", peak / 1024 / 1024);
        }
    }
}

/// How long this thread has been computing; where the system does not tell, the time.
fn busy() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Linux counts the highest memory of a process; this makes it begin anew.
fn forget_the_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Bytes, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
