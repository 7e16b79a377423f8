"""Our participants keep the whole contract, and the program says so: its options, output and exit codes."""
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

if sys.argv[1] == "--fill":
    # Writes that its own clients may make, until there is no room for one.
    address, number = pathlib.Path(sys.argv[3]).read_text().strip(), 0
    while True:
        number += 1
        path, content = {
            "credit": ("/v1/accounts/ann/points/grant", {"amount": 1, "business_code": "fill", "business_id": str(number)}),
            "coupon": ("/v1/templates", {"template_id": f"fill-{number}", "name": "n" * 200, "stock": 1}),
        }[sys.argv[2]]
        try:
            urllib.request.urlopen(urllib.request.Request(f"http://{address}{path}", data=json.dumps(content).encode(),
                                                          headers={"Content-Type": "application/json"}), timeout=30)
        except urllib.error.HTTPError as error:
            sys.exit(0 if error.code == 503 and json.load(error)["code"] == "no-room" else 1)

bin_dir, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
tool = str(bin_dir / "participant-conformance")
KINDS = {
    "credit": {
        "operation": "deduct_credits",
        "payload": {"user_id": "ann", "credit_type": "points", "amount": 1},
        "refused": {"user_id": "ann", "credit_type": "points", "amount": 10**9},
        "set_up": [("/v1/accounts", {"user_id": "ann", "credit_type": "points"}),
                   ("/v1/accounts/ann/points/grant",
                    {"amount": 10**6, "business_code": "welcome", "business_id": "1"})],
        "owned": ("/v1/accounts/ann/points", ["balance", "frozen"]),
    },
    "coupon": {
        "operation": "create_coupon",
        "payload": {"template_id": "cup", "user_id": "ann"},
        "refused": {"template_id": "nothing", "user_id": "ann"},
        "set_up": [("/v1/templates", {"template_id": "cup", "name": "A cup", "stock": 10**6})],
        "owned": ("/v1/templates/cup", ["issued", "reserved"]),
    },
}[kind]


class Participant:
    """Runs the program, and starts it again whenever it ended, as a service manager does."""

    def __init__(self, folder, store_max_bytes=1 << 28):
        self.folder, self.is_stopping, self.child = folder, False, None
        self.address = folder / "address"
        coordinators = {"conformance": f"file:{folder / 'coordinator'}"}
        self.command = [
            str(bin_dir / f"{kind}-participant"), "--data", str(folder / "store"), "--port", "0",
            "--address-file", str(self.address), "--store-max-bytes", str(store_max_bytes), "--any-filesystem",
            "--coordinators", json.dumps(coordinators), "--inquire-after-ms", "50", "--log-level", "error"]
        self.keeper = threading.Thread(target=self.keep_running)
        self.keeper.start()

    def keep_running(self):
        while not self.is_stopping:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
            (self.folder / "pid").write_text(str(self.child.pid))
            self.child.wait()

    def stop(self):
        self.is_stopping = True
        self.child.kill()
        self.keeper.join()

    def call(self, path, body=None):
        request = urllib.request.Request(f"http://{self.address.read_text().strip()}{path}",
                                         headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def wait_ready(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                return self.call("/readyz")
            except (OSError, ValueError):
                time.sleep(0.02)
        raise AssertionError("the participant does not get ready")


def run(*arguments):
    done = subprocess.run([tool, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def check(folder, participant):
    base = f"file:{participant.address}#/v1/branches"
    path, members = KINDS["owned"]
    whom = [base, "--participant", kind, "--coordinator", "conformance", "--operation", KINDS["operation"],
            "--payload", json.dumps(KINDS["payload"])]
    everything = [
        "--refused-payload", json.dumps(KINDS["refused"]), "--batch", "64", "--saga",
        "--listen", "127.0.0.1:0", "--listen-file", str(folder / "coordinator"),
        "--observe", f"curl -sf http://$(cat {participant.address}){path} | jq -c '[.{members[0]},.{members[1]}]'",
        "--restart", f"pid=$(cat {folder}/pid); kill -9 $pid; while kill -0 $pid 2>/dev/null; do sleep 0.02; done"]

    code, output, progress = run(*whom, *everything, "--json")
    report = json.loads(output)
    names = [line.split()[1] for line in run("--list")[1].splitlines()]
    assert [one["name"] for one in report["checks"]] == names
    assert code == 0 and report["exit_code"] == 0, progress + output
    # A full store can do nothing else afterwards: see check_full().
    assert report["held"] == len(names) - 2 > 60, progress + output
    assert participant.call("/v1/branches/in-doubt")["items"] == [], "something was left in doubt"
    assert participant.call(path)[members[1]] == 0, "something was left reserved"

    code, output, _ = run(*whom, "--only", "vote", "--only", "stale-commit")
    assert code == 0 and "\n7 held, 0 did not hold, 3 not checked\n" in output, output
    assert "(no --refused-payload)" in output and "in-doubt" not in output, output

    # Another name than its own: nearly nothing can hold, and the report says what came.
    code, output, _ = run(*(word if word != kind else "stranger" for word in whom), "--only", "vote")
    assert code == 1 and "DID NOT HOLD" in output and "not checked" in output, output
    assert "\nprepare-yes: " in output and "wrong-participant" in output, output
    for part in ("  sent  ", "  came  ", "  expected  ", "  the contract  ", "  why  "):
        assert part in output, output

    code, output, _ = run(*(word if word != kind else "stranger" for word in whom), "--only", "prepare-yes", "--json")
    breach = json.loads(output)["checks"][0]["breach"]
    assert code == 1 and set(breach) == {"sent", "came", "expected", "contract", "why"}, output

    for wrong in ([], ["http://127.0.0.1:1", *whom[1:]], [*whom, "--only", "nothing"],
                  [*whom[:-1], "7"], [*whom, "--listen", "7999"], [*whom, "--frobnicate"]):
        code, output, errors = run(*wrong)
        assert code == 2 and output == "" and errors != "", (wrong, code, output, errors)

    readme = (pathlib.Path(__file__).parent / "README.md").read_text()
    assert [name for name in names if f"`{name}`" not in readme] == []
    print(f"{kind}: {report['held']} checks held")


def check_full(_, participant):
    code, output, progress = run(
        f"file:{participant.address}#/v1/branches", "--participant", kind, "--coordinator", "conformance",
        "--operation", KINDS["operation"], "--payload", json.dumps(KINDS["payload"]), "--saga", "--only", "full",
        "--fill", f"{sys.executable} {__file__} --fill {kind} {participant.address}")
    assert code == 0 and "\n2 held, 0 did not hold, 0 not checked\n" in output, progress + output
    print(f"{kind}: and two of a full store")


for what, most_bytes in ((check, 1 << 28), (check_full, 1 << 20)):
    with tempfile.TemporaryDirectory() as name:
        running = Participant(pathlib.Path(name), most_bytes)
        try:
            running.wait_ready()
            for target, content in KINDS["set_up"]:
                running.call(target, content)
            what(pathlib.Path(name), running)
        finally:
            running.stop()
