#!/bin/sh
# Run the tests; without arguments all of them, in two processes side by side that take about as long.
#   sh tests/run.sh "COMMAND THAT IS PYTEST" [ARGUMENTS OF PYTEST]
set -u
pytest=$1
shift
if [ $# -gt 0 ]; then
  exec $pytest "$@"
fi
kept=$(mktemp)
$pytest tests/infra tests/posture tests/cli tests/delivery tests/hosted tests/store >"$kept" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null; rm -f "$kept"; exit 130' INT TERM
$pytest tests --ignore=tests/infra --ignore=tests/posture --ignore=tests/cli --ignore=tests/delivery \
  --ignore=tests/hosted --ignore=tests/store
here=$?
wait "$beside"
there=$?
cat "$kept"
rm -f "$kept"
[ "$here" -eq 0 ] && [ "$there" -eq 0 ]
