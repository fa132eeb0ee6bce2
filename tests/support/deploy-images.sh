#!/usr/bin/env bash
# Makes the images of deploy/compose.yaml from what this machine has: the server as
# deploy/Dockerfile makes it, but for compiling, and a store that speaks S3.
#
#   deploy-images.sh PROGRAM        (shipway-test/server:1, shipway-test/objects:1)
#
# The file system below them is kept in target/test/images, so only the first run downloads it.
set -euo pipefail

program=$1
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
tarball=$root/target/test/images/server-$suite.tar
base=shipway-test/base:1

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

if [[ ! -f $tarball ]]; then
  mkdir -p "$(dirname "$tarball")"
  # With these packages the Dockerfile's own `apt-get install` has little to do.
  as_root mmdebstrap --variant=minbase --include=ca-certificates,git,tini \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$tarball.part.tar"
  mv "$tarball.part.tar" "$tarball"
fi
docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  "$tarball" "$base" >/dev/null

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# Everything after the stage that compiles.
mkdir -p "$context/source/target/release"
cp "$program" "$context/source/target/release/shipway"
strip --strip-debug "$context/source/target/release/shipway" 2>/dev/null || true
{
  echo "ARG RUN_IMAGE=$base"
  echo "FROM $base AS build"
  echo "COPY source /source"
  awk '/^FROM / { stage++ } stage == 2' "$root/deploy/Dockerfile"
} >"$context/Dockerfile"
DOCKER_BUILDKIT=0 docker build --quiet --tag shipway-test/server:1 "$context"

rm -rf "$context/source"
cp "$(PATH=$PATH:$root/target/tools/bin command -v s3s-fs)" "$context/s3s-fs"
cat >"$context/Dockerfile" <<END_OF_FILE
FROM $base
COPY s3s-fs /usr/local/bin/
END_OF_FILE
DOCKER_BUILDKIT=0 docker build --quiet --tag shipway-test/objects:1 "$context"
