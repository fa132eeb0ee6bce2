#!/usr/bin/env bash
# Makes an image of PostgreSQL from the system's own packages that behaves like the well-known
# one: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB set it up, port 5432 is exposed.
#
#   postgres-image.sh [IMAGE]      (default: shipway-test/postgres:1)
#
# The file system is kept in target/test/images, so only the first run downloads.
set -euo pipefail

image=${1:-shipway-test/postgres:1}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
tarball=$root/target/test/images/postgres-$suite.tar

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
set -e
if [ "$1" != postgres ]; then
  exec "$@"
fi
if [ "$(id -u)" = 0 ]; then
  mkdir -p /data /run/postgresql
  chown postgres:postgres /data /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
user=${POSTGRES_USER:-postgres}
echo "$POSTGRES_PASSWORD" >/tmp/password
initdb --pgdata=/data --username="$user" --pwfile=/tmp/password --auth-host=scram-sha-256 \
  --auth-local=trust
echo "host all all all scram-sha-256" >>/data/pg_hba.conf
if [ "${POSTGRES_DB:-$user}" != postgres ]; then
  echo "CREATE DATABASE \"${POSTGRES_DB:-$user}\"" | postgres --single -D /data postgres
fi
exec postgres -D /data -c listen_addresses='*'
END
  chmod 755 "$entrypoint"
  as_root mmdebstrap --variant=minbase \
    --include=postgresql,postgresql-client \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="copy-in '$entrypoint' /" \
    "$suite" "$tarball.part.tar"
  mv "$tarball.part.tar" "$tarball"
fi

docker import \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENTRYPOINT ["/entrypoint.sh"]' \
  --change 'CMD ["postgres"]' \
  --change 'EXPOSE 5432' \
  "$tarball" "$image"
