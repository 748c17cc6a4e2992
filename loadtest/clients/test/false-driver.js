// A driver that does what it must not, to show that the story tells: false-driver.js twice | forgets | unmarked
import { connect } from 'mqtt';
import { listen, say } from '../drivers/javascript/lines.js';

const fault = process.argv[2];
// Less than the library can do: such steps are shown as missing.
say('features', { levels: [4], transports: ['tcp'], lacks: ['will', 'takeover', 'lost'] });

let client = null;

function show(message) {
  say('message', message);
  if (fault === 'twice') say('message', message);
}

listen({
  connect({ port, clientId, isClean }) {
    client = connect(`mqtt://127.0.0.1:${port}`, {
      protocolVersion: 4,
      clientId,
      clean: fault === 'forgets' || isClean,
      reconnectPeriod: 0,
    });
    client.on('connect', ({ sessionPresent }) => say('connected', { session: sessionPresent }));
    client.on('message', (topic, payload, { qos, retain }) =>
      show({ topic, payload: payload.toString(), qos, retain: fault === 'unmarked' ? false : retain }),
    );
    client.on('close', () => say('lost'));
    client.on('error', () => undefined);
  },
  subscribe(filter, qos) {
    client.subscribe(filter, { qos: Number(qos) }, (_error, granted) => say('subscribed', { granted: granted[0].qos }));
  },
  publish(topic, qos, retain, payload) {
    const options = { qos: Number(qos), retain: retain === '1' };
    client.publish(topic, payload, options, (error) => error || say('published'));
  },
  disconnect() {
    client.end(false, {}, () => say('disconnected'));
  },
});
