#!/usr/bin/env python3
"""Breaks the code in one place after another and sees that the simulation notices each.

A check that cannot fail proves nothing. Each mutant is built in a copy of the tree below build/ and run
until a seed finds a violation, or an assertion ends it; one that survives all seeds fails this script.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutants"
FOLDERS = ["http", "wal", "recovery", "coordinator", "participants", "tests"]

# name: (file, what stands there, what stands there instead)
MUTANTS = {
    "a commit is not synced": ("wal/environment.cpp", "MDB_NOTLS | (options", "MDB_NOTLS | MDB_NOSYNC | (options"),
    "no barrier at a start": ("wal/store.cpp", "    batch.commit();\n    crash_point(\"after-barrier\");",
                              "    if (is_new) batch.commit();\n    crash_point(\"after-barrier\");"),
    "goes on after a failed commit": ("wal/writer.cpp", "        fail(error.what());\n    }\n    const auto written",
                                      "    }\n    const auto written"),
    "a start leaves no trace in unfinished": ("wal/log.cpp", "unit.put(tables_.unfinished, gid, seal(gid, key));",
                                              "if (entry.gid[15] == 255) unit.put(tables_.unfinished, gid, seal(gid, key));"),
    "a business key is not found again": ("coordinator/service_clients.cpp", "stored && (!highest ||", "false && stored && (!highest ||"),
    "forgets at once": ("wal/log_forget.cpp", "options_.retention.count());", "options_.retention.count() * 0);"),
    "gids start anew after a restart": ("coordinator/service.cpp", "std::max(log_->gid_ceiling(), wall_milliseconds())",
                                        "wall_milliseconds()"),
    "commit is sent before it is durable": ("coordinator/protocol/protocol.cpp",
                                            "if (decision == Decision::rollback && may_presume) deliver(t, effects);",
                                            "if (decision == Decision::commit || may_presume) deliver(t, effects);"),
    "the client is told before it is durable": ("coordinator/protocol/protocol.cpp",
                                                "    // Rollback is presumed, so telling it early",
                                                "    effects.push_back(Tell{t.started().gid, Milestone::decided});\n    // Rollback is presumed, so telling it early"),
    "a gid is told before its start is durable": ("coordinator/service_clients.cpp",
                                                  "return t->folded.is_started;", "return true;"),
    "a late vote counts": ("coordinator/protocol/protocol_fold.cpp",
                           "!t->live[branch].is_sent) return nullptr;\n    if (t->phase == Phase::preparing)",
                           "false) return nullptr;\n    if (t->phase == Phase::preparing || verb == Verb::prepare)"),
    "a refusal is a yes": ("coordinator/protocol/modes.cpp",
                           "return vote == Vote::prepared || vote == Vote::read_only;", "return vote != Vote::none;"),
    "one yes is enough": ("coordinator/protocol/protocol.cpp",
                          "!is_yes(t.mode(), t.live[i].vote.vote)) return false;\n    return true;",
                          "is_yes(t.mode(), t.live[i].vote.vote)) return true;\n    return false;"),
    "ends before all have acknowledged": ("coordinator/protocol/protocol.cpp",
                                          "        if (!is_settled(i)) return true;\n    return false;",
                                          "        if (is_settled(i)) return false;\n    return true;"),
    "an inquiry is answered rollback while voting": ("coordinator/protocol/protocol_fold.cpp",
                                                     "!t->folded.decision) return Verdict::pending;",
                                                     "!t->folded.decision) return Verdict::rollback;"),
    "an unknown transaction stays pending": ("coordinator/service_clients.cpp", "may_presume_rollback(gid) ? Verdict::rollback",
                                             "may_presume_rollback(gid) ? Verdict::pending"),
    "a start commits what was undecided": ("coordinator/protocol/protocol_fold.cpp",
                                           "        decide(t,\n               Decision::rollback,\n               {.code = \"restarted\"",
                                           "        decide(t,\n               Decision::commit,\n               {.code = \"restarted\""),
    "executes before its start is durable": ("coordinator/protocol/protocol.cpp",
                                             "    if (is_presumed(t.mode())) ask(t, effects);", "    ask(t, effects);"),
    "compensates before the rollback is durable": ("coordinator/protocol/protocol.cpp",
                                                   "if (decision == Decision::rollback && may_presume) deliver(t, effects);",
                                                   "if (decision == Decision::rollback || may_presume) deliver(t, effects);"),
    "a step waits for one of those before it": ("coordinator/protocol/protocol.cpp",
                                                "return std::ranges::all_of(request.after, [&]", "return request.after.empty() || std::ranges::any_of(request.after, [&]"),
    "steps are compensated in any order": ("coordinator/protocol/protocol.cpp",
                                           "!t.is_settled(later)) return false;", "!t.is_settled(later)) return true;"),
    "only what said yes is compensated": ("coordinator/protocol/modes.cpp",
                                          "            // Nobody asked it, so it can't have run.\n            if (is_commit || vote == Vote::unasked)",
                                          "            if (is_commit || vote != Vote::executed)"),
    "a delivery that failed is not tried again": ("coordinator/protocol/protocol.cpp",
                                                  "if (live.attempts < tries_of(request)) {", "if (live.attempts < tries_of(request)) { return;"),
    "a start does not deliver again": ("coordinator/protocol/protocol_fold.cpp",
                                       "        t.phase = Phase::delivering;\n        deliver(t, effects);",
                                       "        t.phase = Phase::delivering;"),
    "transactions share an append": ("coordinator/service.cpp",
                                     "for (std::vector<Append>& job : by_transaction(std::move(appends))) append(std::move(job));",
                                     "if (!appends.empty()) append(std::move(appends));"),
    "the next attempt need not wait": ("coordinator/protocol/admission.hpp",
                                       "highest->is_undone ? Admission::is_new", "true ? Admission::is_new"),
    "the next attempt begins before the earlier one is undone": ("coordinator/protocol/admission.hpp",
                                                                 "highest->is_undone ? Admission::is_new",
                                                                 "highest->is_durably_rolled_back ? Admission::is_new"),
    "an unclear answer ends the asking": ("coordinator/lanes.cpp",
                                          "return schedule_.unclear(\n                    call, around_.now(), answer.is_to_go_alone, answer.retry_after);",
                                          "return schedule_.settled(call);"),
    "an answer to somebody else counts": ("coordinator/messages.cpp",
                                          "return text_in(body, \"gid\") == subject.gid && text_in(body, \"branch_id\") == subject.branch_id;",
                                          "return text_in(body, \"branch_id\") == subject.branch_id;"),
    "the probe's alarm rings in the past": ("recovery/lane.hpp", "            if (has_ready()) return breaker_.probe_at();",
                                            "            if (size() > 0) return breaker_.probe_at();"),
    "no tombstone": ("participants/branches.cpp", "    finish(turn, tombstone, tombstone.state);\n", ""),
    "prepares what was rolled back": ("participants/branches.cpp",
                                      "    if (branch.state == BranchState::rolled_back || branch.state == BranchState::compensated)\n        return {already(branch.state)};",
                                      "    if (branch.state == BranchState::rolled_back) return begin(turn);"),
    "a pending answer is taken for rollback": ("participants/inquirer.cpp",
                                               "decision == \"commit\" || decision == \"rollback\";", "!decision.empty();"),
    "no inquiry and no sweep": ("participants/inquirer.cpp", "            if (may_ask(item)) ask(item);", ""),
    "answers before it is durable": ("participants/request_queue.cpp",
                                     "            work(unit);\n", "            work(unit);\n            if (then_early) then_early(Fate::durable);\n"),
    "a rollback keeps the hold": ("participants/credit/credit_resource.cpp",
                                  "Accounts::release(*account, hold_of(request));\n    if (request.is_addition)",
                                  "if (request.is_addition)"),
    "a commit deducts twice": ("participants/credit/credit_resource.cpp",
                               "    Accounts::release(*account, hold_of(request));\n    return post(",
                               "    Accounts::release(*account, hold_of(request));\n    account->balance -= request.amount;\n    return post("),
    "a coupon taken is not counted": ("participants/coupon/stock.cpp",
                                      "++(is_issued ? a_template.issued : a_template.reserved);", ""),
    "a dead letter is told before it is durable": ("coordinator/protocol/protocol.cpp", "|| is_acknowledged(*how)) return how;\n    return folded.branches[branch].how;",
                                                   "|| true) return how;\n    return folded.branches[branch].how;"),
    "an end by hand is told nothing more": ("coordinator/protocol/protocol.cpp", "if (t.is_settled(i) && !t.is_owed(i)) continue;", "if (t.is_settled(i)) continue;"),
    # Of the log's identity.
    "a log takes every id for one that it minted": ("coordinator/log_guard.cpp", "if (found == by_tag_.end()) return false;",
                                                    "if (found == by_tag_.end()) return gid < next_at_least;"),
    "positions are ignored": ("coordinator/log_guard.cpp", "if (!lacks_start && known.position <= end) return {};",
                              "if (!lacks_start) return {};"),
    "a copy's positions count from its end": ("coordinator/log_guard.cpp",
                                              "if (next == starts_.end() || next->began_at == 0) return position;",
                                              "if (next == starts_.end() || next->began_at > 0) return position;"),
    "a copy is confirmed before all listen to its start": ("coordinator/service_log.cpp", "if (unfenced().empty()) return confirm();",
                                                           "if (unfenced().size() < 1'000) return confirm();"),
    "the low-water mark passes what was lost": ("coordinator/service_participants.cpp", "if (lowest_lost_) lowest =",
                                                "if (false) lowest ="),
    "the succession is not told": ("coordinator/log_api.cpp", "            {\"replaces\", std::move(replaces)},\n            {\"open\"",
                                   "            {\"replaces\", Json::array()},\n            {\"open\""),
    "a settled key is not taken": ("coordinator/service_lost.cpp", "if (named == branches.end()) return unknown;", "return unknown;"),
    "any answer is a list of branches": ("coordinator/lost.cpp", " &&\n                         text_in(body->root(), \"nonce\") == reading.nonce;", ";"),
    "a store's end of a start is not asked": ("coordinator/log_guard.cpp", "if (told.then)", "if (told.then && false)"),
    "a closed log presumes": ("coordinator/service_clients.cpp", "if (!is_confirmed_ || !closed_for_.empty()) return false;", ""),
    "a lost key is free": ("coordinator/service_clients.cpp", "if (const auto lost = lost_under(submission.key)) return", "if (const auto lost = lost_under(submission.key); lost && false) return"),
    "any log is listened to": ("participants/branches.cpp", "if (message.log == (is_pinned ? pinned->second : seen.log)) return std::nullopt;",
                               "if (message.log == seen.log || !message.log.empty()) return std::nullopt;"),
    "another store is not noticed": ("coordinator/log_guard.cpp", "if (told.is_foreign || !remembered) return {};", "if (told.is_foreign || remembered || !remembered) return {};"),
    "a step that was undone without room runs later": ("participants/branches.cpp",
                                                       "message.verb == Verb::compensate || options_.has_room();", "options_.has_room();"),
    "what found no room is a yes": ("coordinator/protocol/protocol.cpp",
                                    "const BranchVote no{.vote = Vote::refused,", "const BranchVote no{.vote = t->mode() == Mode::eventual ? Vote::executed : Vote::read_only,"),
}
# Some need a second change to compile.
ALSO = {
    "answers before it is durable": [("participants/request_queue.cpp",
                                      "job.work = [work = std::move(piece.work), damaged]",
                                      "job.work = [work = std::move(piece.work), then_early = piece.then, damaged]"),
                                     ("participants/request_queue.cpp",
                                      "        if (*damaged)\n            then(Fate::damaged);\n        else\n            then(written == wal::Written::durable ? Fate::durable : Fate::no_room);",
                                      "        if (*damaged || written != wal::Written::durable) then(Fate::damaged);")],
    "no inquiry and no sweep": [("coordinator/sweep.cpp",
                                 "        hooks_.found({participant_, std::string(gid->text()), std::string(branch_id->text())});\n", "")],
    # Lanes drop what is no longer wanted; without both, a vote after the deadline counts.
    "a late vote counts": [("coordinator/lanes.cpp", "            if (was_wanted[i] && !is_of_another)\n", "            if (!is_of_another)\n")],
}


def sh(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def set_up():
    COPY.mkdir(parents=True, exist_ok=True)
    sources = [file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.is_file()]
    for file in sources + [ROOT / "CMakeLists.txt", ROOT / "CMakePresets.json"]:
        copy = COPY / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Left alone where it is the same, so that little is built anew.
        if not copy.exists() or copy.read_bytes() != file.read_bytes():
            shutil.copyfile(file, copy)
    built = sh("cmake", "--preset", "proof", cwd=COPY)
    if built.returncode:
        sys.exit(built.stdout)
    build("the code as it is")


def build(name):
    built = sh("ninja", "-C", str(COPY / "build/proof"), "simulation")
    if built.returncode:
        sys.exit(f"{name}: does not build\n{built.stdout[-3000:]}")


def run(seeds, minutes):
    command = [str(COPY / "build/proof/bin/simulation"), "--seeds", str(seeds), "--minutes", str(minutes)]
    try:
        done = sh(*command, timeout=minutes * 60 + 120)
    except subprocess.TimeoutExpired:
        return ""  # nothing was found in time
    if done.returncode == 0:
        return ""
    for line in done.stdout.splitlines():
        if line.startswith("VIOLATION at seed"):
            return line[len("VIOLATION at "):][:110]
        if "Assertion" in line or "VIOLATION" in line:
            return line.split("simulation: ")[-1][-110:]
    return f"ends with {done.returncode}"


def try_out(name, seeds, minutes):
    file, old, new = MUTANTS[name]
    changes = [(file, old, new)] + ALSO.get(name, [])
    before = {each: (COPY / each).read_text() for each, _, _ in changes}
    try:
        for each, old, new in changes:
            text = (COPY / each).read_text()
            if text.count(old) != 1:
                sys.exit(f"{name}: {each} no longer holds what this mutant changes, or twice")
            (COPY / each).write_text(text.replace(old, new))
        build(name)
        return run(seeds, minutes)
    finally:
        for each, text in before.items():
            (COPY / each).write_text(text)


def check():
    """Every mutant's change is to be found once: the code moves on, and this list must follow."""
    stale = [f"{name}: {file}" for name, change in MUTANTS.items() for file, old, _ in [change, *ALSO.get(name, [])]
             if (ROOT / file).read_text().count(old) != 1]
    print("\n".join(stale) or f"{len(MUTANTS)} mutants, each to be found once")
    sys.exit(1 if stale else 0)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=20000)
    options.add_argument("--minutes", type=float, default=5)
    options.add_argument("--only", help="mutants whose name holds this")
    options.add_argument("--json", action="store_true", help="one object on the last line")
    options.add_argument("--check", action="store_true", help="only see that each mutant's change is to be found once")
    chosen = options.parse_args()
    if chosen.check:
        check()
    set_up()
    survived, caught = [], {}
    if (found := run(200, chosen.minutes)):
        sys.exit(f"the code as it is: {found}")
    for name in MUTANTS:
        if chosen.only and chosen.only not in name:
            continue
        start = time.monotonic()
        how = try_out(name, chosen.seeds, chosen.minutes)
        print(f"{'caught  ' if how else 'SURVIVED'}  {name:<46} {time.monotonic() - start:4.0f} s  {how}", flush=True)
        (caught.__setitem__(name, how) if how else survived.append(name))
    print(f"{len(caught)} of {len(caught) + len(survived)} mutants caught")
    if chosen.json:
        print(json.dumps({"caught": caught, "survived": survived}))
    sys.exit(1 if survived else 0)


if __name__ == "__main__":
    main()
