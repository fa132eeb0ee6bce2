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

# A project with one long job in a container; sets $IMAGE.
container_project() {
  need_engine
  IMAGE=$SHIPWAY_TEST_REGISTRY/shipway-test/busybox:$$
  "$SUPPORT/busybox-image.sh" "$IMAGE"
  at_exit "docker rmi '$IMAGE' >/dev/null 2>&1"
  new_project <<END
long:
  image: $IMAGE
  script:
    - sleep 3600 &
    - echo it has started
    - wait
END
  engine_inventory >"$SANDBOX/before"
  start_pipeline
  wait_until 60 grep -aq "it has started" "$OUTPUT"
  engine_inventory | grep -q container || fail "the job does not run in a container"
}

# What a run could leave behind in the engine. The image is made for one test
# alone, so containers of others do not count.
engine_inventory() {
  docker ps --all --filter "ancestor=$IMAGE" --format 'container {{.Names}}'
  docker network ls --format 'network {{.Name}}' | sort
  docker volume ls --format 'volume {{.Name}}' | sort
}

expect_clean_engine() {
  engine_inventory >"$SANDBOX/after"
  diff "$SANDBOX/before" "$SANDBOX/after" || fail "something was left in the engine (lines with >)"
}

test_ctrl_c_leaves_no_container_network_or_volume() {
  container_project
  kill -INT "$SHIPWAY_PID"
  await_pipeline 60
  expect_status 130
  expect_clean_engine
  expect_untouched_tree
}

test_after_a_sudden_death_the_next_run_removes_the_container() {
  container_project
  kill -KILL "$SHIPWAY_PID"
  await_pipeline 10
  cat >.gitlab-ci.yml <<END
short:
  image: $IMAGE
  script: echo fine
END
  run_pipeline
  expect_status 0
  expect_clean_engine
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
