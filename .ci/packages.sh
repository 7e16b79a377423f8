# Sourced by run.sh and test.sh: installs what the project is built with, if any of it is missing.

packages=(g++ cmake ninja-build ccache libboost1.81-dev nlohmann-json3-dev liblmdb-dev libspdlog-dev
          libgtest-dev libcli11-dev libssl-dev libmimalloc-dev prometheus-cpp-dev curl jq python3)
# What ./test.sh needs beside them: clang for the fuzz targets, spin for the model.
test_packages=(clang-16 libclang-rt-16-dev spin)

say() {
    if [ -t 2 ]; then printf '\n\033[1m== %s\033[0m\n' "$*" >&2; else printf '\n== %s\n' "$*" >&2; fi
}
fail() { printf '\n%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

install_packages() {  # install_packages [more...]
    local missing=()
    for package in "${packages[@]}" "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "needs root to install ${missing[*]}: run it once as root, or install sudo"
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -q >&2 || fail "apt-get update failed: is a Debian 12 mirror configured and reachable?"
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -q -y --no-remove --no-install-recommends \
        "${missing[@]}" >&2 || fail "apt-get could not install ${missing[*]} without removing something.
  Boost 1.81 conflicts with the -dev packages of 1.74: 'apt-get remove libboost1.74-dev libboost-dev' first,
  if nothing else on this machine needs them; then run this again."
}

build() {  # build PRESET [target...]
    local preset=$1
    shift
    say "building the $preset preset"
    cmake --preset "$preset" >build/configure-"$preset".log 2>&1 ||
        { cat build/configure-"$preset".log >&2; fail "cmake could not configure the $preset preset"; }
    cmake --build --preset "$preset" ${1:+--target "$@"} >&2 || fail "the $preset preset does not build"
}
