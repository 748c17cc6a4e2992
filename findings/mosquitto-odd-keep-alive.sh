#!/usr/bin/env bash
# Mosquitto 2.0.11 (Debian 12: mosquitto 2.0.11-1.2+deb12u2, or the version that apt installs) ends clients with an odd keep alive too early.
#
# Setup:    sixty clients with a keep alive of 1 second, connected a tenth of a second after each other, which then say nothing.
# Expected: each is closed once it was silent for more than 1.5 seconds. MQTT 3.1.1, 3.1.2.10: "within one and a half times the Keep Alive time period".
# Seen:     silence is looked for every five seconds and counted in whole ones, and one and a half of an odd number is rounded down: with 1 second the first are
#           closed after 1.0 to 1.4 seconds of silence, the last after 7. With a keep alive of 2 none has less than its 3 seconds.
# Exit:     0 while the behaviour is as described, 1 if no client with a keep alive of 1 is closed before 1.45 s, or one with 2 is before 2.95 s; 2 if it could not be tried.
set -euo pipefail
dir=$(mktemp -d); trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
pid=
cd "$dir"
if apt-get download "mosquitto=2.0.11*" >/dev/null 2>&1; then dpkg -x mosquitto_*.deb . ; fi
mosquitto=$dir/usr/sbin/mosquitto; [ -x "$mosquitto" ] || mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
"$mosquitto" -h | head -1 || true
port=$(python3 -c "import socket; s=socket.socket(); s.bind(('127.0.0.1',0)); print(s.getsockname()[1])")
cat > m.conf <<CONF
listener $port 127.0.0.1
allow_anonymous true
$( [ "$(id -u)" = 0 ] && echo 'user root' )
CONF
"$mosquitto" -c m.conf >/dev/null 2>&1 & pid=$!
cat > silent.py <<'PY'
import socket, sys, threading, time
port, keep_alive = int(sys.argv[1]), int(sys.argv[2])
silences = []
def client(number):
    time.sleep(number / 10)
    s = socket.create_connection(('127.0.0.1', port)); s.settimeout(20)
    name = b'k%d' % number
    body = b'\x00\x04MQTT\x04\x02' + keep_alive.to_bytes(2, 'big') + len(name).to_bytes(2, 'big') + name
    s.sendall(b'\x10' + bytes([len(body)]) + body)
    started = time.monotonic()
    assert s.recv(4) == b'\x20\x02\x00\x00'
    while s.recv(4096): pass
    silences.append(time.monotonic() - started)
threads = [threading.Thread(target=client, args=(n,)) for n in range(60)]
for t in threads: t.start()
for t in threads: t.join()
silences.sort()
print('keep alive %d: the first is closed after %.2f s, the last after %.2f s' % (keep_alive, silences[0], silences[-1]), file=sys.stderr)
print('%.2f' % min(silences))
PY
for _ in $(seq 50); do python3 -c "import socket; socket.create_connection(('127.0.0.1',$port))" 2>/dev/null && break; sleep 0.1; done
odd=$(python3 silent.py "$port" 1) || exit 2
even=$(python3 silent.py "$port" 2) || exit 2
python3 -c "import sys; sys.exit(0 if $odd < 1.45 and $even >= 2.95 else 1)" && { echo "as described"; exit 0; }
echo "changed"; exit 1
