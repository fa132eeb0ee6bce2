#!/usr/bin/env bash
# Measures `shipway list` beside gitlab-ci-local on the same files; --help lists the options.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/language.py" "$@"
