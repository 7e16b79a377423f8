"""run.sh, hung up, ends the programs that it started. Its build is left out: it gets ours."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

root, programs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
packages = 'say() { printf "== %s\\n" "$*" >&2; }\nfail() { say "$*"; exit 1; }\ninstall_packages() { :; }\nbuild() { :; }\n'


def of_this(folder):
    """Processes that work on `folder`."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].startswith(os.fsencode(folder / "build")):
            found.append(int(entry.name))
    return found


with tempfile.TemporaryDirectory() as made:
    folder = pathlib.Path(made).resolve()
    (folder / ".ci").mkdir()
    (folder / ".ci/packages.sh").write_text(packages)
    (folder / "build/release").mkdir(parents=True)
    (folder / "build/release/bin").symlink_to(programs)
    script = (root / "run.sh").read_text()
    assert "ports=(7070 7071 7072)" in script
    (folder / "run.sh").write_text(script.replace("ports=(7070 7071 7072)", "ports=(0 0 0)"))
    shutil.copymode(root / "run.sh", folder / "run.sh")
    run = subprocess.Popen([folder / "run.sh"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)
    for line in run.stdout:
        if b"Ctrl-C" in line:
            break
    assert len(of_this(folder)) == 3, of_this(folder)
    run.send_signal(signal.SIGHUP)
    assert run.wait(60) == 0, run.returncode
    left = of_this(folder)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"left behind: {left}"
print("run.sh took its children along")
