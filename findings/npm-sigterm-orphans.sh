#!/usr/bin/env bash
# npm 11.19.1: SIGTERM to npm does not end a program that was started by `npm start` or `npx`.
#
# Expected: `npm start & kill $!` ends the program, or at least passes the signal on, as happens if the shell was replaced with `exec`.
# Seen:     npm exits with 143, its shell exits, and the program continues as an orphan with its port, without a signal. It can only notice that its parent process
#           has changed. `npx` behaves the same. (With "start": "exec node …" in package.json the shell is replaced, and the program gets the signal.)
# Output:   npm ended, exit code 143
#           start: the program lives on: yes
#           npm ended, exit code 143
#           start-exec: the program lives on: no
set -euo pipefail
work=$(mktemp -d)
trap 'for file in "$work"/*.pid; do kill -9 "$(cat "$file")" 2>/dev/null || true; done; rm -rf "$work"' EXIT
cd "$work"
cat >package.json <<'JSON'
{ "name": "orphans", "version": "1.0.0", "private": true,
  "scripts": { "start": "node program.js start", "start-exec": "exec node program.js start-exec" } }
JSON
cat >program.js <<'JS'
require('node:fs').writeFileSync(`${process.argv[2]}.pid`, String(process.pid));
setTimeout(() => {}, 30000);
JS
npm install --silent --no-audit --no-fund npm@11.19.1
lives_on() {
  node_modules/.bin/npm run "$1" >/dev/null 2>&1 &
  local npm_pid=$! code=0
  until [ -s "$1.pid" ]; do sleep 0.1; done
  kill -TERM "$npm_pid"
  wait "$npm_pid" || code=$?
  echo "npm ended, exit code $code" >&2
  # Its end is told by the system at once, or never.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    kill -0 "$(cat "$1.pid")" 2>/dev/null || { echo no; return; }
    sleep 0.1
  done
  echo yes
}
plain=$(lives_on start)
echo "start: the program lives on: $plain"
with_exec=$(lives_on start-exec)
echo "start-exec: the program lives on: $with_exec"
[ "$plain" = yes ] && [ "$with_exec" = no ]
