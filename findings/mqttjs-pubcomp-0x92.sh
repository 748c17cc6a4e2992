#!/usr/bin/env bash
# MQTT.js 5.16.0 (npm mqtt) with MQTT 5 reports a QoS 2 publish as failed although the message has been delivered.
#
# Setup:    a QoS 2 publish whose connection is lost after the broker has handled PUBREL and before PUBCOMP arrives.
# Expected: PUBREL is repeated on the resumed session (session present 1), and PUBCOMP with 0x92 completes the publish: in MQTT 5, 3.7.2.1, 0x92 is not an error during recovery.
# Seen:     PUBREL is repeated, and the callback of the publish gets "Publish error: Packet Identifier not found". A program that then publishes again sends the message twice.
# Exit:     0 while the behaviour is as described, 1 if the publish succeeds, 2 if it could not be tried.
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
