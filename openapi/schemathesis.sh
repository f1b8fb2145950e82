#!/usr/bin/env bash
# Asks a running exchange whatever schemathesis makes of the document that it serves: no answer may be
# a 5xx that the document doesn't have, or anything else that it doesn't allow. Once with everything
# open, once with keys on. The same seed every time.
#
#   openapi/schemathesis.sh PROGRAM    the built `shardbook`
#
# Schemathesis is installed from PyPI into target/, once. Where that can't be done nothing is
# checked, and the exit code is 75.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

version=4.32.5
seconds=60 # each of the two runs, at most
not_checked=75

program=$(realpath "${1:?the program to ask is missing}")
tools=${CARGO_TARGET_DIR:-$here/../target}/schemathesis
data=$(mktemp --directory)
server=

finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$data"
}
trap finish EXIT

set_up() {
    [ "$("$tools/bin/st" --version 2>/dev/null)" = "st, version $version" ] && return
    rm -rf "$tools"
    python3 -m venv "$tools" && "$tools/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
}

# serve DATA ARGUMENTS…: starts the exchange on a free port; `address` says where.
serve() {
    local directory=$1
    shift
    [ -z "$server" ] || kill "$server"
    mkdir -p "$directory"
    RUST_LOG=error "$program" serve --listen 127.0.0.1:0 --feed off --data-dir "$directory" "$@" >"$directory/said" &
    server=$!
    until address=$(sed -n 's/^listening on //p' "$directory/said") && [ -n "$address" ]; do
        kill -0 "$server" || exit 1
        sleep 0.1
    done
}

# What it leaves behind goes with the data.
ask() {
    cd "$data"
    "$tools/bin/st" --config-file "$here/schemathesis.toml" run "$address/openapi.json" --seed 1 \
        --max-examples 20 --max-time "$seconds" --continue-on-failure --no-color "$@"
}

set_up || {
    echo "schemathesis could not be installed from PyPI" >&2
    exit "$not_checked"
}
echo "Everything open:"
serve "$data/open"
ask
echo "With keys on, as an administrator whose key it can't revoke:"
key=$("$program" keys create --role admin --data-dir "$data/keys")
serve "$data/keys" --auth on
ask --header "X-API-Key: $key" --exclude-operation-id revoke_key
echo "With keys on, as a stranger:"
seconds=20
ask --phases coverage
