#!/bin/sh
# Run the tests; without arguments all of them, in three processes at a time: two cores have enough to
# do while one of them waits. Each says what came of it when it ends.
#   sh tests/run.sh "COMMAND THAT IS PYTEST" [ARGUMENTS OF PYTEST]
set -u
pytest=$1
shift
if [ $# -gt 0 ]; then
  exec $pytest "$@"
fi
# Together stays what shares what it builds. What takes longest begins first, so that nothing long is
# left to run alone; last is whatever is not named, so that nothing is left out.
set -- "tests/posture tests/cli" "tests/delivery" "tests/infra" "tests/browser" \
  "tests/local tests/jobs tests/terminal" "tests/docs tests/clients" "tests/edge" "tests/store" \
  "tests/hosted tests/audit tests/functions"
rest=tests
for folder in $*; do
  rest="$rest --ignore=$folder"
done
echo "Running the tests, three processes at a time …"
printf '%s\0' "$@" "$rest" | PYTEST=$pytest xargs -0 -n 1 -P 3 sh -c '
  kept=$(mktemp)
  trap "exit 130" INT TERM
  trap "rm -f \"$kept\"" EXIT
  $PYTEST $1 >"$kept" 2>&1
  code=$?
  printf "\n%s\n" "$1"
  cat "$kept"
  exit "$code"' sh
