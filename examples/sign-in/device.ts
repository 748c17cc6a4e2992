// A device that signs in with a token, with MQTT.js: DEVICE_UUID=… DEVICE_SECRET=… node device.ts [HOST [PORT]]
import { connect } from 'mqtt';

const intervalMilliseconds = 1_000;
const keepAliveSeconds = 30;
/**
 * Pause between two attempts to connect. Not the same for each device, or a thousand of them would come back in the
 * same moment.
 */
const reconnectMilliseconds = 1_000 + Math.floor(Math.random() * 1_000);
/**
 * Reason codes that another attempt with the same token does not change: password, permission (also a token that was revoked), banned, and another client that has taken
 * this identifier. Any other passes, such as 0x88: the broker cannot ask Redis now.
 */
const finalReasons = new Set([0x86, 0x87, 0x8a, 0x8e]);

function refuse(text: string): never {
  console.error(`device.ts: ${text}`);
  process.exit(1);
}

function fromEnvironment(name: string): string {
  // Not from arguments, which every user of the machine can see.
  return process.env[name] ?? refuse(`set ${name}; \`dunlin token add\` prints both`);
}

const uuid = fromEnvironment('DEVICE_UUID');
const secret = fromEnvironment('DEVICE_SECRET');
const [host = '127.0.0.1', portText = '1883'] = process.argv.slice(2);
const port = Number(portText);
if (!/^\d{1,5}$/.test(portText) || port < 1 || port > 65_535)
  refuse(`PORT must be a whole number from 1 to 65535, not "${portText}"`);
const clientId = `typescript-${uuid.slice(0, 8)}`;

const client = connect({
  protocol: 'mqtt',
  host,
  port,
  protocolVersion: 5,
  clientId,
  username: uuid,
  password: secret,
  keepalive: keepAliveSeconds,
  reconnectPeriod: reconnectMilliseconds,
  reconnectOnConnackError: true,
  resubscribe: false,
});

function refused(reason: number | string | undefined, text: string): void {
  console.log(`the broker said: ${text}`);
  if (typeof reason !== 'number' || !finalReasons.has(reason)) return;
  client.end(true);
  process.exit(1);
}

client.on('connect', () => {
  console.log(`signed in as ${uuid}`);
  client.subscribe(`devices/${uuid}/commands/${clientId}`, { qos: 1 }, (error) => {
    console.log(error ? `no commands: ${error.message}` : 'commands come');
  });
});
client.on('error', (error: Error & { code?: number | string }) => {
  if (typeof error.code === 'number') refused(error.code, error.message);
});
client.on('disconnect', ({ reasonCode = 0 }) => refused(reasonCode, `0x${reasonCode.toString(16).padStart(2, '0')}`));
client.on('message', (_topic, payload) => console.log(`command: ${payload}`));

let published = 0;
setInterval(() => {
  // Only what is new: this device does not keep its state while it is not connected. ../sensors shows how.
  if (!client.connected) return;
  const number = ++published;
  client.publish(`devices/${uuid}/state/typescript`, 'running', { qos: 1 }, (error) => {
    console.log(`state ${number} ${error ? `not taken: ${error.message}` : 'taken'}`);
  });
}, intervalMilliseconds);

function end(): void {
  client.end(!client.connected, () => process.exit(0));
}
process.on('SIGINT', end);
process.on('SIGTERM', end);
