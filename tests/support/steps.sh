# Runs the steps of ./test one after another, counts them and reports them.
# shellcheck shell=bash

passed=0
failed=0
failures=()
step_pid=

# Logs go to DIR/logs; a test that cannot run adds a line `NAME: REASON` to the
# file that SHIPWAY_TEST_SKIPS names.
start_steps() {
  work=$1
  mkdir -p "$work"
  # Only this process holds the lock: what it starts gets no handle of it.
  exec {lock}>"$work/lock"
  if ! flock --nonblock "$lock"; then
    echo "./test: another run of this checkout is under way." >&2
    exit 2
  fi
  rm -rf "$work/logs"
  mkdir -p "$work/logs"
  export SHIPWAY_TEST_SKIPS=$work/skips
  : >"$SHIPWAY_TEST_SKIPS"
  suite_started=$EPOCHREALTIME
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# On a terminal, says what is running; the result then takes the line's place.
announce() {
  [[ ! -t 1 ]] || printf '\e[Krunning  %s\r' "$1"
}

say() {
  [[ ! -t 1 ]] || printf '\e[K'
  echo "$*"
}

skipped() {
  echo "$1: $2" >>"$SHIPWAY_TEST_SKIPS"
  say "skipped  $1: $2"
}

# Seconds from a time of $EPOCHREALTIME until now, with one decimal.
since() {
  local microseconds=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
  printf '%d.%d' $((microseconds / 1000000)) $((microseconds / 100000 % 10))
}

# Runs a command in a process group of its own, with a time limit in seconds and
# no standard input; returns its exit code. Job control gives the group and keeps
# SIGINT alive in it, which a plain `&` would switch off for all that it starts.
run_limited() {
  local limit=$1 log=$2 code=0
  shift 2
  set -m
  timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null {lock}>&- &
  step_pid=$!
  set +m
  wait "$step_pid" || code=$?
  step_pid=
  return "$code"
}

# Ends the running step, if there is one: asks its group, then kills it.
stop_step() {
  [[ -n $step_pid ]] || return 0
  kill -TERM -- "-$step_pid" 2>/dev/null || return 0
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    kill -0 -- "-$step_pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$step_pid" 2>/dev/null || true
}

log_of() {
  echo "$work/logs/${1//[^A-Za-z0-9._-]/-}.log"
}

# step NAME SECONDS COMMAND…: one counted test. Exit code 77 means that the
# command has written why it could not run to the file of skips.
step() {
  local name=$1 limit=$2 code=0 started=$EPOCHREALTIME log
  shift 2
  log=$(log_of "$name")
  announce "$name"
  run_limited "$limit" "$log" "$@" || code=$?
  case $code in
    0)
      passed=$((passed + 1))
      say "ok       $name ($(since "$started") s)"
      ;;
    77) say "skipped  $(tail -n 1 "$SHIPWAY_TEST_SKIPS")" ;;
    *) step_failed "$name" "$code" "$started" "$log" "$limit" ;;
  esac
}

step_failed() {
  local name=$1 code=$2 started=$3 log=$4 limit=$5 how="exit code $2"
  if [[ $code == 124 || $code == 137 ]]; then
    how="stopped at its limit of $limit s, or killed"
  fi
  failed=$((failed + 1))
  failures+=("$name ($how)")
  say "FAILED   $name ($(since "$started") s, $how)"
  tail -n 100 "$log" | printable | sed 's/^/    /'
  echo "    whole log: $log"
}

# Drops control characters, which would act on the reader's terminal.
printable() {
  tr -d '\000-\010\013-\037'
}

# The Rust tests, counted one by one. A test that found that it cannot run counts as
# skipped, though cargo calls it passed; it says so in a line `skipped: NAME: REASON`
# on standard error, past the capture of the test harness.
rust_tests() {
  local log code=0 started=$EPOCHREALTIME skips_before
  log=$(log_of "rust tests")
  skips_before=$(wc -l <"$SHIPWAY_TEST_SKIPS")
  announce "rust tests"
  run_limited 3600 "$log" cargo test --locked --workspace --all-features --no-fail-fast || code=$?

  sed -n 's/^\(test .* \.\.\. \)\{0,1\}skipped: //p' "$log" >>"$SHIPWAY_TEST_SKIPS"
  local ok bad ignored skips
  ok=$(sum_of passed "$log")
  bad=$(sum_of failed "$log")
  ignored=$(sum_of ignored "$log")
  skips=$(($(wc -l <"$SHIPWAY_TEST_SKIPS") - skips_before))
  if ((ignored > 0)); then
    sed -n 's/^test \(.*\) \.\.\. ignored.*/\1: marked #[ignore]/p' "$log" >>"$SHIPWAY_TEST_SKIPS"
  fi
  if ((code != 0 && bad == 0)); then
    step_failed "rust tests" "$code" "$started" "$log" 3600
    bad=0
  elif ((bad > 0)); then
    failures+=("rust tests ($bad)")
    say "FAILED   rust tests ($(since "$started") s, $bad of $((ok + bad)))"
    rust_failures "$log" | printable | sed 's/^/    /'
    echo "    whole log: $log"
  else
    say "ok       rust tests ($(since "$started") s, $ok tests)"
  fi
  passed=$((passed + ok - skips))
  failed=$((failed + bad))
}

# sum_of WORD LOG adds up WORD in the lines `test result: ok. 3 passed; 0 failed; …`.
sum_of() {
  awk -v word="$1" '
    /^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" word) sum += $(i - 1) }
    END { print sum + 0 }' "$2"
}

# The parts of cargo's output that speak of failures.
rust_failures() {
  awk '/^failures:$/ { show = 1 } /^test result:/ { show = 0 } show' "$1" | head -n 300
}

summary() {
  local skips
  skips=$(wc -l <"$SHIPWAY_TEST_SKIPS")
  echo
  if ((skips > 0)); then
    echo "Skipped:"
    sed 's/^/  /' "$SHIPWAY_TEST_SKIPS"
  fi
  if ((failed > 0)); then
    echo "Failed:"
    printf '  %s\n' "${failures[@]}"
  fi
  echo "Took $(since "$suite_started") s."
  echo "$passed passed, $failed failed, $skips skipped"
  ((failed == 0))
}
