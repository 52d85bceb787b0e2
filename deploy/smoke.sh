#!/bin/sh
# Prove that a running deployment takes a file in, indexes it and finds it again:
#   docker compose up -d --wait && deploy/smoke.sh
set -eu

compose=${COMPOSE:-docker compose}
api=http://$($compose port api 8000 | sed 's/^0\.0\.0\.0:/127.0.0.1:/')
word="smoke$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')"
place=$(mktemp -d)
umask 077

tidy() {
  key=$(sed -n 's/.*"id": *"\([0-9a-f-]*\)".*/\1/p' "$place/key" 2>/dev/null) || true
  test -z "$key" || $compose exec -T api mobius keys revoke "$key" >/dev/null || true
  rm -rf "$place"
}
trap tidy EXIT

fail() {
  echo "smoke: $1" >&2
  exit 1
}

ask() {
  curl --silent --show-error --fail-with-body --max-time 60 --header "@$place/header" "$@"
}

$compose exec -T api mobius keys create --name smoke --json >"$place/key" || fail "no API key was made"
printf 'X-API-Key: %s\n' "$(sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' "$place/key")" >"$place/header"
printf 'def %s(basket):\n    """Reserve every line of a basket or none."""\n    return basket\n' "$word" >"$place/file"

ask --form "files=@$place/file;filename=src/$word.py" --form source=smoke \
  "$api/api/v1/projects/smoke/documents" >"$place/upload" || fail "the upload was refused: $(cat "$place/upload")"
run=$(sed -n 's/.*"run_id": *"\([0-9a-f-]*\)".*/\1/p' "$place/upload")
test -n "$run" || fail "the upload names no run: $(cat "$place/upload")"

patience=60
until ask "$api/api/v1/runs/$run" >"$place/run" && ! grep -qE '"state": *"(planning|running)"' "$place/run"; do
  patience=$((patience - 1))
  test "$patience" -gt 0 || fail "run $run is not done after a minute: $(cat "$place/run")"
  sleep 1
done
grep -q '"state": *"succeeded"' "$place/run" || fail "run $run ended badly: $(cat "$place/run")"

ask --get --data-urlencode "q=$word" "$api/api/v1/projects/smoke/search" >"$place/found" || fail "the search failed"
grep -q "src/$word.py" "$place/found" || fail "the search does not find it: $(cat "$place/found")"
echo "smoke: src/$word.py was taken in by run $run, and is found"
