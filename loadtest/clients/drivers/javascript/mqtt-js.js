// MQTT.js
import { connect } from 'mqtt';
import { listen, say } from './lines.js';

say('features', { levels: [4, 5], transports: ['tcp', 'ws'] });

let client = null;
let isConnected = false;

function open({ transport, port, level, clientId, isClean, will }) {
  client = connect(`${transport}://127.0.0.1:${port}${transport === 'ws' ? '/mqtt' : ''}`, {
    protocolVersion: level,
    clientId,
    clean: isClean,
    properties: level === 5 && !isClean ? { sessionExpiryInterval: 3600 } : undefined,
    will: will === null ? undefined : will,
    reconnectPeriod: 0,
  });
  client.on('connect', ({ sessionPresent }) => {
    isConnected = true;
    say('connected', { session: sessionPresent });
  });
  client.on('message', (topic, payload, { qos, retain }) =>
    say('message', { topic, payload: payload.toString(), qos, retain }),
  );
  client.on('close', () => {
    isConnected = false;
    say('lost');
  });
  // Also emitted for a connection that is reset, which 'close' tells.
  client.on('error', (error) => isConnected || say('refused', { reason: error.message }));
}

listen({
  connect(connecting) {
    if (client === null) return open(connecting);
    client.options.port = connecting.port;
    // Without its stores, `reconnect` begins with new ones, and what was under way is gone.
    const { incomingStore, outgoingStore } = client;
    client.reconnect({ incomingStore, outgoingStore });
  },
  subscribe(filter, qos) {
    client.subscribe(filter, { qos: Number(qos) }, (error, granted) =>
      say('subscribed', { granted: error ? 128 : granted[0].qos }),
    );
  },
  publish(topic, qos, retain, payload) {
    client.publish(topic, payload, { qos: Number(qos), retain: retain === '1' }, (error) =>
      error ? say('failed', { reason: error.message }) : say('published'),
    );
  },
  disconnect() {
    client.end(false, {}, () => say('disconnected'));
  },
});
