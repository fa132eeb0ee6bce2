#!/usr/bin/env bash
# Ctrl-C and sudden death: what is left behind, and what the next run finds.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

# A job that starts a tree of processes, one of them in a session of its own, and
# tells where it runs. The unusual number of seconds identifies them.
family_project() {
  SLEEP="sleep 86$$.$RANDOM"
  at_exit "kill -KILL \$(processes_with '$SLEEP') 2>/dev/null"
  new_project <<END
long:
  variables:
    MARK: $SANDBOX/out
  script:
    - pwd > "\$MARK/directory"
    - $SLEEP &
    - setsid $SLEEP &
    - bash -c '$SLEEP & wait' &
    - touch "\$MARK/started"
    - wait
  after_script:
    - touch "\$MARK/after"
later:
  needs: [long]
  script:
    - touch "$SANDBOX/out/later"
END
}

family_is_up() {
  [[ -f $SANDBOX/out/started ]] && (($(processes_with "$SLEEP" | wc -l) >= 3))
}

expect_nothing_left() {
  wait_until 5 no_process_with "$SLEEP"
  expect_absent "$(cat "$SANDBOX/out/directory")"
  expect_untouched_tree
}

test_ctrl_c_ends_the_job_and_runs_its_after_script() {
  family_project
  start_pipeline
  wait_until 30 family_is_up
  kill -INT "$SHIPWAY_PID"
  await_pipeline 60
  expect_status 130
  expect_nothing_left
  expect_file "$SANDBOX/out/after"
  expect_absent "$SANDBOX/out/later"
  expect_report \
    "report['status'] == 'canceled'" \
    "jobs['long']['status'] == 'canceled'"
}

test_a_second_ctrl_c_skips_the_wait() {
  SLEEP="sleep 87$$.$RANDOM"
  at_exit "kill -KILL \$(processes_with '$SLEEP') 2>/dev/null"
  new_project <<END
stubborn:
  script:
    - pwd > "$SANDBOX/out/directory"
    - trap '' TERM INT
    - touch "$SANDBOX/out/started"
    - while true; do $SLEEP; done
END
  start_pipeline
  wait_until 30 test -f "$SANDBOX/out/started"
  local started=$SECONDS
  kill -INT "$SHIPWAY_PID"
  sleep 1
  kill -INT "$SHIPWAY_PID"
  await_pipeline 10
  expect_status 130
  ((SECONDS - started <= 8)) || fail "it took $((SECONDS - started)) s to end"
  expect_nothing_left
}

# Names of what a container run could leave behind.
engine_inventory() {
  docker ps --all --format 'container {{.Names}}'
  docker network ls --format 'network {{.Name}}'
  docker volume ls --format 'volume {{.Name}}'
}

test_ctrl_c_leaves_no_container_network_or_volume() {
  need_engine
  local image=$SHIPWAY_TEST_REGISTRY/shipway-test/busybox:latest
  "$SUPPORT/busybox-image.sh" "$image"
  at_exit "docker rmi '$image' >/dev/null 2>&1"
  new_project <<END
long:
  image: $image
  script:
    - sleep 3600 &
    - echo it has started
    - wait
END
  engine_inventory | sort >"$SANDBOX/before"
  start_pipeline
  wait_until 60 grep -aq "it has started" "$OUTPUT"
  kill -INT "$SHIPWAY_PID"
  await_pipeline 60
  expect_status 130
  engine_inventory | sort >"$SANDBOX/after"
  diff "$SANDBOX/before" "$SANDBOX/after" || fail "something was left in the engine (lines with >)"
  expect_untouched_tree
}

test_after_a_sudden_death_the_next_run_works_and_cleans_up() {
  family_project
  start_pipeline
  wait_until 30 family_is_up
  kill -KILL "$SHIPWAY_PID"
  await_pipeline 10

  git rm --quiet .gitlab-ci.yml
  cat >.gitlab-ci.yml <<'END'
short:
  script: echo fine
END
  run_pipeline
  expect_status 0
  expect_report "report['status'] == 'success'" "list(jobs) == ['short']"
  git restore --staged --worktree .gitlab-ci.yml
  expect_nothing_left

  shipway history --state-dir "$STATE"
  expect_status 0
  expect_output "success|passed"
  expect_output "failed|canceled|interrupted"
}

run_e2e "$@"
