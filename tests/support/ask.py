"""Asks a server: ask.py SERVER TOKEN METHOD PATH [JSON]. Prints the body."""

import sys
import urllib.error
import urllib.request


def main() -> int:
    server, token, method, path, *body = sys.argv[1:]
    request = urllib.request.Request(
        server + path,
        method=method,
        data=body[0].encode() if body else None,
        headers={"PRIVATE-TOKEN": token, "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            sys.stdout.buffer.write(answer.read())
            return 0
    except urllib.error.HTTPError as error:
        sys.stdout.buffer.write(error.read())
        print(f"\n{method} {path}: {error.code}", file=sys.stderr)
        return 1


sys.exit(main())
