"""Measures how long reading a configuration and making its plan takes.

Runs `shipway list --format json` (release build) and `gitlab-ci-local --list-json` as
whole processes on the same files, in turns, and prints the medians of wall time and of
processor time of several repetitions, and the most memory that the process held.

    benches/language.sh [--repeat N] [--real DIR] [--shipway FILE] [--no-install]

The files are made here: a typical one, one of 1,000 jobs with extends, rules and needs,
and the same shape with 1,000, 10,000 and 100,000 jobs, in files of 1,000 that one file
includes. `--real` names a directory with a configuration of a real project; what it takes
to make a pipeline of it are variables, `--real-var KEY=VALUE`.

gitlab-ci-local is installed as by benches/local-run.sh.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from local_run import build_shipway, find_gitlab_ci_local, make_project

SCALES = [1_000, 10_000, 100_000]
JOBS_OF_A_FILE = 1_000


def main() -> int:
    options = parse_options()
    shipway = options.shipway or build_shipway()
    rival = find_gitlab_ci_local(options.install)
    if rival is not None:
        os.environ["PATH"] = f"{rival}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory(prefix="shipway-bench-") as folder:
        folder = Path(folder)
        print(f"{os.cpu_count()} cores, {platform.system()} {platform.release()}; "
              f"medians of {options.repeat} repetitions (lowest to highest)\n")
        for name, project, variables in make_projects(folder, options):
            ours = [str(shipway), "list", "--format", "json", *flags("--var", variables)]
            theirs = ["gitlab-ci-local", "--list-json", *flags("--variable", variables)]
            compare(name, project, ours, theirs if rival else None, options.repeat)
        print("time and memory by the number of jobs, shipway")
        for jobs in SCALES:
            project = make_project(folder / f"scale-{jobs}", included(jobs // JOBS_OF_A_FILE))
            write_parts(project, jobs)
            commit(project)
            # So many stand in for each other; few repetitions are enough.
            repeat = options.repeat if jobs < SCALES[-1] else min(options.repeat, 3)
            found = [run([str(shipway), "list", "--format", "json"], project)
                     for _ in range(repeat)]
            print_line(f"{jobs:,} jobs", found)
            cpu = statistics.median(result.cpu_seconds for result in found)
            print(f"  {'':16}{cpu * 1e6 / jobs:10.1f} microseconds of CPU per job, "
                  f"{max(result.kib for result in found) / jobs:.1f} KiB per job")
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=9, help="repetitions (default: 9)")
    parser.add_argument("--real", type=Path, help="a directory with a real configuration")
    parser.add_argument("--real-var", action="append", default=[], metavar="KEY=VALUE",
                        help="a variable for its pipeline; may be repeated")
    parser.add_argument("--shipway", type=Path, help="a release build, instead of building one")
    parser.add_argument("--no-install", dest="install", action="store_false",
                        help="use gitlab-ci-local only if it is there already")
    return parser.parse_args()


def flags(option: str, values):
    return [word for value in values for word in (option, value)]


# ---- the configurations -------------------------------------------------------------


def make_projects(folder: Path, options):
    """Name, project and variables of what both read."""
    yield "a typical file", make_project(folder / "typical", TYPICAL), []
    yield "1,000 jobs", make_project(folder / "thousand", HEAD + jobs_text(0, 1_000)), []
    if options.real is not None:
        text = (options.real / ".gitlab-ci.yml").read_text()
        project = make_project(folder / "real", text)
        shutil.copytree(options.real, project, dirs_exist_ok=True, ignore=skip_git)
        commit(project)
        yield f"the configuration of {options.real.name}", project, options.real_var


def skip_git(_directory, names):
    return [name for name in names if name == ".git"]


TYPICAL = """\
stages: [build, test, deploy]
variables: {PIP_CACHE_DIR: "$CI_PROJECT_DIR/.cache/pip", LEVEL: "2"}
default:
  image: python:3.12
  before_script: [python -V, pip install -r requirements.txt]
  cache: {key: "$CI_COMMIT_REF_SLUG", paths: [.cache/pip]}
.test:
  stage: test
  script: [pytest --junitxml=report.xml]
  artifacts: {reports: {junit: report.xml}, expire_in: 1 week}
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
    - if: $CI_COMMIT_TAG =~ /^v\\d+/
build:
  stage: build
  script: [python -m build]
  artifacts: {paths: [dist/]}
lint: {extends: .test, needs: [], script: [ruff check]}
types: {extends: .test, needs: [], script: [mypy src]}
unit:
  extends: .test
  needs: [build]
  parallel: {matrix: [{PYTHON: ["3.10", "3.11", "3.12"], DB: [sqlite, postgres]}]}
docs:
  extends: .test
  script: [make docs]
  rules: [{changes: ["docs/**/*"]}, {if: $CI_COMMIT_TAG}]
staging:
  stage: deploy
  script: [./deploy staging]
  environment: {name: staging, url: "https://staging.example.org"}
  rules: [{if: $CI_COMMIT_BRANCH == "main"}]
production:
  stage: deploy
  script: [./deploy production]
  environment: production
  rules: [{if: $CI_COMMIT_BRANCH == "main", when: manual}]
"""

# Ten jobs of a stage, each with what many have: extends, rules, needs, variables.
HEAD = """\
stages: [build, test, deploy]
.base:
  image: alpine
  before_script: [echo start]
  rules:
    - if: $CI_COMMIT_TAG
      when: never
    - if: $CI_COMMIT_BRANCH == "main" || $CI_PIPELINE_SOURCE == "web"
.build: {extends: .base, stage: build}
.test: {extends: .base, stage: test}
.deploy: {extends: .base, stage: deploy}
"""


def jobs_text(first: int, behind: int) -> str:
    text = []
    for n in range(first, behind):
        stage = ("build", "test", "deploy")[n % 3]
        needs = f"  needs: [job{n - 1}]\n" if n % 3 else ""
        text.append(f"job{n}:\n  extends: .{stage}\n{needs}  variables: {{N: \"{n}\"}}\n"
                    f"  script: [make job{n}]\n")
    return "".join(text)


def included(files: int) -> str:
    names = "".join(f"  - part{n}.yml\n" for n in range(files))
    return f"include:\n{names}{HEAD}"


def write_parts(project: Path, jobs: int):
    for n in range(jobs // JOBS_OF_A_FILE):
        text = jobs_text(n * JOBS_OF_A_FILE, (n + 1) * JOBS_OF_A_FILE)
        (project / f"part{n}.yml").write_text(text)


def commit(project: Path):
    for words in (["add", "--all"], ["commit", "--message", "Its parts"]):
        subprocess.run(["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org",
                        *words], cwd=project, check=True, capture_output=True)


# ---- measuring ----------------------------------------------------------------------


def compare(name: str, project: Path, ours, theirs, repeat: int):
    print(name)
    found = {"shipway": [], "gitlab-ci-local": []}
    for round_number in range(repeat + 1):
        for tool, command in (("shipway", ours), ("gitlab-ci-local", theirs)):
            if command is not None:
                result = run(command, project)
                if round_number > 0:  # the first round warms caches
                    found[tool].append(result)
    for tool, results in found.items():
        if results:
            print_line(tool, results)
    if theirs is not None:
        for what in ("seconds", "cpu_seconds"):
            ours, theirs = (statistics.median(getattr(result, what) for result in results)
                            for results in found.values())
            print(f"  {what.replace('_', ' ')}: shipway takes 1/{theirs / max(ours, 1e-3):.0f}")
    print()


class Result(NamedTuple):
    seconds: float
    cpu_seconds: float
    kib: int
    code: int


def run(command, project: Path) -> Result:
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=project, stdin=subprocess.DEVNULL,
                                   stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        return Result(seconds, cpu, usage.ru_maxrss, process.returncode)


def print_line(name: str, results):
    times = [result.seconds * 1000 for result in results]
    spread = f"({min(times):.1f} to {max(times):.1f})"
    cpu = statistics.median(result.cpu_seconds for result in results) * 1000
    memory = max(result.kib for result in results) / 1024
    ended = {result.code for result in results} - {0}
    note = f"  refuses it: exit code {ended.pop()}" if ended else ""
    print(f"  {name:16}{statistics.median(times):10.1f} ms {spread:22}"
          f"{cpu:9.1f} ms CPU{memory:8.1f} MiB{note}")


if __name__ == "__main__":
    sys.exit(main())
