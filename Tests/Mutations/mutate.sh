#!/usr/bin/env bash
# Breaks the core on purpose, one way at a time, and shows which checker of the simulator finds it.
# Fails if a mutation survives. Arguments: names of mutations, without them all. SEEDS: how many
# clusters each may take.
#
# A mutation is a file beside this one: what it breaks, the file it changes, the text to replace and
# its replacement. It is applied to a copy, and must fit exactly once.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
seeds=${SEEDS:-20000}
scratch=${SCRATCH:-$root/.build-mutations}
swift=${SWIFT:-swift}

names=("$@")
if [ ${#names[@]} = 0 ]; then
    for path in "$here"/*.txt; do names+=("$(basename "$path" .txt)"); done
fi

mkdir -p "$scratch/tree"
# Only what differs is copied, so that the next build is a small one.
for path in Package.swift Sources Tests bench; do
    (cd "$root" && find "$path" -type f) | while read -r file; do
        if ! cmp -s "$root/$file" "$scratch/tree/$file"; then
            mkdir -p "$(dirname "$scratch/tree/$file")"
            cp "$root/$file" "$scratch/tree/$file"
        fi
    done
done
[ ! -e "$root/Package.resolved" ] || cp "$root/Package.resolved" "$scratch/tree/"
# And what is gone is gone from the copy.
(cd "$scratch/tree" && find Sources Tests bench -type f) | while read -r file; do
    [ -e "$root/$file" ] || rm "$scratch/tree/$file"
done

build() {
    "$swift" build -c release --product simulate --package-path "$scratch/tree" \
        --scratch-path "$scratch/build" >"$scratch/build.log" 2>&1
}

# The text after a line that says `=== NAME`, up to the next one.
section() { awk -v name="=== $2" '/^=== / { on = $0 == name; next } on' "$1"; }

# Applies the mutation to the copy; its text must be there exactly once.
mutate() {
    local file=$1 old=$2 new=$3 text rest
    text=$(cat "$file" && printf x)
    rest=${text#*"$old"}
    if [ "$rest" = "$text" ] || [ "${rest#*"$old"}" != "$rest" ]; then return 1; fi
    printf %s "${text%%"$old"*}$new${rest%x}" >"$file"
}

# The seeds count from 1: the seed that found it is how many it took.
line() { printf '%-24s %-18s %8s  %s\n' "$@"; }
line mutation 'caught by' seed 'what it breaks'
survivors=0
for name in "${names[@]}"; do
    mutation=$here/$name.txt
    what=$(sed -n 1p "$mutation")
    file=$(sed -n 2p "$mutation")
    cp "$scratch/tree/$file" "$scratch/whole"
    if ! mutate "$scratch/tree/$file" "$(section "$mutation" is)" \
        "$(section "$mutation" becomes)"; then
        echo "$name: the text it replaces is not in $file, or more than once" >&2
        exit 2
    fi
    if ! build; then
        cat "$scratch/build.log" >&2
        echo "$name: does not compile" >&2
        exit 2
    fi
    cp "$scratch/whole" "$scratch/tree/$file"
    result=$("$scratch/build/release/simulate" --seeds "$seeds" --lines 0 --announce \
        2>/dev/null || true)
    checker=$(sed -n 's/^\([a-z-]*\), [0-9.]* s after the start: .*/\1/p' <<<"$result" | head -1)
    seed=$(sed -n 's/^seed \([0-9]*\)$/\1/p' <<<"$result" | tail -1)
    # Without it no world ran, and nothing was caught.
    if [ -z "$seed" ]; then
        echo "$name: the simulator did not run" >&2
        exit 2
    fi
    if grep -q ' 0 failed' <<<"$result"; then
        survivors=$((survivors + 1))
        line "$name" SURVIVED "$seeds" "$what"
    else
        # No checker: the process ended in one of the core's own preconditions.
        line "$name" "${checker:-a precondition}" "$seed" "$what"
    fi
done
[ "$survivors" = 0 ] || { echo "$survivors mutations survived" >&2; exit 1; }
