#!/usr/bin/env bash
# Installs into an empty folder, and looks whether program, man page and completions are whole.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
make install DESTDIR="$folder" PREFIX=/usr

fail() { echo "install: $*" >&2; exit 1; }
program=$folder/usr/bin/discovery
commands=$("$program" --help | awk '/^SUBCOMMANDS/ { on = 1; next } on && /^  [a-z]/ { print $1 }')
[ "$(wc -w <<<"$commands")" -ge 14 ] || fail "the program names its commands: $commands"

share=$folder/usr/share
bash -c 'source "$1" && complete -p discovery >/dev/null' - \
    "$share/bash-completion/completions/discovery" || fail "bash does not take its completions"
head -1 "$share/zsh/site-functions/_discovery" | grep -q '^#compdef discovery' ||
    fail "zsh would not find its completions"
for command in $commands; do
    grep -q "^\\.It Em $command\$" "$share/man/man1/discovery.1" ||
        fail "the man page does not know $command"
    grep -q "_discovery_${command}()" "$share/bash-completion/completions/discovery" ||
        fail "bash does not complete $command"
    grep -q "case '$command'" "$share/fish/vendor_completions.d/discovery.fish" ||
        fail "fish does not complete $command"
done
echo "install: all is there"
