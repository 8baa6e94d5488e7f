#!/usr/bin/env bash
# Runs the five nodes of this folder until Ctrl-C: config/cluster/run.sh PROGRAM
set -eu

program=${1:?usage: run.sh PROGRAM, where PROGRAM is the built discovery}
folder=$(cd "$(dirname "$0")" && pwd)
logs=$(mktemp -d)
# The nodes that run, by their ids: never signal one that has ended, its id may be another's.
declare -A running=()

# Ends what this script has started. A node takes its leave of the others first.
stop() {
    trap '' INT TERM
    for id in "${!running[@]}"; do kill -TERM "$id" 2>/dev/null || true; done
    for id in "${!running[@]}"; do wait "$id" || true; done
}

# A node that does not come up: shows why, and ends the others.
fail() {
    echo "${running[$1]} has ended; its log ends with" >&2
    tail -n 5 "$logs/${running[$1]}.log" >&2
    unset "running[$1]"
    stop
    exit 1
}

# The address behind a key of a node's file.
value() { sed -n "s/^$2 = \"\(.*\)\"/\1/p" "$folder/$1.toml"; }

trap 'echo; echo stopping; stop; echo "stopped; the logs are in $logs"; exit 0' INT TERM

for name in node1 node2 node3 node4 node5; do
    "$program" serve --config "$folder/$name.toml" 2>"$logs/$name.log" &
    running[$!]=$name
done

# They serve once they have heard each other; join_seconds is the most that may take.
for id in "${!running[@]}"; do
    until grep -q 'listening on' "$logs/${running[$id]}.log"; do
        kill -0 "$id" 2>/dev/null || fail "$id"
        sleep 0.1
    done
done

layout='%-6s %-6s %-8s %-32s %s\n'
printf "$layout" node zone process serves metrics
for id in "${!running[@]}"; do
    name=${running[$id]}
    printf "$layout" "$name" "$(value "$name" zone)" "$id" \
        "http://$(value "$name" addr)/discovery" "http://$(value "$name" listen)/metrics"
done | sort
echo "logs: $logs"
echo "Ctrl-C stops all five; kill with the id of its process stops one."

# Nodes that end are told of, because to stop some is what a cluster is tried for. The script ends
# with the last one.
while [ ${#running[@]} -gt 0 ]; do
    code=0
    wait -n -p id "${!running[@]}" 2>/dev/null || code=$?
    echo "${running[$id]} has ended with $code"
    unset "running[$id]"
done
