#!/usr/bin/env bash
# Measures what jobs cost beside their scripts: containers, logs, sources, caches; --help lists
# the options.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/runner.py" "$@"
