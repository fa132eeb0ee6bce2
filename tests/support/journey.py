"""Walks a person's way through the pages in a real Chromium.

    journey.py SERVER PROJECT PASSWORD

PROJECT has a pipeline whose job `test` runs for some seconds, prints `line N` while it does
and leaves coverage/index.html. The browser signs in, finds the pipeline, follows the log of
the running job without loading the page again, sees the job end green with its coverage,
opens the coverage report and signs out.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from screenshots import Driver, wait  # noqa: E402


class Journey:
    def __init__(self, driver: Driver, server: str, project: str):
        self.driver, self.server, self.project = driver, server, project

    def text(self) -> str:
        return self.driver.run("return document.body.innerText")

    def here(self) -> str:
        return self.driver.run("return location.pathname")

    def link(self, pattern: str) -> str:
        """The address of the first link of the page whose path fits the regular expression."""
        found = self.driver.run(
            f"const wanted = new RegExp({json.dumps(pattern)});"
            "const links = Array.from(document.querySelectorAll('main a[href]'));"
            "return links.find(link => wanted.test(new URL(link.href).pathname))?.href || ''")
        return found or sys.exit(f"{self.here()} has no link to {pattern}")

    def follow(self, pattern: str) -> None:
        self.driver.go(self.link(pattern))

    def walk(self, password: str) -> None:
        self.driver.sign_in(self.server, "root", password)
        self.driver.go(f"{self.server}/")
        self.follow(f"/{self.project}$")
        self.follow("/-/pipelines$")
        self.follow("/-/pipelines/[0-9]+$")
        print("pipeline", self.here())
        self.follow("/-/jobs/[0-9]+$")
        print("job", self.here())

        # The log grows while nobody loads the page again.
        self.driver.run("window.sameDocument = true")
        first = wait("the log's first lines", 40, self.lines)
        wait("more lines", 20, lambda: self.lines() > first)
        wait("the end of the job", 60, lambda: "passed" in self.text().lower())
        wait("the coverage", 20, lambda: "100" in self.text())
        if not self.driver.run("return window.sameDocument === true"):
            sys.exit("the page was loaded again while it followed the log")
        print("followed", self.lines(), "lines")

        self.follow("/artifacts/browse")
        self.follow("/coverage/?$")
        self.follow("/index.html$")
        wait("the report", 20, lambda: "Coverage report" in self.report())
        # What a job wrote is not let at the session of whoever reads it.
        if self.driver.run("try { return document.cookie } catch { return '' }"):
            sys.exit("the report can read cookies")
        self.driver.go(f"{self.server}/")
        self.driver.run("document.querySelector(\"form[action$='/users/sign_out'] button\").click()")
        wait("the end of the session", 20, lambda: "Sign in" in self.text())

    def lines(self) -> int:
        return self.driver.run(
            "return (document.getElementById('lines')?.innerText.match(/line \\d+/g) || []).length")

    def report(self) -> str:
        """The report, which may be shown in a frame of its own."""
        found = self.text()
        for frame in range(self.driver.run("return document.querySelectorAll('iframe').length")):
            self.driver.do("/frame", {"id": frame})
            found += self.text()
            self.driver.do("/frame", {"id": None})
        return found


def main() -> int:
    server, project, password = sys.argv[1:]
    if not shutil.which("chromedriver"):
        sys.exit("chromedriver is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chromedriver = subprocess.Popen(["chromedriver", f"--port={port}", "--silent"])
    try:
        def ready():
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2)
                return True
            except (urllib.error.URLError, OSError):
                return False

        wait("chromedriver", 30, ready)
        driver = Driver(port)
        try:
            Journey(driver, server, project).walk(password)
        finally:
            driver.do("", method="DELETE")
    finally:
        chromedriver.terminate()
        chromedriver.wait(20)
    return 0


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"the journey took {time.monotonic() - started:.1f} s")
    sys.exit(code)
