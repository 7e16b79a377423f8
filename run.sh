#!/usr/bin/env bash
# Starts coordinator, credit and coupon and exchanges points for a coupon before your eyes.
# --once: on ports that the kernel chose, with new data, then ends with one line of JSON.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=.ci/packages.sh
. .ci/packages.sh

once=false
case "${1:-}" in
    "") ;;
    --once) once=true ;;
    *) printf 'usage: ./run.sh [--once]\n' >&2; exit 2 ;;
esac
mkdir -p build
install_packages
build release coordinator credit-participant coupon-participant recoveryctl
bin=$PWD/build/release/bin

if $once; then
    data=$(mktemp -d "$PWD/build/once.XXXXXX")
    ports=(0 0 0)
else
    data=$PWD/data
    mkdir -p "$data"
    ports=(7070 7071 7072)
fi

pids=()
stop_all() {
    trap - EXIT INT TERM
    trap '' HUP PIPE  # the terminal may be gone: nothing may keep the children from ending
    if [ ${#pids[@]} -gt 0 ]; then
        # The coordinator first: it finishes what runs while the participants still answer.
        for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
        for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    fi
    if $once; then rm -rf "$data"; else say "stopped; the data stays in $data" || true; fi
}
trap stop_all EXIT
trap 'exit 0' INT TERM HUP

start() {  # start PROGRAM ARGUMENTS...: sets url; its files lie where the program's defaults say, below $data
    local name=${1%-participant} program=$1
    shift
    rm -f "$data/$name.address"
    "$bin/$program" --data "$data/$name" --backups "$data/$name-backups" --address-file "$data/$name.address" \
        "$@" 2>"$data/$name.log" &
    local pid=$!
    pids=("$pid" "${pids[@]}")
    for _ in $(seq 200); do
        if [ -s "$data/$name.address" ]; then
            url=http://$(cat "$data/$name.address")
            curl -sf -m 2 "$url/readyz" >/dev/null && return
        fi
        kill -0 "$pid" 2>/dev/null || { cat "$data/$name.log" >&2; fail "$name did not start (see above)"; }
        sleep 0.1
    done
    cat "$data/$name.log" >&2
    fail "$name was not ready within 20 s (see above)"
}

say "starting the three programs, data in $data"
coordinators="{\"main\":\"file:$data/coordinator.address#\"}"
start credit-participant --port "${ports[1]}" --coordinators "$coordinators"
credit=$url
start coupon-participant --port "${ports[2]}" --coordinators "$coordinators"
coupon=$url
start coordinator --port "${ports[0]}" --participants "{
    \"credit\":{\"endpoint\":\"file:$data/credit.address#/v1/branches\",\"batch\":true},
    \"coupon\":{\"endpoint\":\"file:$data/coupon.address#/v1/branches\",\"batch\":true}}"
coordinator=$url
say "coordinator $coordinator   credit $credit   coupon $coupon"

post() { curl -s -m 30 -H 'Content-Type: application/json' -d "$2" "$1"; }
get() { curl -s -m 30 "$1"; }

say "a user with points and a template for coupons (made once, then reused)"
post "$credit/v1/accounts" '{"user_id":"alice","credit_type":"points"}' >/dev/null
post "$credit/v1/accounts/alice/points/grant" \
    '{"amount":1000000,"business_code":"demo","business_id":"welcome"}' | jq -c '{success,idempotent,message}' >&2
post "$coupon/v1/templates" \
    '{"template_id":"spring","name":"Spring sale","stock":1000000,"per_user_limit":0}' | jq -c '{template_id,stock,issued}' >&2

before=$(get "$credit/v1/accounts/alice/points")
say "the account before"
jq -c '{user_id,balance,frozen,available}' <<<"$before" >&2

request=$(jq -n --arg id "exchange-$(date +%s%N)" '{
    business_code: "exchange", business_id: $id,
    branches: [
        {participant: "credit", operation: "deduct_credits",
         payload: {user_id: "alice", credit_type: "points", amount: 100}},
        {participant: "coupon", operation: "create_coupon",
         payload: {template_id: "spring", user_id: "alice"}}]}')
say "the request: POST $coordinator/v1/transactions"
jq . <<<"$request" >&2
answer=$(post "$coordinator/v1/transactions" "$request")
say "the answer"
jq . <<<"$answer" >&2

after=$(get "$credit/v1/accounts/alice/points")
say "the account after"
jq -c '{user_id,balance,frozen,available}' <<<"$after" >&2
gid=$(jq -r '.gid // ""' <<<"$answer")
code=$(jq -r '[.branches[]? | select(.participant == "coupon") | .result.coupon_code][0] // ""' <<<"$answer")
issued=$(get "$coupon/v1/users/alice/coupons?limit=100" | jq -c --arg code "$code" '[.items[] | select(.code == $code)][0]')
say "the coupon"
printf '%s\n' "$issued" >&2

result=$(jq -cn --argjson answer "$answer" --argjson after "$after" --arg gid "$gid" --arg code "$code" \
    '{gid: $gid, state: ($answer.state // "unknown"), balance: $after.balance, frozen: $after.frozen, coupon_code: $code}')
books_agree=$(jq -n --argjson before "$before" --argjson after "$after" --argjson coupon "${issued:-null}" \
    --argjson answer "$answer" '
    $answer.state == "committed" and $after.balance == $before.balance - 100 and
    $after.frozen == 0 and $coupon != null')

if $once; then
    printf '%s\n' "$result"
    [ "$books_agree" = true ] || fail "the books do not agree: a bug, please report it with the output above"
    exit 0
fi
[ "$books_agree" = true ] || printf 'The exchange did not commit as expected; the answer above says why.\n' >&2

cat <<TEXT

All three run. Try:
  curl -s $coordinator/v1/transactions/$gid | jq .
  curl -s '$coordinator/v1/transactions?limit=5' | jq .
  curl -s $credit/v1/accounts/alice/points | jq .
  curl -s $coupon/v1/users/alice/coupons | jq .
  curl -s -H 'Content-Type: application/json' -d '$(jq -c '.business_id = "mine-1"' <<<"$request")' \\
    $coordinator/v1/transactions | jq .
  $bin/recoveryctl --coordinator $coordinator list
Logs: $data/*.log    Ctrl-C stops all three.
TEXT
wait
