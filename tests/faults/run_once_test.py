"""./run.sh --once commits an exchange; the optimised programs know no crash point."""
import json
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1])
done = subprocess.run([root / "run.sh", "--once"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
assert done.returncode == 0, f"run.sh --once ended with {done.returncode}"
result = json.loads(done.stdout.decode().splitlines()[-1])
assert set(result) == {"gid", "state", "balance", "frozen", "coupon_code"}, result
assert result["state"] == "committed", result
assert result["frozen"] == 0 and result["balance"] == 999900, result
assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", result["coupon_code"]), result

refused = subprocess.run([root / "run.sh", "--twice"], capture_output=True, check=False)
assert refused.returncode == 2 and b"usage" in refused.stderr, refused

for name in ("coordinator", "credit-participant", "coupon-participant"):
    binary = (root / "build/release/bin" / name).read_bytes()
    assert b"TWOPHASE_CRASH_AT" not in binary, f"{name} contains crash points"
tested = (pathlib.Path(sys.argv[2]) / "coordinator").read_bytes()
assert b"TWOPHASE_CRASH_AT" in tested, "the check above would find nothing anywhere"
print("run.sh --once:", result)
