#!/usr/bin/env bash
# Builds the fuzz targets and runs one or all of them; --help says how.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'END'
Usage: fuzz/run.sh [--seconds N] [--build] [TARGET...] [-- LIBFUZZER-OPTION...]

Runs the targets (default: all) one after the other on one core, at the lowest priority.
Needs a nightly compiler: rustup toolchain install nightly. cargo-fuzz is not needed; the
layout is one that it knows.

  --seconds N   how long each target runs (default: 60)
  --build       only build
  --help        print this

Inputs that lead somewhere new are kept in fuzz/corpus-grown/TARGET (not committed), faults in
fuzz/artifacts/TARGET; the exit code is 0 when there are none.

Examples:
  fuzz/run.sh --seconds 1200
  fuzz/run.sh expression -- -runs=100000
  fuzz/run.sh configuration -- artifacts/configuration/crash-1234   # one input again
END
}

seconds=60 only_build= targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
    --build) only_build=yes; shift ;;
    --) shift; break ;;
    -*) echo "fuzz/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    *) targets+=("$1"); shift ;;
  esac
done
[ ${#targets[@]} -gt 0 ] || targets=(configuration expression inputs)

# What cargo-fuzz passes, without its address sanitizer: unsafe code is forbidden here, and
# without it twice as many inputs are tried.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions \
-Coverflow-checks"
host=$(rustc -vV | sed -n 's/^host: //p')
# Naming the target keeps the flags away from build scripts and macros.
nice -n 19 cargo +nightly build --locked --release --target "$host"
[ -z "$only_build" ] || exit 0

for target in "${targets[@]}"; do
  mkdir -p "corpus-grown/$target" "artifacts/$target"
  # An input that takes over 10 s or 1 GB is a fault like a panic.
  nice -n 19 "target/$host/release/$target" \
    -artifact_prefix="artifacts/$target/" -dict="dictionaries/$target.dict" \
    -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 "$@" "corpus-grown/$target" "corpus/$target"
done
