// A temperature sensor with MQTT.js: node sensor.ts --help
import { parseArgs } from 'node:util';
import { connect, type IDisconnectPacket, type MqttClient } from 'mqtt';

const program = 'sensor.ts';
/** Keep alive: after one and a half times this without a packet from the sensor the broker publishes the will. */
const keepAliveSeconds = 30;
/**
 * Expiry of messages: one that waits in the broker longer than this for a reader that is away is not worth reading any
 * more.
 */
const expirySeconds = 3600;
/** Messages kept while the connection is away: 14 hours of one every 5 seconds, some 10 MB. A packet identifier has 16 bits, so 65,535 is the most. */
const waitingMax = 10_000;
/** Time that the end waits for acknowledgements. Supervisors kill after 10 seconds (Docker) or 90 (systemd). */
const endMilliseconds = 5_000;
/**
 * Pause between two attempts to connect. Not the same for each sensor, or a thousand of them would come back in the
 * same moment.
 */
const reconnectMilliseconds = 1_000 + Math.floor(Math.random() * 1_000);
/** Reason codes that another attempt does not change: protocol, client identifier, password, permission, banned, and another client that has taken this identifier. */
const finalReasons = new Set([0x84, 0x85, 0x86, 0x87, 0x8a, 0x8e]);

const usage = `usage: node sensor.ts [--host HOST] [--port PORT] [--id ID] [--interval SECONDS] [--count COUNT]
Publishes temperatures. Or in the environment: MQTT_HOST, MQTT_PORT, SENSOR_ID, SENSOR_INTERVAL, SENSOR_COUNT.
COUNT 0: until it is stopped.`;

/** Says what is wrong with how it was called, and ends. */
function refuse(text: string): never {
  console.error(`${program}: ${text}`);
  process.exit(2);
}

function readNumber(option: string, text: string, low: number, high: number, isWhole = true): number {
  const value = Number(text);
  const pattern = isWhole ? /^\d{1,9}$/ : /^\d{1,9}(\.\d{1,9})?$/;
  if (pattern.test(text) && value >= low && value <= high) return value;
  return refuse(`${option} must be ${isWhole ? 'a whole number' : 'a number'} from ${low} to ${high}, not "${text}"`);
}

/** Reads the identifier, which becomes a level of a topic, where + # and / would mean something else. */
function readId(text: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(text)) return text;
  return refuse(`--id must be 1 to 64 letters, digits, dashes and underscores, not "${text}"`);
}

function parseWords() {
  const text = { type: 'string' } as const;
  try {
    const options = {
      host: text,
      port: text,
      id: text,
      interval: text,
      count: text,
      help: { type: 'boolean' },
    } as const;
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** Arguments come before the environment, the environment before the defaults. */
function readSettings() {
  const words = parseWords();
  if (words.help) {
    console.log(usage);
    process.exit(0);
  }
  const { MQTT_HOST, MQTT_PORT, SENSOR_ID, SENSOR_INTERVAL, SENSOR_COUNT } = process.env;
  return {
    host: words.host ?? MQTT_HOST ?? '127.0.0.1',
    port: readNumber('--port', words.port ?? MQTT_PORT ?? '1883', 1, 65_535),
    id: readId(words.id ?? SENSOR_ID ?? 'typescript'),
    intervalMilliseconds:
      1000 * readNumber('--interval', words.interval ?? SENSOR_INTERVAL ?? '5', 0.01, 86_400, false),
    count: readNumber('--count', words.count ?? SENSOR_COUNT ?? '0', 0, 999_999_999),
  };
}

const settings = readSettings();
const broker = `${settings.host}:${settings.port}`;
const topic = `sensors/${settings.id}/temperature`;
const statusTopic = `sensors/${settings.id}/status`;
/** Names this run, so that readers can tell a reading that comes again from one of the next run. */
const run = Date.now();
/** Messages that the broker has not acknowledged yet. */
let waiting = 0;
let taken = 0;
let celsius = 20;
let isEnding = false;
let nextReading: NodeJS.Timeout | undefined;
/** Callback for when nothing waits any more. */
let allAcknowledged: () => void = () => {};

// MQTT.js keeps what was published with QoS 1 and not acknowledged, connected or not, in its `outgoingStore`, and sends it (again) after each connect. In memory:
// it ends with the process, unless another store is given.
const client: MqttClient = connect({
  protocol: 'mqtt',
  host: settings.host,
  port: settings.port,
  protocolVersion: 5,
  clientId: `sensor-${settings.id}`,
  keepalive: keepAliveSeconds,
  will: { topic: statusTopic, payload: Buffer.from('offline'), qos: 1, retain: true },
  reconnectPeriod: reconnectMilliseconds,
  // Otherwise a broker that is busy for a moment (0x89) would be the end.
  reconnectOnConnackError: true,
});
let isAway = false;
/** `online` was published since the connection is there. */
let isAnnounced = false;
client.on('connect', () => {
  isAway = false;
  isAnnounced = true;
  console.log(`connected to ${broker}`);
  publish(statusTopic, 'online', { retain: true });
});
client.on('error', (error: Error & { code?: number | string }) => {
  if (typeof error.code === 'number' && finalReasons.has(error.code)) return fail(error.message);
  sayAway(error.message || String(error.code));
});
client.on('disconnect', ({ reasonCode = 0 }: IDisconnectPacket) => {
  const reason = `the broker said 0x${reasonCode.toString(16).padStart(2, '0')}`;
  if (finalReasons.has(reasonCode)) return fail(reason);
  sayAway(reason);
});
client.on('close', () => {
  isAnnounced = false;
  sayAway('it was closed');
});

/** Says once for each time that the connection goes away. */
function sayAway(why: string): void {
  if (isAway || isEnding) return;
  isAway = true;
  console.log(`no connection to ${broker} (${why}); readings wait`);
}

function publish(to: string, payload: string, options: Parameters<MqttClient['publishAsync']>[2] = {}): boolean {
  if (waiting === waitingMax) return false;
  waiting += 1;
  client.publish(to, payload, { ...options, qos: 1 }, (error) => {
    waiting -= 1;
    // For instance 0x87, not authorized: the broker has thrown it away.
    if (error && !isEnding) console.error(`${program}: the broker did not take a message: ${error.message}`);
    if (isDone()) allAcknowledged();
  });
  return true;
}

/** Stands for the hardware. */
function measure(): number {
  celsius += Math.random() * 0.2 - 0.1;
  return Math.round(celsius * 100) / 100;
}

function publishReading(): void {
  taken += 1;
  const reading = { run, number: taken, celsius: measure(), at: new Date().toISOString() };
  const properties = {
    contentType: 'application/json',
    payloadFormatIndicator: true,
    messageExpiryInterval: expirySeconds,
    userProperties: { program, schema: 'reading-1' },
  };
  if (publish(topic, JSON.stringify(reading), { properties }))
    console.log(`reading ${taken}: ${reading.celsius.toFixed(2)} °C; ${waiting} waiting`);
  else console.log(`reading ${taken} lost: ${waitingMax} wait already`);
  if (taken === settings.count) return void end();
  nextReading = setTimeout(publishReading, Math.max(0, run + taken * settings.intervalMilliseconds - Date.now()));
}

/**
 * True when nothing waits any more. MQTT.js sends what it has kept before it emits `connect`, so then `online` is still
 * to come.
 */
function isDone(): boolean {
  return waiting === 0 && (isAnnounced || !client.connected);
}

/** Waits for acknowledgements, then leaves. */
async function end(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  clearTimeout(nextReading);
  const { promise, resolve } = Promise.withResolvers<void>();
  allAcknowledged = resolve;
  setTimeout(resolve, endMilliseconds);
  if (!isDone()) await promise;
  const missing = waiting;
  // DISCONNECT 0x04 has the broker publish the will: `offline` is written in one place. Without a connection it has done so already.
  if (missing === 0 && client.connected) await client.endAsync(false, { reasonCode: 4 });
  else client.end(true);
  if (missing > 0) {
    console.error(`${program}: ended after ${taken} readings; ${missing} messages were not acknowledged`);
    process.exit(1);
  }
  console.log(`ended after ${taken} readings; all acknowledged`);
  process.exit(0);
}

/** Ends when the broker has said what another attempt would not change. */
function fail(why: string): void {
  isEnding = true;
  clearTimeout(nextReading);
  client.end(true);
  console.error(`${program}: ${broker}: ${why}`);
  process.exit(1);
}

process.on('SIGINT', () => void end());
process.on('SIGTERM', () => void end());
publishReading();
