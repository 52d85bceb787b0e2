#!/usr/bin/env bash
# What `make ingest` shows: ingest, search, and what to try next. The stack is up when this runs.
set -euo pipefail
cd "$(dirname "$0")/.."
directory="${1:-}"
mobius=.venv/bin/mobius

if [ -n "$directory" ]; then
  echo "==> ingesting $directory with the lexical embedder; nothing leaves this machine"
  status=0
  $mobius ingest "$directory" || status=$?
  # 3: some documents failed and were named; the rest can be searched all the same.
  [ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"
  query="how are errors handled"
  echo "==> searching: $query"
else
  echo "==> ingesting examples/ and this project's own sources with the lexical embedder; nothing leaves this machine"
  $mobius ingest . --source mobius-ingest
  query="reserve every line of a basket or none"
  echo "==> searching: $query"
fi
$mobius search "$query" -k 3

# Without the masked login in it: a browser would try that as the password.
flower=$($mobius status --json | .venv/bin/python -c '
import json, sys
print(next((child["url"].replace("mobius:***@", "") for child in json.load(sys.stdin) if child["name"] == "flower"), "not running"))')

echo
echo "==> next, to try"
if [ -n "$directory" ]; then
  cat <<NEXT
  a search of your own        $mobius search "QUERY"
  an edit, seen by search     change a file; $mobius ingest "$directory"
  where one file is           $mobius why "$directory/FILE"
NEXT
else
  cat <<NEXT
  a search of your own        $mobius search "when is a product bought again"
  an edit, seen by search     echo "// a gift wrap costs two euros" >> examples/shop/shipping.js
                              $mobius ingest examples/shop/shipping.js && $mobius search "gift wrap" -k 1
  where one file is           $mobius why examples/shop/orders.ts
NEXT
fi
cat <<NEXT
  all runs; one run           $mobius runs; $mobius runs RUN_ID
  what is running             $mobius status
  the workers, in Flower      $flower
                              user mobius, password: "flower" in .mobius/secrets.json
  stop; stop and delete all   make down; make clean
NEXT
