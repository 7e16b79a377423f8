"""Fails when a folder includes one that stands above it, or a heavy library where it may not be."""
import pathlib
import re
import sys

# A folder may include itself and these. Mains stand above all and may include any.
ALLOWED = {
    "http": set(),
    "wal": set(),
    "recovery": {"http", "wal"},
    "coordinator": {"http", "wal", "recovery"},
    "participants": {"http", "wal", "recovery"},
    "tests/conformance": {"http"},  # what it checks may be written in any language
}
PURE = "coordinator/protocol"  # the standard library and itself only
ABOVE_ALL = ("coordinator/main.cpp", "participants/credit/main.cpp", "participants/coupon/main.cpp",
             "recovery/recoveryctl/")
# A library, and where alone its headers may be included.
KEPT_IN = {"boost/beast": "http/", "lmdb.h": "wal/", "prometheus/": ("recovery/", "coordinator/", "participants/"), "CLI/": ("http/settings.cpp", "recovery/recoveryctl/", "tests/conformance/main.cpp")}

root, bad = pathlib.Path(sys.argv[1]), []


def check(name, folder, quote, target):
    top = target.split("/")[0]
    is_ours = quote == '"' and top in ALLOWED
    if is_ours and top != folder and top not in ALLOWED[folder] and not name.startswith(ABOVE_ALL):
        bad.append(f"{name} must not include {target}")
    if name.startswith(PURE + "/"):
        if (quote == '"' and not target.startswith(PURE + "/")) or (quote == "<" and ("/" in target or ".h" in target)):
            bad.append(f"{name} must stay free of {target}")
    for library, place in KEPT_IN.items():
        if target.startswith(library) and not name.startswith(place):
            bad.append(f"{name} must not include {target}: it stays in {place}")
    is_heavy = "nlohmann" in target and target != "nlohmann/json_fwd.hpp"
    if is_heavy and name.endswith(".hpp") and name != "http/json.hpp":
        bad.append(f"{name} must include http/json.hpp instead of {target}")


for folder in ALLOWED:
    for file in sorted((root / folder).rglob("*.[ch]pp")):
        name = file.relative_to(root).as_posix()
        for quote, target in re.findall(r'#\s*include\s*([<"])([^>"]+)', file.read_text()):
            check(name, folder, quote, target)
for forbidden in ("common", "util", "utils"):
    if (root / forbidden).exists():
        bad.append(f"{forbidden}/: a file belongs to the folder of its subject")
print("\n".join(bad) or "every include is allowed")
sys.exit(1 if bad else 0)
