//! What a build without runner, server and language server says of their commands.

#![cfg(not(any(feature = "remote", feature = "server", feature = "lsp")))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::Sandbox;

#[test]
fn a_command_that_is_missing_says_how_to_get_it() {
    let sandbox = Sandbox::empty();
    for (args, feature) in [
        (vec!["serve"], "server"),
        (vec!["serve", "--help"], "server"),
        (vec!["serve", "--data", "x", "-y", "z"], "server"),
        (vec!["admin", "user", "list"], "server"),
        (vec!["lsp", "--stdio"], "lsp"),
        (vec!["runner", "register", "--url", "http://x"], "remote"),
    ] {
        let done = sandbox.shipway(&args);
        done.exits(2);
        let name = format!("without `shipway {}`", args[0]);
        assert!(done.err.contains(&name), "{}", done.err);
        let how = format!("--features {feature}");
        assert!(done.err.contains(&how), "{}", done.err);
    }
    let help = sandbox.shipway(&["--help"]);
    help.exits(0);
    assert!(!help.out.contains("serve"), "{}", help.out);
}
