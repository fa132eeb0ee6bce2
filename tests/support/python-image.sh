#!/usr/bin/env bash
# Makes the image of examples/python-stack, with Python, pytest and pytest-cov
# from the system's own packages, and pushes it to its registry.
#
#   python-image.sh [IMAGE]      (default: localhost:5000/python-pytest:3)
#
# The file system is kept in target/test/images, so only the first run downloads.
# No local copy of the image stays: whoever uses it has to pull it.
set -euo pipefail

image=${1:-localhost:5000/python-pytest:3}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
tarball=$root/target/test/images/python-pytest-$suite.tar

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

if [[ ! -f $tarball ]]; then
  mkdir -p "$(dirname "$tarball")"
  components=main
  # shellcheck source=/dev/null
  if [[ $(. /etc/os-release && echo "$ID") == ubuntu ]]; then
    components=main,universe
  fi
  as_root mmdebstrap --variant=minbase --components="$components" \
    --include=python3,python3-pytest,python3-pytest-cov \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$tarball.part.tar"
  mv "$tarball.part.tar" "$tarball"
fi

docker import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV LANG=C.UTF-8' \
  --change 'CMD ["bash"]' \
  "$tarball" "$image"
docker push --quiet "$image"
docker rmi "$image" >/dev/null
