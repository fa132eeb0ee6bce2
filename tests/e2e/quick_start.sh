#!/usr/bin/env bash
# What README.md tells a newcomer to type, in a fresh clone of this repository.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

# The files of this work tree as a fresh repository. It lies at the same place each
# time and keeps the files' times, so that cargo compiles only what has changed.
fresh_clone() {
  local clone=$ROOT/target/test/clone
  rm -rf "$clone"
  mkdir -p "$clone"
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard) |
    tar -C "$ROOT" --null --files-from=- --ignore-failed-read -c 2>/dev/null | tar -C "$clone" -x
  cd "$clone"
  commit_all
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
}

# The command is in README.md, word for word.
promised() {
  grep -qF -- "$1" README.md || fail "README.md does not have the command: $1"
}

# Only the state directory, which ignores itself, may be new.
expect_tracked_tree_untouched() {
  local changes
  changes=$(git status --porcelain)
  [[ -z $changes ]] || fail "the work tree has changed: $changes"
}

test_one_command_runs_the_main_example() {
  fresh_clone
  local command="cargo run --release -- run -C examples/python-stack"
  promised "$command"
  STATUS=0
  $command >"$OUTPUT" 2>&1 </dev/null || STATUS=$?
  expect_status 0
  expect_output '100'
  expect_tracked_tree_untouched

  STATUS=0
  cargo run --quiet --release -- history -C examples/python-stack >"$OUTPUT" 2>&1 </dev/null || STATUS=$?
  expect_status 0
  expect_output 'success|passed'
}

test_the_command_for_the_tests_is_there() {
  fresh_clone
  promised "./test"
  promised "./test --no-install"
  bash ./test --help >"$OUTPUT"
  expect_output 'no-install'
  STATUS=0
  bash ./test --no-such-option >"$OUTPUT" 2>&1 || STATUS=$?
  expect_status 2
}

run_e2e "$@"
