"""Kills servers again and again under load, and looks whether anything was lost.

    kills.py SHIPWAY DIRECTORY [--kills N] [--seed N] [--servers N] [--postgres]

Simulated runners take the jobs of a pipeline, send logs, artifacts and results, and note
what was acknowledged. A server gets SIGKILL at random moments and is started again; the
runners go on where they were. With --postgres the rows are in a PostgreSQL of its own, which
crashes at random moments too; then there may be several servers on one database and one
directory, and each call goes to any of them. In the end every acknowledged log byte, artifact
and status must be there. Prints the counts.
"""

import argparse
import base64
import hashlib
import http.client
import json
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

TOKEN = "glpat-for-the-tests-only-0000"
JOBS = 400
RUNNERS = 6


class Server:
    """The process under test, always at the same address."""

    def __init__(self, shipway: str, directory: Path, number: int, database: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.command = [shipway, "serve", "--data", str(directory / "data"),
                        "--listen", f"127.0.0.1:{self.port}", "--runner", "none",
                        "--database", database]
        self.log = open(directory / f"server{number}.log", "ab")
        self.process = None

    def start(self) -> None:
        environment = dict(os.environ, SHIPWAY_ROOT_TOKEN=TOKEN,
                           SHIPWAY_ROOT_PASSWORD="correct-horse-battery")
        self.process = subprocess.Popen(self.command, env=environment, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.ask("GET", "/-/readiness")[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended with {self.process.returncode}")
            if time.monotonic() > deadline:
                raise SystemExit("the server does not answer")
            time.sleep(0.02)

    def crash(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, method, path, body=None, headers=None):
        """One request on a connection of its own: status, headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            given = {"PRIVATE-TOKEN": TOKEN} if headers is None else headers
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
                given = {**given, "Content-Type": "application/json"}
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def api(self, method, path, body=None):
        status, _, answer = self.ask(method, f"/api/v4{path}", body)
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {answer!r}")
        return json.loads(answer)


class Postgres:
    """A PostgreSQL that waits for the disk, on a socket in the directory."""

    def __init__(self, directory: Path):
        places = os.environ["PATH"].split(os.pathsep)
        places += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
        self.programs = next(Path(place) for place in places if (Path(place) / "initdb").exists())
        self.directory = directory
        directory.mkdir()
        self.user = []
        if os.getuid() == 0:
            # It refuses to run as root.
            user = next(one for one in pwd.getpwall() if one.pw_name in ("postgres", "nobody"))
            os.chown(directory, user.pw_uid, user.pw_gid)
            self.user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                         "--clear-groups"]
        self.log = open(directory / "log", "ab")
        self.run("initdb", "-D", directory / "data", "-U", "shipway", "-A", "trust", "-E", "UTF8",
                 "--locale=C", "--no-sync").wait()
        self.process = None
        self.url = f"postgres://shipway@localhost/postgres?host={directory}"

    def run(self, program: str, *arguments):
        command = [*self.user, self.programs / program, *arguments]
        return subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL,
                                stdout=self.log, stderr=self.log)

    def start(self) -> None:
        # No word of the disk is given early: what is not waited for is lost for some time.
        self.process = self.run("postgres", "-D", self.directory / "data", "-k", self.directory,
                                "-c", "listen_addresses=", "-c", "wal_writer_delay=10s",
                                "-c", "max_connections=200")
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("PostgreSQL does not answer")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """As its own file says: the process in the first line, its state in the last."""
        try:
            lines = (self.directory / "data/postmaster.pid").read_text().split()
        except OSError:
            return False
        # Where it runs as somebody else, `setpriv` has become it.
        return lines[:1] == [str(self.process.pid)] and lines[-1:] == ["ready"]

    def crash(self) -> None:
        """It ends at once and writes nothing: what was not on its disk is lost."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


class Any:
    """Any of several servers, another for each request."""

    def __init__(self, servers: list, seed: int):
        self.servers, self.random = servers, random.Random(seed)

    def ask(self, *request):
        return self.random.choice(self.servers).ask(*request)


class Runner(threading.Thread):
    """One simulated runner; its own random numbers make its work repeatable."""

    def __init__(self, server: Any, token: str, seed: int, results: dict):
        super().__init__(daemon=True)
        self.server, self.token, self.random = server, token, random.Random(seed)
        self.results = results
        self.stopping = threading.Event()
        self.retries = 0

    def run(self) -> None:
        while not self.stopping.is_set():
            job = self.request()
            if job is None:
                time.sleep(0.02)
            else:
                self.work(job)

    def until_answered(self, *request):
        """Sends until there is an answer that is not the server's own trouble."""
        while True:
            try:
                answer = self.server.ask(*request)
                if answer[0] < 500:
                    return answer
            except OSError:
                pass
            self.retries += 1
            if self.stopping.is_set():
                return None
            time.sleep(0.02)

    def request(self):
        body = {"token": self.token, "system_id": "s_kills",
                "info": {"name": "kills", "features": {"trace_reset": True}}}
        try:
            status, _, answer = self.server.ask("POST", "/api/v4/jobs/request", body, {})
        except OSError:
            return None
        return json.loads(answer) if status == 201 else None

    def work(self, job) -> None:
        number, token = job["id"], job["token"]
        record = self.results.setdefault(number, {"log": b"", "artifact": None, "state": None})
        for part in range(self.random.randint(1, 5)):
            text = f"job {number} part {part} {'x' * self.random.randint(0, 3000)}\n"
            if not self.append(number, token, record, text.encode()):
                return
        if self.random.random() < 0.4:
            content = self.random.randbytes(self.random.randint(1, 20_000))
            answer = self.upload(number, token, content)
            if answer is None:
                return
            if answer[0] == 201:
                record["artifact"] = hashlib.sha256(content).hexdigest()
            elif answer[0] != 400:
                raise SystemExit(f"artifact of {number}: {answer[0]} {answer[2]!r}")
        state = "success" if self.random.random() < 0.8 else "failed"
        update = {"token": token, "state": state, "failure_reason": "script_failure"}
        while True:
            answer = self.until_answered("PUT", f"/api/v4/jobs/{number}", update, {})
            if answer is None:
                return
            # 202: asked again later. 403: an earlier answer was lost, the job is over.
            if answer[0] != 202:
                break
            time.sleep(0.02)
        if answer[0] == 200:
            record["state"] = state
        elif answer[0] != 403:
            raise SystemExit(f"update of {number}: {answer[0]} {answer[2]!r}")

    def append(self, number, token, record, part) -> bool:
        log = record["log"] + part
        offset = len(record["log"])
        while True:
            headers = {"JOB-TOKEN": token, "Content-Type": "text/plain",
                       "Content-Range": f"{offset}-{len(log) - 1}"}
            answer = self.until_answered(
                "PATCH", f"/api/v4/jobs/{number}/trace", log[offset:], headers)
            if answer is None:
                return False
            status, headers, body = answer
            if status == 202:
                record["log"] = log
                return True
            if status != 416:
                raise SystemExit(f"trace of {number}: {status} {body!r}")
            # The server has more than was acknowledged, for an answer was lost; never less.
            stored = int(headers["Range"].split("-")[1])
            if stored < len(record["log"]):
                raise SystemExit(
                    f"job {number}: {len(record['log'])} bytes acknowledged, {stored} there")
            if stored >= len(log):
                record["log"] = log
                return True
            offset = stored

    def upload(self, number, token, content):
        boundary = "kills-boundary"
        body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; "
                f"filename=\"artifacts.zip\"\r\nContent-Type: application/octet-stream\r\n\r\n"
                ).encode() + content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"JOB-TOKEN": token,
                   "Content-Type": f"multipart/form-data; boundary={boundary}"}
        path = (f"/api/v4/jobs/{number}/artifacts?artifact_type=archive&artifact_format=zip")
        return self.until_answered("POST", path, body, headers)


def push(server: Server, directory: Path) -> None:
    project = directory / "project"
    project.mkdir()
    text = "".join(f"job{n}: {{script: [x], artifacts: {{paths: [x]}}}}\n" for n in range(JOBS))
    (project / ".gitlab-ci.yml").write_text(text)
    credentials = base64.b64encode(f"root:{TOKEN}".encode()).decode()
    for arguments in (["init", "--quiet", "--initial-branch=main"], ["add", "--all"],
                      ["commit", "--quiet", "--message", "Load"],
                      ["-c", f"http.extraHeader=Authorization: Basic {credentials}", "push",
                       "--quiet", f"http://127.0.0.1:{server.port}/root/load.git", "main"]):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
                       cwd=project, check=True)


def verify(server: Server, results: dict) -> list:
    """Everything that was acknowledged and is not there."""
    lost = []
    path = "/projects/root%2Fload/jobs"
    for number, record in sorted(results.items()):
        job = server.api("GET", f"{path}/{number}")
        log = server.ask("GET", f"/api/v4{path}/{number}/trace")[2]
        if not log.startswith(record["log"]):
            lost.append(f"log of job {number}: {len(record['log'])} acknowledged, {len(log)} there")
        if record["state"] is not None and job["status"] != record["state"]:
            lost.append(f"status of job {number}: {record['state']} became {job['status']}")
        if record["artifact"] is not None:
            status, _, content = server.ask("GET", f"/api/v4{path}/{number}/artifacts")
            if status != 200 or hashlib.sha256(content).hexdigest() != record["artifact"]:
                lost.append(f"artifact of job {number}: answer {status}")
    return lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shipway")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    database = Postgres(options.directory / "postgres") if options.postgres else None
    if database:
        database.start()
    url = database.url if database else "sqlite:"
    servers = [Server(options.shipway, options.directory, number, url)
               for number in range(options.servers)]
    for server in servers:
        server.start()
    server = servers[0]
    push(server, options.directory)
    token = server.api("POST", "/user/runners", {"runner_type": "instance_type",
                                                  "run_untagged": True})["token"]
    results: dict = {}
    seeds = [options.seed * 1000 + number for number in range(RUNNERS)]
    runners = [Runner(Any(servers, seed), token, seed, results) for seed in seeds]
    for runner in runners:
        runner.start()
    mortals = servers + ([database] if database else [])
    for _ in range(options.kills):
        time.sleep(chance.uniform(0.02, 0.5))
        mortal = chance.choice(mortals)
        mortal.crash()
        mortal.start()
    # Whoever holds a job now brings it to its end.
    time.sleep(2)
    for runner in runners:
        runner.stopping.set()
    for runner in runners:
        runner.join(60)
    lost = [fault for server in servers for fault in verify(server, results)]
    ended = sum(record["state"] is not None for record in results.values())
    artifacts = sum(record["artifact"] is not None for record in results.values())
    size = sum(len(record["log"]) for record in results.values())
    repeated = sum(runner.retries for runner in runners)
    for server in servers:
        server.process.terminate()
    for server in servers:
        server.process.wait(60)
    if database:
        database.crash()
    print(f"seed {options.seed}: {options.kills} kills, {len(results)} jobs taken, {ended} ended, "
          f"{size} bytes of log, {artifacts} artifacts acknowledged, {repeated} requests repeated, "
          f"{len(lost)} lost")
    for line in lost:
        print(line)
    if ended < options.kills / 2:
        print("too little was done between the kills to mean anything")
        return 1
    return 1 if lost else 0


sys.exit(main())
