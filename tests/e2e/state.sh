#!/usr/bin/env bash
# What a run keeps: artifacts, caches, logs and its place in the history.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

test_artifacts_and_cache_reach_the_jobs_that_ask_for_them() {
  new_project <<'END'
stages: [make, use]
variables:
  NAME: world
make:
  stage: make
  cache: { key: "$CI_COMMIT_REF_SLUG", paths: [kept/] }
  script:
    - mkdir -p kept made
    - echo visit >> kept/visits
    - echo "hello $NAME" > made/greeting
    - wc -l < kept/visits > made/count
  artifacts:
    paths: [made/]
use:
  stage: use
  script: cat made/greeting
without:
  stage: use
  dependencies: []
  script: test ! -e made
END
  run_pipeline --artifacts "$SANDBOX/out" --var NAME=moon
  expect_status 0
  expect_report "b'hello moon' in open(jobs['use']['log'], 'rb').read()"
  expect_file "$(find "$SANDBOX/out" -name count)" '^1$'

  rm -rf "$SANDBOX/out"
  run_pipeline --artifacts "$SANDBOX/out"
  expect_status 0
  expect_file "$(find "$SANDBOX/out" -name count)" '^2$'
  expect_untouched_tree
}

test_the_history_lists_runs_and_a_log_can_be_read_again() {
  new_project <<'END'
speak:
  script:
    - echo "the word is $WORD"
    - test "$WORD" = good
END
  run_pipeline --var WORD=good
  expect_status 0
  run_pipeline --var WORD=bad
  expect_status 1

  shipway history --state-dir "$STATE"
  expect_status 0
  expect_output "success|passed"
  expect_output "failed"
  shipway log last speak --state-dir "$STATE"
  expect_status 0
  expect_output "the word is bad"
  shipway log 1 speak --state-dir "$STATE"
  expect_output "the word is good"
  shipway log 1 nobody --state-dir "$STATE"
  expect_status 2
  expect_output "nobody"
}

test_clean_deletes_down_to_its_budget() {
  new_project <<'END'
heavy:
  script: head -c 3000000 /dev/urandom > heavy.bin
  artifacts:
    paths: [heavy.bin]
END
  run_pipeline
  run_pipeline
  expect_status 0
  (($(du -sk "$STATE" | cut -f1) > 5000)) || fail "the artifacts were not kept"
  shipway clean --budget 4MB --state-dir "$STATE"
  expect_status 0
  (($(du -sk "$STATE" | cut -f1) < 5000)) || fail "there is more than the budget: $(du -sk "$STATE")"
  shipway clean --budget 0 --state-dir "$STATE"
  expect_status 0
  (($(du -sk "$STATE" | cut -f1) < 1000)) || fail "there is something left: $(du -sk "$STATE")"
  run_pipeline
  expect_status 0
}

test_the_default_state_ignores_itself() {
  new_project <<<'job: { script: "true" }'
  shipway run
  expect_status 0
  [[ -d .shipway ]] || fail "there is no .shipway"
  [[ -z $(git status --porcelain) ]] || fail "git sees the state: $(git status --porcelain)"
}

test_two_runs_at_once_do_not_disturb_each_other() {
  new_project <<'END'
job:
  parallel: 4
  script:
    - echo "$CI_NODE_INDEX of $CI_NODE_TOTAL" > mine
    - sleep 1
    - test "$(cat mine)" = "$CI_NODE_INDEX of $CI_NODE_TOTAL"
END
  "$SHIPWAY" run --state-dir "$STATE" >"$SANDBOX/first" 2>&1 </dev/null &
  local first=$! code=0
  run_pipeline
  wait "$first" || code=$?
  [[ $code == 0 ]] || fail "the first run ended with $code: $(tail -n 20 "$SANDBOX/first")"
  expect_status 0
  expect_report "len(report['jobs']) == 4"
}

run_e2e "$@"
