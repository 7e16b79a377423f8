#!/usr/bin/env python3
"""Checks the model of our protocol: it must hold, every mutant of it must be caught, and every
situation of interest be reachable. A search that was cut short counts as a failure."""
import argparse
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import trail

HERE = pathlib.Path(__file__).resolve().parent
DEPTH = 10_000
SAFETY = ["-DUNLIMITED"]
FAULTS = ["-DCRASHES=1", "-DFALLS=1", "-DLOSSES=1", "-DREPEATS=1"]
FEWER_FAULTS = [*FAULTS[:3], "-DREPEATS=0"]
# One failing sync at a time, for the rows that show what the barrier cures.
GHOST, ECHO = ["-DGHOST=1", "-DECHO=0"], ["-DGHOST=0", "-DECHO=1"]
SYNC_FAULTS = {"NO_BARRIER": {"ghost": GHOST, "echo": ECHO}, "PARTICIPANT_NO_BARRIER": {"ghost": GHOST}}


@dataclasses.dataclass
class Row:
    group: str  # claim, cured, mutant, situation, harness
    name: str
    text: str
    kind: str  # safety, stuck, endless
    flags: list
    wanted: str  # holds, caught, cut short
    depth: int = DEPTH
    most_megabytes: int = 3500
    hash_bits: int = 20
    optimise: str = "-O0"  # most searches are shorter than optimising them


@dataclasses.dataclass
class Result:
    outcome: str  # holds, caught, cut short, broken
    detail: str = ""
    states: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0


def listed(file, pattern):
    rows = re.findall(r"^#define (\w+) \d+ +/\* " + pattern + r" \*/$", (HERE / file).read_text(), re.M)
    assert rows, f"nothing listed in {file}"
    return rows


def claims():
    text = re.search(r"hidden byte (one_outcome[^;]*);", (HERE / "twophase.pml").read_text()).group(1)
    return {name.strip() for name in text.split(",")}


def correct_rows(deeper):
    big = {"hash_bits": 24, "optimise": "-O2"}
    rows = [Row("claim", "safety", "2 participants, unlimited faults", "safety", SAFETY, "holds", **big),
            Row("claim", "stuck", "no run stops unresolved", "stuck", FAULTS, "holds", **big),
            Row("claim", "endless", "no run goes on for ever", "endless", FEWER_FAULTS, "holds", **big)]
    if deeper:
        two = ["-DCRASHES=2", *FAULTS[1:]]
        three = ["-DN=3", "-DCRASHES=1", "-DFALLS=0", "-DLOSSES=0", "-DREPEATS=0"]
        rows += [
            Row("claim", "safety of 3", "unlimited faults", "safety", [*SAFETY, "-DN=3"], "holds", **big),
            Row("claim", "stuck, 2 crashes", "of the coordinator", "stuck", two, "holds", **big),
            Row("claim", "endless, repeats", "one fault of each kind", "endless", FAULTS, "holds", **big),
            Row("claim", "stuck of 3", "3 participants, a crash", "stuck", three, "holds", **big)]
    return rows


def all_rows(deeper):
    rows = correct_rows(deeper)
    for name, flags in (("ghost", GHOST), ("echo", ECHO)):
        rows.append(Row("cured", name, "by the barrier", "safety", [*SAFETY, *flags], "holds"))
    for name, kind, text in listed("mutants.pml", r"(safety|stuck|endless): (.*?)"):
        flags = [f"-DMUTANT={name}", *(SAFETY if kind == "safety" else FEWER_FAULTS)]
        for fault, extra in SYNC_FAULTS.get(name, {"": []}).items():
            rows.append(Row("mutant", f"{name} {fault}".strip(), text, kind, [*flags, *extra], "caught"))
    for name, text in listed("situations.pml", "(.*?)"):
        rows.append(Row("situation", name, text, "safety", [*SAFETY, f"-DSITUATION={name}"], "caught"))
    # The same correct model, given too little: neither may look like a pass.
    small = {"too shallow": {"depth": 40}, "too small": {"most_megabytes": 10, "hash_bits": 16}}
    for name, limits in small.items():
        rows.append(Row("harness", name, "a limit that is met is no pass", "safety", SAFETY, "cut short", **limits))
    return rows


def call(command, folder, limit):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=limit, check=False)
    return done.returncode, done.stdout + done.stderr


def search(row, folder, limit, shortest=False):
    """Builds and runs the search of one row in `folder`; returns what it printed, or why it couldn't."""
    shutil.copytree(HERE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    how = ["-DNP"] if row.kind == "endless" else ["-DSAFETY"]
    how += ["-DCOLLAPSE"] if row.kind != "safety" else []
    run = {"safety": [], "stuck": ["-E"], "endless": ["-l", "-E"]}[row.kind]
    if shortest and row.kind != "endless":  # of cycles spin finds some, not the shortest
        how, run = [*how, "-DREACH"], [*run, "-i"]
    steps = [["spin", *row.flags, "-a", "twophase.pml"],
             ["gcc", row.optimise, "-w", f"-DMEMLIM={row.most_megabytes}", *how, "-o", "pan", "pan.c"],
             ["./pan", f"-m{row.depth}", f"-w{row.hash_bits}", *run]]
    for step in steps:
        code, output = call(step, folder, limit)
        if code != 0 and step[0] != "./pan":
            return f"{step[0]} failed: {output}"
    return output


def judge(output):
    """Nothing passes that didn't end: a limit reached, a missing summary, a warning."""
    states = re.search(r"(\S+) states, stored", output)
    memory = re.search(r"([\d.]+)\s+total actual memory usage", output)
    errors = re.search(r"errors: (\d+)", output)
    error = re.search(r"^pan:\d+: (.*?) \(at depth", output, re.M)
    result = Result("broken", output.strip()[-400:],
                    states=int(float(states.group(1))) if states else 0,
                    megabytes=float(memory.group(1)) if memory else 0.0)
    is_cut = re.search(r"max search depth too small|out of memory|MEMLIM bound|memory limit", output)
    if error and re.match("assertion violated|non-progress cycle", error.group(1)):
        result.outcome, result.detail = "caught", error.group(1).removeprefix("assertion violated ")
    elif is_cut:
        result.outcome, result.detail = "cut short", is_cut.group(0)
    elif errors and errors.group(1) == "0" and states and "Search not completed" not in output:
        result.outcome, result.detail = "holds", ""
    return result


def is_right(row, result):
    """A mutant of resolution must be caught by its own check, not by chance by another."""
    if result.outcome != row.wanted or row.wanted != "caught":
        return result.outcome == row.wanted
    if row.group == "situation":
        return result.detail == "unreachable"
    return result.detail == {"stuck": "settled", "endless": "non-progress cycle"}.get(row.kind, result.detail)


def check(row, limit):
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="twophase-model-") as folder:
        try:
            result = judge(search(row, folder, limit))
        except subprocess.TimeoutExpired:
            result = Result("broken", f"no end within {limit} s")
    result.seconds = round(time.monotonic() - began, 1)
    return result


def show_trail(row, limit):
    """Prints the steps of a shortest run that breaks this row's model."""
    with tempfile.TemporaryDirectory(prefix="twophase-model-") as folder:
        result = judge(search(row, folder, limit, shortest=True))
        _, steps = call(["spin", "-t", "-p", "-g", *row.flags, "twophase.pml"], folder, limit)
    if result.outcome != "caught":
        print(f"{row.name}: {result.outcome} {result.detail}")
        return 1
    print(trail.readable(steps, (HERE / "twophase.pml").read_text(), claims()))
    return 0


def report(row, result, right):
    line = f"{row.group:9} {row.name:28} {result.states:>11,} {result.seconds:>6.1f} s {result.megabytes:>6.0f} MB  "
    print(line + ("" if right else "WRONG: ") + result.outcome + (f" by {result.detail}" if result.detail else "")
          + ("" if right else f"; wanted: {row.wanted}"), flush=True)


def run_all(rows, jobs, limit, is_quiet):
    results = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(check, row, limit): row for row in rows}
        for done in concurrent.futures.as_completed(running):
            row = running[done]
            results[(row.group, row.name)] = (row, done.result(), is_right(row, done.result()))
            if not is_quiet:
                report(*results[(row.group, row.name)])
    return [results[(row.group, row.name)] for row in rows]


def complaints(results):
    """What is wrong beyond single rows: a claim that nothing breaks, a mutant that is not explained."""
    mutants = [(row, result) for row, result, _ in results if row.group == "mutant"]
    readme = (HERE / "README.md").read_text()
    idle = claims() - {result.detail for _, result in mutants}
    return [f"no mutant breaks the claim {name}" for name in sorted(idle)] + [
        f"README.md says nothing of {row.name}" for row, _ in mutants if f"`{row.name.split()[0]}`" not in readme]


def summary(results, wrong, seconds):
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = [{**dataclasses.asdict(row), **dataclasses.asdict(result), "right": right} for row, result, right in results]
    return {"ok": not wrong, "searches": len(results), "seconds": round(seconds, 1),
            "processor_seconds": round(used.ru_utime + used.ru_stime, 1), "wrong": wrong, "rows": rows}


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="deeper bounds and three participants too")
    parser.add_argument("--only", metavar="NAME", help="the rows whose group or name contains this")
    parser.add_argument("--trail", metavar="NAME", help="print how this mutant breaks or this situation is reached")
    parser.add_argument("--jobs", type=int, default=2, help="searches at the same time (2)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args(arguments)
    for program in ("spin", "gcc"):
        if shutil.which(program) is None:
            parser.exit(2, f"check.py needs {program}: apt-get install spin gcc\n")
    options.rows, wanted = all_rows(options.all), options.trail or options.only
    if wanted:
        exact = [row for row in options.rows if row.name == wanted]
        options.rows = exact or [row for row in options.rows if wanted in f"{row.group} {row.name}"]
    if not options.rows:
        parser.error(f"no row is named {wanted}")
    return options


def main(arguments):
    options = options_of(arguments)
    limit = 7200 if options.all else 550  # seconds for one search: for a hang, not for a busy machine
    if options.trail:
        return show_trail(options.rows[0], limit)
    began = time.monotonic()
    results = run_all(options.rows, options.jobs, limit, options.json)
    wrong = [f"{row.group} {row.name}" for row, _, right in results if not right]
    if not options.only:
        wrong += complaints(results)
    end = summary(results, wrong, time.monotonic() - began)
    if options.json:
        print(json.dumps(end))
    else:
        print(f"{end['searches']} searches, {end['seconds']} s, {end['processor_seconds']} s of processor: "
              + ("all as they should be" if not wrong else "WRONG: " + "; ".join(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
