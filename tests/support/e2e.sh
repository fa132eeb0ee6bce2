# Sourced by each file of tests/e2e. A file defines functions `test_…` and ends with
# `run_e2e "$@"`; each function runs as a process of its own, in a sandbox with its
# own home and temporary directory and a cleared environment:
#
#   bash tests/e2e/FILE.sh --list        names of the tests
#   bash tests/e2e/FILE.sh NAME          runs one: exit code 0 passed, 77 skipped
#
# shellcheck shell=bash disable=SC2120  # arguments of run_pipeline are optional
set -euo pipefail

# Keeps the path, what reaches a package index through this machine's network, the
# engine's address, and the settings of these tests.
clear_environment() {
  local name
  while read -r name; do
    case $name in
      PATH | CARGO_HOME | RUSTUP_HOME | CARGO_TARGET_DIR | DOCKER_HOST) ;;
      PIP_* | *_proxy | *_PROXY | SSL_CERT_* | REQUESTS_CA_BUNDLE | SHIPWAY_TEST_*) ;;
      *) unset "$name" 2>/dev/null || true ;;
    esac
  done < <(compgen -e)
}

# Rust's own tools are found through the real home.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
clear_environment

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SUPPORT=$ROOT/tests/support

run_e2e() {
  if [[ $1 == --list ]]; then
    declare -F | sed -n 's/^declare -f test_//p'
    return
  fi
  TEST=$(basename "$0" .sh): TEST+=" ${1//_/ }"
  enter_sandbox
  "test_$1"
}

# ---- the sandbox ------------------------------------------------------------------

enter_sandbox() {
  SHIPWAY=$(realpath "${SHIPWAY_TEST_BINARY:-$ROOT/target/debug/shipway}")
  SANDBOX=$(realpath "$(mktemp -d)")
  trap leave_sandbox EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  STATE=$SANDBOX/state
  REPORT=$SANDBOX/report.json
  OUTPUT=$SANDBOX/output
  export HOME=$SANDBOX/home TMPDIR=$SANDBOX/tmp LANG=C.UTF-8 TERM=dumb
  export GIT_CONFIG_NOSYSTEM=1
  mkdir -p "$HOME" "$TMPDIR" "$SANDBOX/out"
  git config --global user.name "Test Author"
  git config --global user.email "author@example.org"
  git config --global init.defaultBranch main
  cd "$SANDBOX"
}

# What to undo at the end of a test, newest first.
cleanups=()
at_exit() {
  cleanups=("$*" "${cleanups[@]}")
}

leave_sandbox() {
  local code=$? action
  set +e
  for action in "${cleanups[@]}"; do
    eval "$action"
  done
  cd /
  chmod -R u+rwX "$SANDBOX" 2>/dev/null
  rm -rf "$SANDBOX"
  exit "$code"
}

# ---- projects ---------------------------------------------------------------------

# A fresh repository with a copy of examples/NAME, without what git ignores there.
copy_example() {
  mkdir project
  (cd "$ROOT/examples/$1" && git ls-files -z --cached --others --exclude-standard) |
    tar -C "$ROOT/examples/$1" --null --files-from=- -c | tar -C project -x
  cd project
  commit_all
}

# A fresh repository whose .gitlab-ci.yml is standard input.
new_project() {
  mkdir project
  cd project
  cat >.gitlab-ci.yml
  commit_all
}

commit_all() {
  git init --quiet
  git add --all
  git commit --quiet --message "A commit"
}

# ---- running the program ----------------------------------------------------------

# Runs `shipway ARGUMENTS…`; output goes to $OUTPUT, the exit code to $STATUS.
shipway() {
  STATUS=0
  rm -f "$REPORT"
  "$SHIPWAY" "$@" >"$OUTPUT" 2>&1 </dev/null || STATUS=$?
}

# `shipway run` with a report and a state directory outside the project.
run_pipeline() {
  shipway run --report "$REPORT" --state-dir "$STATE" "$@"
}

# The same in the background, with its process id in $SHIPWAY_PID. Job control
# keeps SIGINT alive in it.
start_pipeline() {
  rm -f "$REPORT"
  set -m
  "$SHIPWAY" run --report "$REPORT" --state-dir "$STATE" "$@" >"$OUTPUT" 2>&1 </dev/null &
  SHIPWAY_PID=$!
  set +m
  at_exit "kill -KILL $SHIPWAY_PID 2>/dev/null"
}

# Waits up to SECONDS for the end of start_pipeline; sets $STATUS.
await_pipeline() {
  wait_until "$1" process_gone "$SHIPWAY_PID"
  STATUS=0
  wait "$SHIPWAY_PID" || STATUS=$?
}

# Whether the process has ended, even if nobody has asked for its exit code yet.
process_gone() {
  local state
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || true
  [[ -z $state || $state == Z ]]
}

# Process ids whose command line contains the text.
processes_with() {
  local pid
  for pid in /proc/[0-9]*; do
    pid=${pid#/proc/}
    if [[ $pid != "$$" && $pid != "$BASHPID" ]] && ! process_gone "$pid" &&
      { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$1"; then
      echo "$pid"
    fi
  done
}

no_process_with() {
  [[ -z $(processes_with "$1") ]]
}

# ---- expectations -----------------------------------------------------------------

fail() {
  echo "EXPECTATION FAILED: $*"
  if [[ -s $OUTPUT ]]; then
    echo "--- output of shipway:"
    head -c 20000 "$OUTPUT"
  fi
  if [[ -s $REPORT ]]; then
    echo "--- its report:"
    cat "$REPORT"
  fi
  exit 1
}

skip() {
  echo "$TEST: $1" | tee -a "${SHIPWAY_TEST_SKIPS:-/dev/null}"
  exit 77
}

# The engine; where tests run side by side, for this one alone until its end: others would see
# its images and containers.
need_engine() {
  if ((${SHIPWAY_TEST_JOBS:-1} > 1)); then
    mkdir -p "$ROOT/target/test"
    exec {engine}>"$ROOT/target/test/engine.lock"
    flock "$engine"
  fi
  [[ -z ${SHIPWAY_TEST_NO_ENGINE:-} ]] || skip "$SHIPWAY_TEST_NO_ENGINE"
  docker version >/dev/null 2>&1 || skip "no Docker engine answers"
  [[ -n ${SHIPWAY_TEST_REGISTRY:-} ]] || skip "there is no registry on localhost"
}

expect_status() {
  [[ $STATUS == "$1" ]] || fail "exit code $STATUS instead of $1"
  expect_no_panic
}

expect_no_panic() {
  ! grep -aqE "panicked at|RUST_BACKTRACE" "$OUTPUT" || fail "the program panicked"
}

expect_output() {
  grep -aqE -- "$1" "$OUTPUT" || fail "the output has no match for: $1"
}

# expect_report EXPRESSION…: each a Python expression over `report` and `jobs`.
expect_report() {
  [[ -s $REPORT ]] || fail "there is no report"
  python3 "$SUPPORT/report.py" "$REPORT" "$@" || fail "the report is not as expected"
}

expect_file() {
  [[ -f $1 ]] || fail "there is no file $1"
  [[ $# == 1 ]] || grep -aqE -- "$2" "$1" || fail "$1 has no match for: $2"
}

expect_absent() {
  [[ ! -e $1 && ! -L $1 ]] || fail "$1 is there"
}

# The repository of the user is as committed: jobs never write into it.
expect_untouched_tree() {
  local changes
  changes=$(git status --porcelain --ignored)
  [[ -z $changes ]] || fail "the work tree has changed: $changes"
}

# wait_until SECONDS COMMAND…: until it succeeds.
wait_until() {
  local seconds=$1 deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || fail "not so within $seconds s: $*"
    sleep 0.1
  done
}
