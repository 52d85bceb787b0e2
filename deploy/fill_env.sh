#!/bin/sh
# Write .env beside docker-compose.yml: deploy/env.example with a random secret on every empty line.
set -eu
here=$(dirname "$0")
env=$here/../.env
umask 077
if [ -e "$env" ]; then
  echo "fill_env: .env is there already, and the volumes know its passwords: edit it, or move it away" >&2
  exit 1
fi
while IFS= read -r line; do
  case $line in
    '#'*) echo "$line" ;;
    *=) echo "$line$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) echo "$line" ;;
  esac
done <"$here/env.example" >"$env.new"
mv "$env.new" "$env"
