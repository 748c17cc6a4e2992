#!/usr/bin/env bash
# MQTT.js 5.16.0 (npm mqtt), MQTT 5, a QoS 2 publish whose connection is lost when the broker has handled PUBREL and its PUBCOMP is on the way.
# Expected: PUBREL again on the resumed session (session present 1), and PUBCOMP with 0x92 ends the publish: MQTT 5, 3.7.2.1, has 0x92 as no error while a session recovers.
# Seen: PUBREL is sent again, and the callback of the publish gets "Publish error: Packet Identifier not found": a program that publishes again sends it twice.
# Exits 0 while it is so, 1 when the publish succeeds, 2 when it could not be tried.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund mqtt@5.16.0 || exit 2
cat > try.js <<'JS'
const { createServer } = require('node:net');
const mqtt = require('mqtt');
const packets = require('mqtt-packet');

setTimeout(() => process.exit(2), 20_000);
let connections = 0;
// As much of a broker as this needs: it loses the first connection in place of PUBCOMP, and knows of nothing at the second.
const server = createServer((socket) => {
  const number = ++connections;
  const answer = (packet) => socket.write(packets.generate(packet, { protocolVersion: 5 }));
  const parser = packets.parser({ protocolVersion: 5 });
  parser.on('packet', ({ cmd, messageId }) => {
    console.log(`connection ${number}: ${cmd}`);
    if (cmd === 'connect') answer({ cmd: 'connack', reasonCode: 0, sessionPresent: number > 1 });
    else if (cmd === 'publish') answer({ cmd: 'pubrec', messageId, reasonCode: 0 });
    else if (cmd === 'pubrel' && number === 1) socket.destroy();
    else if (cmd === 'pubrel') answer({ cmd: 'pubcomp', messageId, reasonCode: 0x92 });
  });
  socket.on('data', (chunk) => parser.parse(chunk));
  socket.on('error', () => undefined);
});
server.listen(0, '127.0.0.1', () => {
  const client = mqtt.connect(`mqtt://127.0.0.1:${server.address().port}`, {
    protocolVersion: 5,
    clientId: 'one',
    clean: false,
    properties: { sessionExpiryInterval: 3600 },
    reconnectPeriod: 100,
  });
  client.publish('a', 'once', { qos: 2 }, (error) => {
    console.log(`callback: ${error ? error.message : 'published'}`);
    process.exit(error && /Packet Identifier not found/.test(error.message) ? 0 : 1);
  });
});
JS
node try.js
