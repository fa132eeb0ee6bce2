# Runs the steps of ./test, one or several at a time, counts them and reports them.
# shellcheck shell=bash

passed=0
failed=0
failures=()

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

announce_work() {
  local text='' name
  for name in "${at_work[@]}"; do
    text+="${text:+; }$name"
  done
  [[ -z $text ]] || announce "$text"
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

# Steps at work, by process id: what they are called, and more of each.
declare -A at_work=() limits=() times=()

# begin_step NAME SECONDS COMMAND…: starts one counted test, in a process group of its own, with
# a time limit and no standard input. Job control gives the group and keeps SIGINT alive in it,
# which a plain `&` would switch off for all that it starts.
begin_step() {
  local name=$1 limit=$2 log
  shift 2
  log=$(log_of "$name")
  set -m
  timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null {lock}>&- &
  set +m
  at_work[$!]=$name limits[$!]=$limit times[$!]=$EPOCHREALTIME
  announce_work
}

# Waits for one of the steps at work; sets ended_name, ended_code, ended_limit, ended_time.
await_step() {
  local pid
  ended_code=0
  wait -n -p pid "${!at_work[@]}" || ended_code=$?
  ended_name=${at_work[$pid]} ended_limit=${limits[$pid]} ended_time=$(since "${times[$pid]}")
  unset "at_work[$pid]" "limits[$pid]" "times[$pid]"
}

# Ends the steps at work: asks their groups, then kills them.
stop_steps() {
  local pid tries
  for pid in "${!at_work[@]}"; do
    kill -TERM -- "-$pid" 2>/dev/null || unset "at_work[$pid]"
  done
  for pid in "${!at_work[@]}"; do
    for ((tries = 0; tries < 100; tries++)); do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
  done
}

log_of() {
  echo "$work/logs/${1//[^A-Za-z0-9._-]/-}.log"
}

# step NAME SECONDS COMMAND…: begins one and waits for its end.
step() {
  begin_step "$@"
  end_step
}

# Waits for one of the steps at work and reports it. Exit code 77 means that the command has
# written why it could not run to the file of skips.
end_step() {
  await_step
  case $ended_code in
    0)
      passed=$((passed + 1))
      say "ok       $ended_name ($ended_time s)"
      ;;
    77) say "skipped  $(grep -F -- "$ended_name: " "$SHIPWAY_TEST_SKIPS" || echo "$ended_name")" ;;
    *) step_failed ;;
  esac
  announce_work
}

# The step that has just ended is a failure.
step_failed() {
  local how="exit code $ended_code" log
  log=$(log_of "$ended_name")
  if [[ $ended_code == 124 || $ended_code == 137 ]]; then
    how="stopped at its limit of $ended_limit s, or killed"
  fi
  failed=$((failed + 1))
  failures+=("$ended_name ($how)")
  say "FAILED   $ended_name ($ended_time s, $how)"
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
  local log skips_before
  log=$(log_of "rust tests")
  skips_before=$(wc -l <"$SHIPWAY_TEST_SKIPS")
  begin_step "rust tests" 3600 cargo test --locked --workspace --all-features --no-fail-fast
  await_step

  sed -n 's/^\(test .* \.\.\. \)\{0,1\}skipped: //p' "$log" >>"$SHIPWAY_TEST_SKIPS"
  local ok bad ignored skips
  ok=$(sum_of passed "$log")
  bad=$(sum_of failed "$log")
  ignored=$(sum_of ignored "$log")
  skips=$(($(wc -l <"$SHIPWAY_TEST_SKIPS") - skips_before))
  if ((ignored > 0)); then
    sed -n 's/^test \(.*\) \.\.\. ignored.*/\1: marked #[ignore]/p' "$log" >>"$SHIPWAY_TEST_SKIPS"
  fi
  if ((ended_code != 0 && bad == 0)); then
    step_failed
  elif ((bad > 0)); then
    failures+=("rust tests ($bad)")
    say "FAILED   rust tests ($ended_time s, $bad of $((ok + bad)))"
    rust_failures "$log" | printable | sed 's/^/    /'
    echo "    whole log: $log"
  else
    say "ok       rust tests ($ended_time s, $ok tests)"
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
