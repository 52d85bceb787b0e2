#!/bin/sh
# Print deploy/env.example with a random secret on every empty line.
set -eu
while IFS= read -r line; do
  case $line in
    '#'*) echo "$line" ;;
    *=) echo "$line$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" ;;
    *) echo "$line" ;;
  esac
done <"$(dirname "$0")/env.example"
