#!/usr/bin/env bash
# Node 26.9.0 (npm package node 26.9.0) asks the kernel twice for events each time that something comes to an idle loop.
#
# Setup:    an echo server on node:net, and a client that sends one byte, waits for the echo, and sends the next.
# Expected: one epoll_pwait for each byte that comes to an idle server: it sleeps in it, and wakes up with the event.
# Seen:     two: one that does not wait, then one that does. Node measures idle time for performance.eventLoopUtilization() on every loop, and libuv then
#           polls without waiting first, so that it knows when the waiting begins. 2,000 bytes: 4,010 calls. Nothing in Node turns it off.
# Touches:  a broker whose messages come one at a time (docs/decisions/13-handles-without-sockets.md).
# Exit:     0 while the behaviour is as described, 1 when there are fewer than 1.5 calls a byte, 2 if it could not be tried.
set -euo pipefail
dir=$(mktemp -d); trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
pid=
cd "$dir"
command -v cc >/dev/null || { echo "needs a C compiler"; exit 2; }
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node@26.9.0 || { echo "node 26.9.0 could not be installed"; exit 2; }
node=$dir/node_modules/node/bin/node
[ -x "$node" ] || { echo "no program in the package"; exit 2; }
"$node" --version
# Counts the calls that the server makes, and writes the count for each byte that it is sent.
cat > count.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/epoll.h>
#include <stdio.h>
#include <stdlib.h>
static long calls;
int epoll_pwait(int fd, struct epoll_event *events, int most, int timeout, const sigset_t *mask) {
  static int (*real)(int, struct epoll_event *, int, int, const sigset_t *);
  if (!real) real = dlsym(RTLD_NEXT, "epoll_pwait");
  calls++;
  return real(fd, events, most, timeout, mask);
}
__attribute__((destructor)) static void tell(void) {
  FILE *out = fopen(getenv("COUNT_FILE"), "w");
  if (out) { fprintf(out, "%ld\n", calls); fclose(out); }
}
C
cc -shared -fPIC -O2 -o count.so count.c -ldl
cat > server.js <<'JS'
const server = require('node:net').createServer({ noDelay: true }, (socket) => {
  socket.on('data', (data) => socket.write(data));
  socket.on('close', () => server.close());
});
server.listen(0, '127.0.0.1', () => require('node:fs').writeFileSync('port', String(server.address().port)));
JS
COUNT_FILE=$dir/count LD_PRELOAD=$dir/count.so "$node" server.js & pid=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
python3 - "$(cat port)" <<'PY'
import socket, sys, time
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for _ in range(2000):
    s.send(b'x'); s.recv(1)
    time.sleep(0.001)  # the server is idle before the next byte
PY
wait $pid; pid=
calls=$(cat count)
echo "epoll_pwait: $calls calls for 2000 bytes"
[ "$calls" -ge 3000 ] && { echo "as described"; exit 0; }
echo "changed"; exit 1
