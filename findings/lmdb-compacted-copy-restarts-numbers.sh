#!/usr/bin/env bash
# LMDB 0.9.24 (Debian 12, package lmdb-utils 0.9.24-1): a plain copy of an environment keeps the number
# of its last transaction, a compacting copy begins again at 1.
#
# Whoever takes that number for a position of the log (how far has it come, which of two copies is the
# newer one) takes a compacted backup for the oldest of all. Our stores count a position of their own,
# in a row, for this reason among others.
#
# Expected beforehand: both copies keep the number, as they hold the same state.
# Seen: original 5, plain copy 5, compacting copy 1. Exit 0 while that is so, 1 when it has changed.
set -euo pipefail
version=0.9.24-1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get download -q "lmdb-utils=$version" >/dev/null 2>&1 ||
    { echo "lmdb-utils $version can't be downloaded"; exit 2; }
dpkg -x lmdb-utils_*.deb tools
tools=$work/tools/usr/bin

mkdir original plain compacted
for i in 1 2 3 4 5; do
    printf 'VERSION=3\nformat=print\ntype=btree\nHEADER=END\n key%d\n value\nDATA=END\n' "$i" |
        "$tools/mdb_load" original
done
"$tools/mdb_copy" original plain
"$tools/mdb_copy" -c original compacted

last() { "$tools/mdb_stat" -e "$1" | sed -n 's/.*Last transaction ID: //p'; }
seen="$(last original) $(last plain) $(last compacted)"
"$tools/mdb_stat" -V
echo "last transaction: original, plain copy, compacting copy: $seen"
same=$(cmp <("$tools/mdb_dump" original) <("$tools/mdb_dump" compacted) >/dev/null && echo yes || echo no)
echo "both hold the same rows: $same"
[ "$seen" = "5 5 1" ] && [ "$same" = yes ]
