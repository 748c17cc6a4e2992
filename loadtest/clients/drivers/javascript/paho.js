// Paho for JavaScript, which knows WebSocket alone
import { createRequire } from 'node:module';
import { listen, say } from './lines.js';

// Its own store in memory, where it finds no other.
Object.defineProperty(globalThis, 'localStorage', { value: undefined, configurable: true });
const { Client, Message } = createRequire(import.meta.url)('paho-mqtt');

say('features', { levels: [4], transports: ['ws'] });

let client = null;
let port = 0;
let isLeaving = false;

function message(topic, payload, qos, retain) {
  return Object.assign(new Message(payload), { destinationName: topic, qos: Number(qos), retained: retain });
}

function create(clientId) {
  client = new Client('127.0.0.1', port, '/mqtt', clientId);
  client.onConnectionLost = () => say(isLeaving ? 'disconnected' : 'lost');
  client.onMessageDelivered = () => say('published');
  client.onMessageArrived = ({ destinationName, payloadString, qos, retained }) =>
    say('message', { topic: destinationName, payload: payloadString, qos, retain: retained });
}

listen({
  connect({ port: wanted, clientId, isClean, will }) {
    isLeaving = false;
    if (port !== wanted) {
      port = wanted;
      create(clientId);
    }
    client.connect({
      mqttVersion: 4,
      mqttVersionExplicit: true,
      cleanSession: isClean,
      reconnect: false,
      ...(will === null ? {} : { willMessage: message(will.topic, will.payload, will.qos, will.retain) }),
      onSuccess: () => say('connected', { session: null }),
      onFailure: ({ errorMessage }) => say('refused', { reason: errorMessage }),
    });
  },
  subscribe(filter, qos) {
    client.subscribe(filter, {
      qos: Number(qos),
      onSuccess: ({ grantedQos }) => say('subscribed', { granted: grantedQos[0] }),
      onFailure: () => say('subscribed', { granted: 128 }),
    });
  },
  publish(topic, qos, retain, payload) {
    client.send(message(topic, payload, qos, retain === '1'));
  },
  disconnect() {
    isLeaving = true;
    client.disconnect();
  },
});
