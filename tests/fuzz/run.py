#!/usr/bin/env python3
"""Builds the fuzz targets with clang and runs each from its seeds: fails at a crash, when the seeds
don't reach what floors.json names, and when fewer edges are reached than it records."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build/fuzz"
FOUND = BUILD / "found"  # inputs that crash
FLOORS = HERE / "floors.json"
PARALLEL = 2


def build():
    for command in (["cmake", "--preset", "fuzz"], ["cmake", "--build", "--preset", "fuzz"]):
        done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            sys.exit(f"{done.stdout}\n{' '.join(command)} failed")


def run(target, *arguments):
    """One run of a target: edges, runs, what it reached, and the text of a failure, if it failed."""
    command = [BUILD / "bin" / f"{target}_fuzz", f"-artifact_prefix={FOUND}/{target}-", "-timeout=20",
               "-rss_limit_mb=3000", "-max_len=4096", f"-dict={HERE}/{target}.dict", *arguments, HERE / "seeds" / target]
    done = subprocess.run(command, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ | {"UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_OPTIONS": "allow_addr2line=1"})
    edges = [int(number) for number in re.findall(r"^#\d+\s.* cov: (\d+)", done.stdout, re.M)]
    runs = re.findall(r"^Done (\d+) runs", done.stdout, re.M)
    reached = set(re.findall(r"^reached (.*): \d+$", done.stdout, re.M))
    failure = ""
    if done.returncode != 0 or not edges or not runs:
        artifact = re.findall(r"Test unit written to (\S+)", done.stdout)
        failure = done.stdout[-6000:] + f"\n{target}: ended with {done.returncode}"
        if artifact:
            failure += f"; to repeat it:\n  {command[0].relative_to(ROOT)} {pathlib.Path(artifact[-1]).relative_to(ROOT)}"
    return {"edges": max(edges, default=0), "runs": int(runs[-1]) if runs else 0, "reached": reached, "failure": failure}


def fuzz(target, seconds, floor):
    """(what the seeds alone give, what the run gave, failures)"""
    seeds = run(target, "-runs=0")
    failures = [seeds["failure"]] if seeds["failure"] else []
    missed = sorted(set(floor["reached"]) - seeds["reached"])
    if missed and not failures:
        failures.append(f"{target}: the seeds don't reach: {', '.join(missed)}")
    if failures:
        return seeds, seeds, failures
    with tempfile.TemporaryDirectory() as corpus:
        result = run(target, f"-max_total_time={seconds}", corpus)
    if result["failure"]:
        failures.append(result["failure"])
    elif result["edges"] < floor["edges"]:
        failures.append(f"{target}: {result['edges']} edges reached, fewer than the {floor['edges']} in {FLOORS.name}")
    return seeds, result, failures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--record", action="store_true", help="write 90 %% of the edges reached to floors.json")
    parser.add_argument("targets", nargs="*", help="all, when none is named")
    options = parser.parse_args()
    floors = json.loads(FLOORS.read_text())
    unknown = set(options.targets) - set(floors)
    if unknown:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(floors)}")
    targets = options.targets or list(floors)
    build()
    FOUND.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        results = list(pool.map(lambda target: fuzz(target, options.seconds, floors[target]), targets))
    print(f"{'target':<10}{'runs':>10}{'seeds':>8}{'edges':>8}{'floor':>8}")
    for target, (seeds, result, failures) in zip(targets, results):
        print(f"{target:<10}{result['runs']:>10}{seeds['edges']:>8}{result['edges']:>8}{floors[target]['edges']:>8}"
              f"  {'FAILED' if failures else 'ok'}")
        if options.record and not failures:
            floors[target]["edges"] = result["edges"] * 9 // 10
    if options.record:
        FLOORS.write_text(json.dumps(floors, indent=2) + "\n")
    for _, _, failures in results:
        print(*failures, sep="\n", end="\n" if failures else "")
    return 1 if any(failures for _, _, failures in results) else 0


if __name__ == "__main__":
    sys.exit(main())
