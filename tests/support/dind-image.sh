#!/usr/bin/env bash
# Makes an image of a Docker engine from the system's own packages that behaves like the
# well-known `docker:dind`: it serves port 2375, or with DOCKER_TLS_CERTDIR port 2376 and puts the
# client's certificates there. With a command it runs that: it has the client too.
#
#   dind-image.sh [IMAGE]      (default: shipway-test/dind:1)
#
# The file system is kept in target/test/images, so only the first run downloads.
set -euo pipefail

image=${1:-shipway-test/dind:1}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
tarball=$root/target/test/images/dind-$suite.tar

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi
}

if [[ ! -f $tarball ]]; then
  mkdir -p "$(dirname "$tarball")"
  directory=$(mktemp -d)
  trap 'rm -rf "$directory"' EXIT
  entrypoint=$directory/entrypoint.sh
  cat >"$entrypoint" <<'END'
#!/bin/sh
set -eu
[ $# -eq 0 ] || exec "$@"

certificate() { # DIRECTORY NAME EXTENSION
  mkdir -p "$1"
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$1/key.pem" -out "$1/request"
  echo "$3" >"$1/extension"
  openssl x509 -req -days 1 -in "$1/request" -CA "$ca/cert.pem" -CAkey "$ca/key.pem" \
    -CAcreateserial -extfile "$1/extension" -out "$1/cert.pem"
  rm "$1/request" "$1/extension"
  cp "$ca/cert.pem" "$1/ca.pem"
}

set -- --host=unix:///var/run/docker.sock
if [ -n "${DOCKER_TLS_CERTDIR:-}" ]; then
  ca=$DOCKER_TLS_CERTDIR/ca
  mkdir -p "$ca"
  openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=ca -keyout "$ca/key.pem" -out "$ca/cert.pem"
  certificate "$DOCKER_TLS_CERTDIR/server" docker "subjectAltName=DNS:docker,DNS:localhost"
  certificate "$DOCKER_TLS_CERTDIR/client" client "extendedKeyUsage=clientAuth"
  server=$DOCKER_TLS_CERTDIR/server
  set -- "$@" --host=tcp://0.0.0.0:2376 --tlsverify --tlscacert="$server/ca.pem" \
    --tlscert="$server/cert.pem" --tlskey="$server/key.pem"
else
  set -- "$@" --host=tcp://0.0.0.0:2375 --tls=false
fi
exec dockerd "$@"
END
  chmod 755 "$entrypoint"
  as_root mmdebstrap --variant=minbase \
    --include=busybox-static,ca-certificates,docker.io,iptables,openssl \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="copy-in '$entrypoint' /" \
    "$suite" "$tarball.part.tar"
  mv "$tarball.part.tar" "$tarball"
fi

docker import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV DOCKER_TLS_CERTDIR=/certs' \
  --change 'VOLUME /var/lib/docker' \
  --change 'ENTRYPOINT ["/entrypoint.sh"]' \
  --change 'EXPOSE 2375 2376' \
  "$tarball" "$image"
