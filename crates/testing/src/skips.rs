//! Tests that cannot run on this machine.

use std::io::Write;

/// Notes that the test of this thread did not run as it should, and why: in the file that
/// `SHIPWAY_TEST_SKIPS` names, else on standard error.
pub fn skipped(reason: &str) {
    let thread = std::thread::current();
    let line = format!(
        "{}::{}: {reason}\n",
        binary(),
        thread.name().unwrap_or("main")
    );
    let Some(list) = std::env::var_os("SHIPWAY_TEST_SKIPS") else {
        #[expect(clippy::print_stderr, reason = "where tests say what they skip")]
        {
            eprint!("skipped: {line}");
        }
        return;
    };
    let list = std::fs::File::options()
        .append(true)
        .create(true)
        .open(list);
    let written = list.and_then(|mut list| list.write_all(line.as_bytes()));
    written.expect("the list of skipped tests");
}

/// The name of the file of tests: Cargo adds a hash.
fn binary() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.rsplit_once('-').map_or(&*name, |(stem, _)| stem);
    stem.to_owned()
}
