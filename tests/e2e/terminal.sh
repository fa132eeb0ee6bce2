#!/usr/bin/env bash
# The program on a real terminal, and where there is none.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

# on_terminal ARGUMENTS… -- for terminal.py before the `--`, for shipway after it.
on_terminal() {
  local typing=()
  while [[ $1 != -- ]]; do
    typing+=("$1")
    shift
  done
  shift
  STATUS=0
  TERM=xterm-256color python3 "$SUPPORT/terminal.py" "$OUTPUT" "${typing[@]}" -- \
    "$SHIPWAY" run --report "$REPORT" --state-dir "$STATE" "$@" || STATUS=$?
}

two_stages() {
  new_project <<'END'
stages: [build, check]
compile:
  stage: build
  script:
    - echo compiling; sleep 1.5; echo compiled
examine:
  stage: check
  script:
    - echo examining
END
}

ESCAPE=$'\e'

test_a_terminal_gets_a_live_view_and_a_summary() {
  two_stages
  on_terminal --
  expect_status 0
  expect_output "$ESCAPE\[[0-9;]*[39][0-7]m"
  expect_output "$ESCAPE\[[0-9]*[AKJ]"
  expect_output "compile"
  expect_output "examine"
}

test_no_color_means_no_colour() {
  two_stages
  NO_COLOR=1 on_terminal --
  expect_status 0
  ! grep -aqE "$ESCAPE\[[0-9;]*[39][0-7]m" "$OUTPUT" || fail "there is colour in the output"
}

test_without_a_terminal_each_event_is_a_plain_line() {
  two_stages
  run_pipeline
  expect_status 0
  ! grep -aq "$ESCAPE" "$OUTPUT" || fail "there are control sequences in the output"
  expect_output "compiling"
  expect_output "examining"
}

test_ctrl_c_typed_at_the_terminal_cancels() {
  SLEEP="sleep 89$$.$RANDOM"
  at_exit "kill -KILL \$(processes_with '$SLEEP') 2>/dev/null"
  new_project <<END
long:
  script:
    - pwd > "$SANDBOX/out/directory"
    - echo it has started
    - $SLEEP
  after_script:
    - touch "$SANDBOX/out/after"
END
  on_terminal --type "it has started" "^C" -- --verbose
  expect_status 130
  expect_file "$SANDBOX/out/after"
  wait_until 5 no_process_with "$SLEEP"
  expect_absent "$(cat "$SANDBOX/out/directory")"
}

run_e2e "$@"
