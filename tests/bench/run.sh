#!/usr/bin/env bash
# Measures what a coordinator costs; builds first. --quick: 40 s. --help: everything else.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../../.ci/packages.sh
. .ci/packages.sh
mkdir -p build
install_packages
build release coordinator credit-participant coupon-participant bench
exec build/release/bin/bench "$@"
