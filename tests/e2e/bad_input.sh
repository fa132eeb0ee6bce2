#!/usr/bin/env bash
# Inputs that are missing, broken, huge or hostile: a clear error or a defined
# result, never a panic, a hang or a leak.
source "$(dirname "${BASH_SOURCE[0]}")/../support/e2e.sh"

test_a_missing_configuration_is_named() {
  mkdir project && cd project && git init --quiet
  git commit --quiet --allow-empty --message "Nothing"
  run_pipeline
  expect_status 2
  expect_output '\.gitlab-ci\.yml'
  run_pipeline --file other.yml
  expect_status 2
  expect_output 'other\.yml'
}

test_a_directory_that_is_missing_is_named() {
  run_pipeline -C "$SANDBOX/nowhere"
  expect_status 2
  expect_output 'nowhere'
}

test_outside_a_repository_the_error_says_so() {
  mkdir project && cd project
  echo 'job: { script: "true" }' >.gitlab-ci.yml
  run_pipeline
  expect_status 2
  expect_output 'not.*git repository|no git repository'
}

test_a_bare_repository_is_refused() {
  git init --quiet --bare project.git
  run_pipeline -C project.git
  expect_status 2
  expect_output 'bare repository'
}

test_a_repository_without_commits_runs_its_untracked_files() {
  mkdir project && cd project && git init --quiet
  echo 'job: { script: "echo ran" }' >.gitlab-ci.yml
  run_pipeline
  expect_status 0
  expect_report "b'ran' in open(job['log'], 'rb').read()"
  expect_output 'no commit yet'
}

test_every_fault_of_a_configuration_is_reported_with_its_place() {
  new_project <<'END'
stages: [build]
one:
  stage: biuld
  script: echo
two:
  stage: build
  scirpt: echo
three:
  stage: build
  script: echo
  needs: [nobody]
END
  run_pipeline
  expect_status 2
  expect_output '\.gitlab-ci\.yml:3'
  expect_output 'biuld'
  expect_output 'nobody'
  expect_output 'two'
  shipway lint
  [[ $STATUS != 0 ]] || fail "lint finds no fault"
  expect_no_panic
}

# Directories with links to every program on the PATH but the ones named.
path_without() {
  local directory program
  mkdir "$SANDBOX/bin"
  while read -r -d : directory; do
    for program in "$directory"/*; do
      [[ " $* " == *" ${program##*/} "* ]] || ln -s "$program" "$SANDBOX/bin/" 2>/dev/null || true
    done
  done <<<"$PATH:"
  echo "$SANDBOX/bin"
}

test_without_git_the_error_says_so() {
  new_project <<<'job: { script: "true" }'
  local reduced
  reduced=$(path_without git)
  PATH=$reduced run_pipeline
  expect_status 2
  expect_output 'git is not installed'
}

test_a_directory_without_permission_is_named() {
  new_project <<<'job: { script: "true" }'
  local as_guest=()
  if [[ $(id -u) == 0 ]]; then
    command -v setpriv >/dev/null || skip "setpriv is not installed (package util-linux)"
    as_guest=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    cp "$SHIPWAY" "$SANDBOX/shipway"
    chmod 755 "$SANDBOX"
    chmod 755 "$SANDBOX/shipway"
    chown -R 65534:65534 "$SANDBOX/home" "$SANDBOX/tmp" "$SANDBOX/project"
    SHIPWAY=$SANDBOX/shipway
  fi
  mkdir -m 555 "$SANDBOX/locked"

  STATUS=0
  "${as_guest[@]}" "$SHIPWAY" run --state-dir "$SANDBOX/locked/state" >"$OUTPUT" 2>&1 </dev/null || STATUS=$?
  expect_status 2
  expect_output 'locked/state'
  expect_output '[Pp]ermission denied'

  chmod 000 "$SANDBOX/locked"
  STATUS=0
  "${as_guest[@]}" "$SHIPWAY" run -C "$SANDBOX/locked" >"$OUTPUT" 2>&1 </dev/null || STATUS=$?
  expect_status 2
  expect_output 'locked'
  chmod 755 "$SANDBOX/locked"
}

test_a_full_disk_has_a_defined_result() {
  [[ $(id -u) == 0 ]] || skip "only root can make a small file system"
  mkdir "$SANDBOX/small"
  mount -t tmpfs -o size=2m tmpfs "$SANDBOX/small" 2>/dev/null || skip "no file system can be mounted here"
  at_exit "umount --lazy '$SANDBOX/small'"
  new_project <<'END'
fill:
  script:
    - head -c 8000000 /dev/zero | tr '\0' x | fold
END
  STATE=$SANDBOX/small/state
  SECONDS=0
  run_pipeline
  [[ $STATUS == 1 || $STATUS == 2 ]] || fail "exit code $STATUS: neither 1 nor 2"
  expect_no_panic
  expect_output '[Nn]o space left|disk.*full|full.*disk'
  ((SECONDS < 60)) || fail "it took $SECONDS s"
}

test_artifact_paths_cannot_leave_the_project() {
  echo "SECRET-OUTSIDE" >"$SANDBOX/outside.txt"
  mkdir "$SANDBOX/outside"
  cp "$SANDBOX/outside.txt" "$SANDBOX/outside/file.txt"
  new_project <<END
leaks:
  script:
    - echo own > own.txt
    - ln -s "$SANDBOX/outside.txt" link.txt
    - ln -s "$SANDBOX/outside" linked
    - cp "$SANDBOX/outside.txt" ../beside.txt || true
  artifacts:
    paths:
      - own.txt
      - ../beside.txt
      - ../../../../../../../../$SANDBOX/outside.txt
      - $SANDBOX/outside.txt
      - link.txt
      - linked/file.txt
END
  run_pipeline --artifacts "$SANDBOX/out"
  expect_status 0
  expect_file "$(find "$SANDBOX/out" -name own.txt)" own
  expect_output '\.\./beside\.txt: .*not a subpath of project directory'
  expect_output 'linked/file\.txt: .*symbolic link'
  # Neither in what was copied out nor in what is kept; a link kept as a link is no leak.
  ! grep -rlaF SECRET-OUTSIDE --include='*.txt' "$SANDBOX/out" 2>/dev/null | grep . ||
    fail "a file from outside the project is among the artifacts"
  python3 - "$STATE" <<'END' || fail "a file from outside the project is in a kept archive"
import pathlib, sys, zipfile

names = []
for path in pathlib.Path(sys.argv[1]).rglob("*"):
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names += archive.namelist()
            for entry in archive.infolist():
                assert ".." not in entry.filename.split("/"), entry.filename
                assert not entry.filename.startswith("/"), entry.filename
                assert b"SECRET-OUTSIDE" not in archive.read(entry), entry.filename
assert "own.txt" in names, names
END
}

test_a_hundred_megabytes_of_output_neither_hang_nor_fill_memory() {
  new_project <<'END'
loud:
  script:
    - head -c 100000000 /dev/zero | tr '\0' x | fold
    - echo the end
END
  SECONDS=0
  STATUS=0
  # Prints the peak memory of the program in KiB.
  python3 - "$SHIPWAY" run --quiet --report "$REPORT" --state-dir "$STATE" >"$OUTPUT.peak" 2>"$OUTPUT" <<'END' || STATUS=$?
import resource, subprocess, sys

code = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
END
  expect_status 0
  expect_report "job['status'] == 'success'"
  (($(cat "$OUTPUT.peak") < 200000)) || fail "it took $(cat "$OUTPUT.peak") KiB of memory"
  ((SECONDS < 120)) || fail "it took $SECONDS s"
}

test_binary_output_is_taken_as_it_is() {
  new_project <<'END'
binary:
  script:
    - head -c 300000 /dev/urandom
    - printf '\n\377\376\000 \033[31m red \033[0m\r over \n'
    - echo the end
END
  run_pipeline
  expect_status 0
  expect_report "job['status'] == 'success'" "b'the end' in open(job['log'], 'rb').read()"
}

test_a_daemon_that_a_job_leaves_behind_neither_hangs_nor_stays() {
  SLEEP="sleep 88$$.$RANDOM"
  at_exit "kill -KILL \$(processes_with '$SLEEP') 2>/dev/null"
  new_project <<END
daemon:
  script:
    - setsid $SLEEP &
    - (setsid $SLEEP >/dev/null 2>&1 </dev/null &)
    - echo the script is done
END
  start_pipeline
  await_pipeline 60
  expect_status 0
  expect_report "job['status'] == 'success'"
  wait_until 5 no_process_with "$SLEEP"
}

test_unknown_jobs_and_options_are_usage_faults() {
  new_project <<<'build: { script: "true" }'
  run_pipeline biuld
  expect_status 2
  expect_output 'biuld'
  run_pipeline --no-such-option
  expect_status 2
}

run_e2e "$@"
