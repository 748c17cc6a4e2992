#!/usr/bin/env bash
# Mosquitto 2.0.11 (Debian 12: mosquitto 2.0.11-1.2+deb12u2, or the version that apt installs) as a bridge sends a Receive Maximum of 0.
#
# Setup:    `bridge_protocol_version mqttv50` together with `max_inflight_messages 0`, which its manual explains as "no limit".
# Expected: a CONNECT without Receive Maximum, or with 65535. MQTT 5, 3.1.2.11.3: "It is a Protocol Error to include the Receive Maximum value ... or for it to have the value 0."
# Seen:     the CONNECT contains property 0x21 with the value 0 (21 00 00). A broker that checks it refuses the bridge with 0x82, and Mosquitto retries endlessly.
# Exit:     0 while the behaviour is as described, 1 if the property is missing or not 0, 2 if it could not be tried.
set -euo pipefail
dir=$(mktemp -d); trap 'kill $pid $server 2>/dev/null || true; rm -rf "$dir"' EXIT
pid=; server=
cd "$dir"
if apt-get download "mosquitto=2.0.11*" >/dev/null 2>&1; then dpkg -x mosquitto_*.deb . ; fi
mosquitto=$dir/usr/sbin/mosquitto; [ -x "$mosquitto" ] || mosquitto=$(command -v mosquitto || echo /usr/sbin/mosquitto)
"$mosquitto" -h | head -1 || true
cat > listen.py <<'PY'
import socket, sys
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(1)
open('port', 'w').write(str(s.getsockname()[1]))
s.settimeout(20)
c, _ = s.accept(); c.settimeout(5)
open('connect.hex', 'w').write(c.recv(4096).hex())
PY
python3 listen.py & server=$!
for _ in $(seq 50); do [ -s port ] && break; sleep 0.1; done
free=$(python3 -c "import socket; s=socket.socket(); s.bind(('127.0.0.1',0)); print(s.getsockname()[1])")
cat > m.conf <<CONF
listener $free 127.0.0.1
allow_anonymous true
$( [ "$(id -u)" = 0 ] && echo 'user root' )
max_inflight_messages 0
connection b
address 127.0.0.1:$(cat port)
bridge_protocol_version mqttv50
notifications false
topic x both 1
CONF
"$mosquitto" -c m.conf >/dev/null 2>&1 & pid=$!
wait $server || { echo "no CONNECT came"; exit 2; }
server=
hex=$(cat connect.hex); echo "CONNECT: $hex"
# Fixed header (2), protocol name and level (7), flags, keep alive (3), length of properties, properties.
properties=${hex:24:$((2 * 16#${hex:24:2} + 2))}
case "$properties" in
  *210000*) echo "Receive Maximum 0: as described"; exit 0 ;;
  *) echo "properties $properties: changed"; exit 1 ;;
esac
