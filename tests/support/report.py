"""Checks expressions against the JSON report of `shipway run`.

Usage: report.py FILE EXPRESSION...

Each expression sees `report` (the whole), `jobs` (by name) and `job` (the only
job, where there is one).
"""

import json
import sys


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    jobs = {job["name"]: job for job in report["jobs"]}
    scope = {"report": report, "jobs": jobs}
    if len(jobs) == 1:
        scope["job"] = next(iter(jobs.values()))
    wrong = 0
    for expression in sys.argv[2:]:
        try:
            if eval(expression, scope):
                continue
            print(f"not true: {expression}")
        except Exception as error:
            print(f"{type(error).__name__}: {error} in: {expression}")
        wrong += 1
    return 1 if wrong else 0


sys.exit(main())
