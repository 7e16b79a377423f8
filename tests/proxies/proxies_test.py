"""The examples of docs/proxies.md, run: a transaction, its repeat and probes through each proxy.

usage: proxies_test.py SOURCE_FOLDER BINARY_FOLDER PROXY; exit 77: the proxy isn't installed.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE, BINARIES, PROXY = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
PATIENCE = 30  # seconds; only against a hang
NAME = "twophase.example"


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def example(port, coordinator):
    text = (SOURCE / "docs/proxies.md").read_text()
    language = {"nginx": "nginx", "haproxy": "haproxy", "caddy": "caddyfile"}[PROXY]
    block = re.search(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)
    assert block, f"docs/proxies.md has no example for {PROXY}"
    for old, new in (("127.0.0.1:7070", f"127.0.0.1:{coordinator}"), ("8080", str(port))):
        assert old in block[1], f"the example for {PROXY} doesn't name {old}"
    return block[1].replace("127.0.0.1:7070", f"127.0.0.1:{coordinator}").replace("8080", str(port))


def proxy_command(folder, config):
    if PROXY == "nginx":
        return ["nginx", "-p", folder, "-e", "stderr", "-c", config, "-g", f"daemon off; pid {folder}/nginx.pid;"]
    if PROXY == "haproxy":
        return ["haproxy", "-db", "-f", config]
    return ["caddy", "run", "--adapter", "caddyfile", "--config", config]


def ask(port, method, target, body=None, headers=None, host=NAME):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    sent = {"Host": host, **(headers or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    try:
        connection.request(method, target, json.dumps(body) if body is not None else None, sent)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def until(what, holds):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if holds():
                return
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    raise AssertionError(f"in {PATIENCE} s not seen: {what}")


class Programs:
    def __init__(self, folder):
        self.folder = folder
        self.running = {}

    def start(self, name, command):
        environment = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, env=environment)

    def start_ours(self, program, port, *options):
        self.start(program, [BINARIES / program, "--port", port, "--data", self.folder / program, *options])
        until(f"{program} is ready", lambda: ask(port, "GET", "/readyz", host="localhost")[0] == 200)

    def end(self, name, by=signal.SIGTERM):
        process = self.running.pop(name)
        process.send_signal(by)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def deduct(business_id=None):
    key = {"business_code": "order", "business_id": business_id} if business_id else {}
    payload = {"user_id": "ann", "credit_type": "points", "amount": 1}
    return {**key, "branches": [{"participant": "credit", "operation": "deduct_credits", "payload": payload}]}


def expect(seen, status, what):
    assert seen[0] == status, f"{what}: {seen}"
    return seen


def check(programs, coordinator, credit, port):
    options = ["--allowed-hosts", json.dumps([NAME]), "--participants",
               json.dumps({"credit": {"endpoint": f"http://127.0.0.1:{credit}/v1/branches"}})]
    programs.start_ours("credit-participant", credit,
                        "--coordinators", json.dumps({"main": f"http://127.0.0.1:{coordinator}"}))
    expect(ask(credit, "POST", "/v1/accounts", {"user_id": "ann", "credit_type": "points"}, host="localhost"),
           201, "an account")
    expect(ask(credit, "POST", "/v1/accounts/ann/points/grant",
               {"amount": 100, "business_code": "gift", "business_id": "1"}, host="localhost"), 200, "a grant")
    programs.start_ours("coordinator", coordinator, *options)

    config = programs.folder / "proxy.conf"
    config.write_text(example(port, coordinator))
    programs.start(PROXY, proxy_command(programs.folder, config))
    until(f"{PROXY} reaches the coordinator", lambda: ask(port, "GET", "/readyz")[0] == 200)

    first = expect(ask(port, "POST", "/v1/transactions", deduct("1")), 200, "a transaction")
    again = expect(ask(port, "POST", "/v1/transactions", deduct("1")), 200, "its repeat")
    assert json.loads(again[2])["idempotent"] and not json.loads(first[2])["idempotent"], again
    expect(ask(port, "POST", "/v1/transactions", deduct(), {"Idempotency-Key": '"order-2";v=1'}), 200, "a header's key")
    later = expect(ask(port, "POST", "/v1/transactions", deduct("3"), {"Prefer": "respond-async"}), 202, "respond-async")
    names = {name.lower() for name in later[1]}
    assert {"location", "retry-after", "preference-applied"} <= names, later
    expect(ask(port, "GET", "/v1/transactions?limit=1"), 200, "a list")
    head = expect(ask(port, "HEAD", "/v1/transactions"), 200, "HEAD of a list")
    assert head[2] == "", head
    assert PROXY == "caddy" or ask(port, "GET", "/v1/status", host="evil.example")[0] == 421

    programs.end("coordinator", signal.SIGKILL)
    until("the proxy tells that nobody is behind it", lambda: ask(port, "GET", "/readyz")[0] in (502, 503))
    programs.start_ours("coordinator", coordinator, *options)
    until("the proxy comes back to it", lambda: ask(port, "POST", "/v1/transactions", deduct("4"))[0] == 200)


def main():
    if shutil.which(PROXY) is None:
        print(f"skipped: {PROXY} is not installed (apt-get install {PROXY})")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        programs = Programs(pathlib.Path(folder))
        try:
            check(programs, *free_ports(3))
        except AssertionError:
            for log in sorted(programs.folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
            raise
        finally:
            for name in list(programs.running):
                programs.end(name)
    print(f"{PROXY}: the example of docs/proxies.md works")
    return 0


sys.exit(main())
