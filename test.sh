#!/usr/bin/env bash
# Installs, builds with sanitizers and runs every test. --fast: the developer's loop, no slow tests.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=.ci/packages.sh
. .ci/packages.sh

case "${1:-}" in
    "" | --fast) ;;
    *) printf 'usage: ./test.sh [--fast]\n' >&2; exit 2 ;;
esac
mkdir -p build
install_packages "${test_packages[@]}"

if [ "${1:-}" = --fast ]; then
    build dev
    say "tests without the slow ones (address and undefined-behaviour sanitizers)"
    exec ctest --preset dev -LE slow -j2 --timeout 120
fi

build release coordinator credit-participant coupon-participant recoveryctl bench
say "what a coordinator costs (a ratio below half of the one kept fails, when it does so twice)"
guard=(build/release/bin/bench --quick --guard tests/bench/kept.json)
"${guard[@]}" || { say "once more: the machine may have been busy"; "${guard[@]}"; }
build dev
build tsan threads_tests
say "everything that has threads, under the thread sanitizer"
ctest --preset tsan -L threads -LE slow -j2 --timeout 300
say "everything, under the address and undefined-behaviour sanitizers"
exec ctest --preset dev -j2 --timeout 900
