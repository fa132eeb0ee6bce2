#!/usr/bin/env python3
"""Makes a picture of every page of the server, light, dark, and on a phone.

    tests/screenshots.py [DIRECTORY] [NAME ...]

The pictures go into DIRECTORY (target/screenshots); NAMEs choose pages. Ends with exit code 1
where a page is blank, wider than the screen, or complains in the browser's console. Needs
`chromium` and `chromedriver` (Debian: chromium chromium-driver). The pages are served by a test
of the server crate from a data directory of its own; where SHIPWAY_PAGES_TEST names the program
of that test, nothing is built.
"""

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Name, width in pixels, colour scheme. Most phones are wider.
LOOKS = [("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", 360, "light")]
# Different lines of pixels that a page has at least: an empty one has a few.
LINES = 40


# What the browser is right to say: the one page is not there, and of the other, which a job
# wrote, it runs nothing.
MEANT = {"not-found": [" 404 "], "artifact-report": ["Blocked script execution", "/favicon.ico"]}


def is_meant(name, complaint):
    return any(part in complaint for part in MEANT.get(name, []))


def wait(what, seconds, probe):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.2)
    sys.exit(f"{what} did not come up within {seconds} s")


class Driver:
    """A browser by WebDriver, as far as pictures need it."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]}
        logging = {"browser": "SEVERE"}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": logging}
        asked = {"capabilities": {"alwaysMatch": wanted}}
        self.session = self.call("/session", asked)["sessionId"]

    def call(self, path, body=None, method="POST"):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def do(self, path, body=None, method="POST"):
        return self.call(f"/session/{self.session}{path}", body, method)

    def devtools(self, command, **parameters):
        return self.do("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def go(self, url):
        self.do("/url", {"url": url})

    def run(self, script):
        return self.do("/execute/sync", {"script": script, "args": []})

    def complaints(self):
        """What the console has got since the last call."""
        return [entry["message"] for entry in self.do("/se/log", {"type": "browser"})]

    def sign_in(self, url, name, password):
        self.go(url + "/users/sign_in")
        self.run(
            f"document.getElementById('login').value = {json.dumps(name)};"
            f"document.getElementById('password').value = {json.dumps(password)};"
            "document.querySelector('main form').submit();"
        )
        wait("the session", 20, lambda: "Sign out" in self.run("return document.body.innerText"))

    def picture(self, path, width, scheme):
        feature = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=feature)
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)
        # Until everything is where it belongs; pages that may not run scripts cannot say when.
        time.sleep(0.3)
        tall = self.run("return document.documentElement.scrollHeight")
        wide = self.run("return document.documentElement.scrollWidth")
        size["height"] = max(400, min(tall, 4000))
        self.devtools("Emulation.setDeviceMetricsOverride", **size)
        shot = self.devtools("Page.captureScreenshot", format="png")
        data = base64.b64decode(shot["data"])
        path.write_bytes(data)
        faults = []
        if wide > width:
            faults.append(f"{wide} px wide on a screen of {width}")
        if lines(data) < LINES:
            faults.append("blank")
        return faults


def lines(png):
    """How many different lines of pixels a picture has, each as the difference to the one above."""
    at, packed, wide = 8, b"", 0
    while at < len(png):
        size, kind = int.from_bytes(png[at:at + 4], "big"), png[at + 4:at + 8]
        body = png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            # Eight bits for each of three or four colours, and a byte for the line.
            wide = int.from_bytes(body[:4], "big") * (4 if body[9] == 6 else 3) + 1
        elif kind == b"IDAT":
            packed += body
        at += size + 12
    pixels = zlib.decompress(packed)
    return len({pixels[at:at + wide] for at in range(0, len(pixels), wide)})


def main():
    directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/screenshots")
    wanted = set(sys.argv[2:])
    for program in ("chromium", "chromedriver"):
        if not shutil.which(program):
            sys.exit(f"`{program}` is not installed: apt-get install chromium chromium-driver")
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    listed = directory / "pages.json"
    listed.unlink(missing_ok=True)
    environment = dict(os.environ, SHIPWAY_SCREENSHOTS=str(directory))
    # As ./test builds it, so that after that nothing is built again.
    command = ["cargo", "test", "--quiet", "--locked", "--workspace", "--all-features"]
    command += ["--test", "pages", "photographer"]
    if program := os.environ.get("SHIPWAY_PAGES_TEST"):
        command = [program, "photographer"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chromedriver = subprocess.Popen(["chromedriver", f"--port={port}", "--silent"])
    faults = []
    try:
        wait("the server", 1800, listed.exists)
        world = json.loads(listed.read_text())

        def ready():
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=2)
                return True
            except (urllib.error.URLError, OSError):
                return False

        wait("chromedriver", 30, ready)
        driver = Driver(port)
        pages = [page for page in world["pages"] if not wanted or page[0] in wanted]
        signed_in = False
        for name, path in pages:
            if name != "sign-in" and not signed_in:
                driver.sign_in(world["url"], "root", world["password"])
                signed_in = True
            driver.complaints()
            driver.go(world["url"] + path)
            for look, width, scheme in LOOKS:
                picture = directory / f"{name}-{look}.png"
                faults += [f"{picture.stem}: {fault}" for fault in driver.picture(picture, width, scheme)]
            complaints = [text for text in driver.complaints() if not is_meant(name, text)]
            faults += [f"{name}: {text}" for text in complaints]
            print(name)
        driver.do("", method="DELETE")
    finally:
        listed.unlink(missing_ok=True)
        chromedriver.terminate()
        server.wait(60)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
