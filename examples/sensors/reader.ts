// Reads all sensors, also what they sent while it was away: node reader.ts --help
import { parseArgs } from 'node:util';
import { connect, type IConnackPacket, type IDisconnectPacket, type IPublishPacket } from 'mqtt';

const program = 'reader.ts';
/** The broker keeps the session, and what arrives for it, so long after the connection has ended. */
const sessionSeconds = 7 * 24 * 3600;
/** A sensor sends again what it has not heard an acknowledgement for: at most what one kept while it was away, of some sensors at once. */
const rememberedMax = 100_000;
/** Reason codes that another attempt does not change: protocol, client identifier, password, permission, banned, and another client that has taken this identifier. */
const finalReasons = new Set([0x84, 0x85, 0x86, 0x87, 0x8a, 0x8e]);

const usage = `usage: node reader.ts [--host HOST] [--port PORT] [--id ID] [--group GROUP]
Prints what sensors publish. Or in the environment: MQTT_HOST, MQTT_PORT, READER_ID, READER_GROUP.
Readers with the same GROUP share the readings: each goes to one of them.`;

/** Says what is wrong, and ends: 2 for how it was called, 1 for what the broker says. */
function refuse(text: string, code = 2): never {
  console.error(`${program}: ${text}`);
  process.exit(code);
}

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return Number(text);
  return refuse(`--port must be a whole number from 1 to 65535, not "${text}"`);
}

function readName(option: string, text: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(text)) return text;
  return refuse(`${option} must be 1 to 64 letters, digits, dashes and underscores, not "${text}"`);
}

function parseWords() {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({ options: { host: text, port: text, id: text, group: text, help: { type: 'boolean' } } as const })
      .values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const words = parseWords();
if (words.help) {
  console.log(usage);
  process.exit(0);
}
const { MQTT_HOST, MQTT_PORT, READER_ID, READER_GROUP } = process.env;
const host = words.host ?? MQTT_HOST ?? '127.0.0.1';
const port = readPort(words.port ?? MQTT_PORT ?? '1883');
const id = readName('--id', words.id ?? READER_ID ?? 'reader');
const groupName = words.group ?? READER_GROUP;
const group = groupName === undefined ? null : readName('--group', groupName);
const readings = group === null ? 'sensors/+/temperature' : `$share/${group}/sensors/+/temperature`;

/** Readings that were printed, the latest of them. In memory: whoever stores readings makes `sensor, run, number` the key instead. */
const printed = new Set<string>();

function isRepeated(key: string): boolean {
  if (printed.has(key)) return true;
  printed.add(key);
  if (printed.size > rememberedMax) {
    for (const oldest of printed) {
      printed.delete(oldest);
      break;
    }
  }
  return false;
}

/** Reading that a sensor sends, or null: anybody may publish anything. */
function readReading(payload: string): { run: number; number: number; celsius: number; at: string } | null {
  try {
    const { run, number, celsius, at } = JSON.parse(payload);
    const isReading =
      Number.isInteger(run) && Number.isInteger(number) && Number.isFinite(celsius) && typeof at === 'string';
    return isReading ? { run, number, celsius, at } : null;
  } catch {
    return null;
  }
}

function print({ topic, payload, properties }: IPublishPacket): void {
  const [, sensor, what] = topic.split('/');
  const text = payload.toString();
  if (what === 'status') {
    console.log(`${sensor} is ${text}`);
    return;
  }
  const reading = readReading(text);
  if (reading === null) {
    console.log(`${topic} is no reading: ${JSON.stringify(text.slice(0, 100))}`);
    return;
  }
  const { run, number, celsius, at } = reading;
  const again = isRepeated(`${sensor}/${run}/${number}`) ? ' (again)' : '';
  // As it was when the broker sent it: what is left of the sensor's hour.
  const left = properties?.messageExpiryInterval;
  console.log(`${sensor} ${number}: ${celsius.toFixed(2)} °C at ${at}, good for ${left ?? '∞'} s${again}`);
}

const client = connect({
  protocol: 'mqtt',
  host,
  port,
  protocolVersion: 5,
  clientId: id,
  clean: false,
  properties: { sessionExpiryInterval: sessionSeconds },
  reconnectOnConnackError: true,
  // Subscriptions are part of the session; it subscribes itself, below.
  resubscribe: false,
});
let isAway = false;

// Called for each message, and PUBACK is sent after `done`: here, what has been printed is acknowledged, and what has not been comes again.
client.handleMessage = (packet, done) => {
  print(packet);
  done();
};
client.on('connect', async ({ sessionPresent }: IConnackPacket) => {
  isAway = false;
  console.log(`connected to ${host}:${port}; ${sessionPresent ? 'the session was kept' : 'a new session'}`);
  // Retain Handling 1: retained messages come with a new subscription, not each time. Without a session the subscription is new.
  try {
    const granted = await client.subscribeAsync({
      [readings]: { qos: 1, rh: 1 },
      'sensors/+/status': { qos: 1, rh: 1 },
    });
    console.log(`reading ${granted.map(({ topic }) => topic).join(' and ')}`);
  } catch (error) {
    // It may have been the connection that went; then this is done again with the next.
    if (client.connected) refuse(`${host}:${port}: ${(error as Error).message}`, 1);
  }
});
client.on('error', (error: Error & { code?: number | string }) => {
  if (typeof error.code === 'number' && finalReasons.has(error.code)) refuse(`${host}:${port}: ${error.message}`, 1);
  sayAway(error.message || String(error.code));
});
client.on('disconnect', ({ reasonCode = 0 }: IDisconnectPacket) => {
  const reason = `the broker said 0x${reasonCode.toString(16).padStart(2, '0')}`;
  if (finalReasons.has(reasonCode)) refuse(`${host}:${port}: ${reason}`, 1);
  sayAway(reason);
});
client.on('close', () => sayAway('it was closed'));

function sayAway(why: string): void {
  if (isAway || client.disconnecting) return;
  isAway = true;
  console.log(`no connection to ${host}:${port} (${why})`);
}

/** Leaves, with DISCONNECT if there is a connection; the session stays. */
function end(): void {
  client.end(!client.connected, () => process.exit(0));
}
process.on('SIGINT', end);
process.on('SIGTERM', end);
