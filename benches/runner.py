"""Measures what jobs cost beside their scripts, with `shipway run`.

    benches/runner.sh [--shipway FILE] [--image IMAGE] [--repeat N] [--only PART]... [--small]

Parts: container (beside `docker run` on the same engine), log (bytes per second through
masking, and memory), sources (a tree of 50,000 files beside one of 500), cache (1 GB in 20,000
files beside tar and zstd). A part whose tools are missing says so. --small takes a tenth of
everything, to see that it works.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PARTS = ["container", "log", "sources", "cache"]


def main() -> int:
    options = parse_options()
    print(f"{platform.machine()}, {os.cpu_count()} processors, medians of {options.repeat}")
    for part in options.only or PARTS:
        with tempfile.TemporaryDirectory(prefix="shipway-bench-") as folder:
            globals()[f"measure_{part}"](options, Bench(options, Path(folder)))
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shipway", type=Path, help="the program (default: a release build)")
    parser.add_argument("--image", default="busybox", help="of the container jobs")
    parser.add_argument("--repeat", type=int, default=5, help="repetitions (default: 5)")
    parser.add_argument("--only", action="append", choices=PARTS, help="only this part")
    parser.add_argument("--small", action="store_true", help="a tenth of everything")
    options = parser.parse_args()
    if options.shipway is None:
        subprocess.run(["cargo", "build", "--locked", "--release", "--package", "shipway"],
                       cwd=ROOT, check=True)
        options.shipway = TARGET / "release" / "shipway"
    options.scale = 10 if options.small else 1
    return options


class Bench:
    """A repository, and pipelines that run in it."""

    def __init__(self, options, folder: Path):
        self.options = options
        self.project = folder / "project"
        self.state = folder / "state"
        self.project.mkdir()
        git = ["git", "-c", "user.name=b", "-c", "user.email=b@example.com"]
        self.git = lambda *words: subprocess.run([*git, *words], cwd=self.project, check=True,
                                                 stdout=subprocess.DEVNULL)
        self.git("init", "--quiet")

    def configure(self, text: str) -> None:
        (self.project / ".gitlab-ci.yml").write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "bench")

    def run(self, *words: str) -> float:
        """Runs the pipeline and returns its seconds."""
        command = [str(self.options.shipway), "run", "--quiet", "--state-dir", str(self.state),
                   *words]
        return timed(command, self.project)


def timed(command, folder=None) -> float:
    begun = time.monotonic()
    ran = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                         text=True)
    if ran.returncode != 0:
        sys.exit(f"{command} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}")
    return time.monotonic() - begun


def median(options, measure) -> float:
    return statistics.median(measure() for _ in range(options.repeat))


def measure_container(options, bench: Bench) -> None:
    print("\n## A container job beside `docker run` (wanted: at most 1.2 times)")
    found = shutil.which("docker")
    if not found or subprocess.run(["docker", "image", "inspect", options.image],
                                   capture_output=True).returncode != 0:
        print(f"Not measured: no engine, or no image {options.image} (`docker pull` it).")
        return
    few, many = 1, 1 + max(4, 20 // options.scale)
    jobs = lambda number: "\n".join(
        f"job {index}: {{image: {options.image}, script: ['true']}}" for index in range(number))
    times = {}
    for number in (few, many):
        bench.configure(jobs(number))
        times[number] = median(options, lambda: bench.run("-j", "1"))
    ours = (times[many] - times[few]) / (many - few)
    plain = median(options, lambda: timed(["docker", "run", "--rm", options.image, "true"]))
    print(f"per job {ours * 1000:.0f} ms, `docker run` {plain * 1000:.0f} ms: {ours / plain:.2f} times")


def measure_log(options, bench: Bench) -> None:
    print("\n## A log through masking (wanted: over 200 MB/s, memory that does not grow)")
    size = 1_000_000_000 // options.scale
    line = "a line of a log with nothing in it that has to be masked, as most lines are"
    # `head` ends before `yes`, which is no failure here.
    lines = f"(yes '{line}' || true)"
    one = "head -c {} /dev/zero | tr '\\0' x"
    scripts = {
        "lines": f"{lines} | head -c {{}}",
        "one line": one,
    }
    for name, script in scripts.items():
        times = {}
        for amount in (1_000, size):
            command = script.format(amount)
            bench.configure(f"job: {{script: [\"{command.replace(chr(92), chr(92) * 2)}\"]}}")
            times[amount] = median(options, lambda: bench.run("--var", "TOKEN=mask-this-value"))
        seconds = times[size] - times[1_000]
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{name}: {size / seconds / 1e6:.0f} MB/s, at most {memory:.0f} MiB of memory")


def measure_sources(options, bench: Bench) -> None:
    print("\n## Sources of a job (wanted: cost that does not grow with the tree)")
    times = {}
    for files in (500 // options.scale, 50_000 // options.scale):
        for index in range(files):
            folder = bench.project / f"d{index // 500}"
            folder.mkdir(exist_ok=True)
            (folder / f"f{index}").write_text(f"{index}\n" * 100)
        for jobs in (1, 5):
            text = "\n".join(f"job {index}: {{script: ['true']}}" for index in range(jobs))
            bench.configure(text)
            times[files, jobs] = median(options, lambda: bench.run("-j", "1"))
    for files in sorted({files for files, _ in times}):
        per_job = (times[files, 5] - times[files, 1]) / 4
        print(f"{files} files: {per_job * 1000:.0f} ms per job")
    shares = subprocess.run([options.shipway, "run", "--state-dir", str(bench.state)],
                            cwd=bench.project, capture_output=True, text=True).stdout
    print("blocks are shared" if "sharing blocks" in shares else "this file system copies blocks")


def measure_cache(options, bench: Bench) -> None:
    print("\n## A cache of 1 GB in 20,000 files, restored, beside tar and zstd")
    files, size = 20_000 // options.scale, 50_000
    data = bench.project.parent / "data"
    data.mkdir()
    words = os.urandom(1 << 20).hex().encode()
    for index in range(files):
        folder = data / f"d{index // 200}"
        folder.mkdir(exist_ok=True)
        at = index * 37 % (len(words) - size)
        (folder / f"f{index}").write_bytes(words[at:at + size])
    save = f"cp -a {data} data"
    cache = "cache: {{key: k, paths: [data], policy: {}}}"
    bench.configure(f"job: {{script: ['{save}'], {cache.format('push')}}}")
    saved = bench.run()
    bench.configure(f"job: {{script: ['true'], {cache.format('pull')}}}")
    restored = median(options, bench.run)
    bench.configure("job: {script: ['true']}")
    restored -= median(options, bench.run)
    print(f"saved in {saved:.1f} s with the copy before, restored in {restored:.1f} s")
    if not shutil.which("zstd"):
        print("Not measured: zstd is not installed.")
        return
    packed, target = data.parent / "data.tar.zst", data.parent / "unpacked"
    subprocess.run(f"tar -C {data.parent} -cf - data | zstd -q -1 -T0 -o {packed}", shell=True,
                   check=True)

    def unpack() -> float:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        return timed(["bash", "-c", f"zstd -dc {packed} | tar -C {target} -xf -"])

    plain = median(options, unpack)
    print(f"tar and zstd: {plain:.1f} s, so {restored / plain:.2f} times")


if __name__ == "__main__":
    sys.exit(main())
