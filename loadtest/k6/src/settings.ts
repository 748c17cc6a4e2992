import type { ProtocolVersion, QoS } from './codec.ts';
import { stampBytes } from './stamp.ts';

/** The scenarios; each has a file of its name in scenarios/. */
export const scenarioTable = {
  connections: 'clients connect at a set rate, stay connected, and are pinged at the end',
  'point-to-point': 'pairs of one publisher and one subscriber, at different nodes',
  'fan-out': 'few publishers, every message to many subscribers',
  'fan-in': 'many publishers, every message to few subscribers',
  shared: 'publishers, and one shared subscription whose members share the messages',
  'retained-storm': 'many retained messages; all subscribers connect at once and receive all of them; repeatedly',
  'reconnect-storm': 'all subscribers lose their connections and resume their sessions at once, under traffic',
  'offline-backlog':
    'messages for offline sessions; all clients reconnect at once and receive their backlog; repeatedly',
} as const;

export type ScenarioName = keyof typeof scenarioTable;
export const scenarioNames = Object.keys(scenarioTable) as readonly ScenarioName[];

/** Scenarios whose sessions must get what is sent while they are away, which QoS 0 does not promise. */
const needsQueue: readonly ScenarioName[] = ['reconnect-storm', 'offline-backlog'];

/** Used by these scenarios, with these defaults. */
type Defaults = Readonly<Partial<Record<ScenarioName, number>>>;

export interface NumberVariable {
  readonly variable: string;
  readonly lowest: number;
  readonly highest: number;
  /** Parts of one are taken too. */
  readonly parts?: true;
  readonly defaults: Defaults;
  readonly describes: string;
}

function every(value: number): Defaults {
  return Object.fromEntries(scenarioNames.map((name) => [name, value]));
}

function everyBut(without: readonly ScenarioName[], value: number): Defaults {
  return Object.fromEntries(scenarioNames.filter((name) => !without.includes(name)).map((name) => [name, value]));
}

/** Limit of clients, messages or bytes; more is a slip of the finger. */
const countMax = 1_000_000;
const millisecondsMax = 3_600_000;
/** Live messages, whose latency says something about the broker rather than about how long a subscriber was away. */
const live: readonly ScenarioName[] = ['point-to-point', 'fan-out', 'fan-in', 'shared', 'reconnect-storm'];
const liveDefaults = Object.fromEntries(live.map((name) => [name, name === 'reconnect-storm' ? 5000 : 1000]));

/** Every variable that is a number. Counts and rates are of one group: see VUS. */
export const numberTable = {
  vus: {
    variable: 'VUS',
    lowest: 1,
    highest: 10_000,
    defaults: every(1),
    describes: 'groups of clients, each with its own topics in its own k6 VU (a JavaScript engine)',
  },
  qos: {
    variable: 'QOS',
    lowest: 0,
    highest: 2,
    defaults: everyBut(['connections'], 1),
    describes: 'QoS of messages and subscriptions; retained messages are published with at least 1',
  },
  durationSeconds: {
    variable: 'DURATION_SECONDS',
    lowest: 1,
    highest: 604_800,
    defaults: every(30),
    describes: 'duration of the load once all clients are connected; new rounds start during that time',
  },
  connections: {
    variable: 'CONNECTIONS',
    lowest: 1,
    highest: countMax,
    defaults: { connections: 1000 },
    describes: 'clients',
  },
  pairs: {
    variable: 'PAIRS',
    lowest: 1,
    highest: countMax,
    defaults: { 'point-to-point': 20 },
    describes: 'pairs of a publisher and a subscriber',
  },
  publishers: {
    variable: 'PUBLISHERS',
    lowest: 1,
    highest: countMax,
    defaults: { 'fan-out': 1, 'fan-in': 100, shared: 10 },
    describes: 'clients that publish',
  },
  subscribers: {
    variable: 'SUBSCRIBERS',
    lowest: 1,
    highest: countMax,
    defaults: {
      'fan-out': 100,
      'fan-in': 1,
      shared: 5,
      'retained-storm': 20,
      'reconnect-storm': 100,
      'offline-backlog': 10,
    },
    describes: 'clients that subscribe; of `shared`: members',
  },
  rate: {
    variable: 'RATE',
    lowest: 0.001,
    highest: countMax,
    parts: true,
    defaults: { 'point-to-point': 10, 'fan-out': 10, 'fan-in': 2, shared: 20, 'reconnect-storm': 100 },
    describes:
      'messages a second of each publisher; of `reconnect-storm`: of its one publisher, to the subscribers in turn',
  },
  payloadBytes: {
    variable: 'PAYLOAD_BYTES',
    lowest: stampBytes,
    highest: 16_777_216,
    defaults: everyBut(['connections'], 256),
    describes: 'size of a payload; its first 16 bytes are the stamp',
  },
  inflight: {
    variable: 'INFLIGHT',
    lowest: 1,
    highest: 65_535,
    defaults: everyBut(['connections'], 100),
    describes: 'messages of one publisher that may wait for their acknowledgement at once; less if the broker says so',
  },
  topics: {
    variable: 'TOPICS',
    lowest: 1,
    highest: countMax,
    defaults: { 'retained-storm': 1000 },
    describes: 'retained messages',
  },
  messages: {
    variable: 'MESSAGES',
    lowest: 1,
    highest: countMax,
    defaults: { 'offline-backlog': 500 },
    describes: 'messages in the backlog of each subscriber',
  },
  stormEverySeconds: {
    variable: 'STORM_EVERY_SECONDS',
    lowest: 0.1,
    highest: 86_400,
    parts: true,
    defaults: { 'reconnect-storm': 5 },
    describes: 'from one loss of all connections to the next',
  },
  connectRate: {
    variable: 'CONNECT_RATE',
    lowest: 1,
    highest: countMax,
    defaults: every(200),
    describes: 'connections started per second, except where all clients connect at once',
  },
  keepAliveSeconds: {
    variable: 'KEEP_ALIVE_SECONDS',
    lowest: 0,
    highest: 65_535,
    defaults: every(60),
    describes: 'keep alive; 0: none',
  },
  timeoutSeconds: {
    variable: 'TIMEOUT_SECONDS',
    lowest: 1,
    highest: 3600,
    defaults: every(10),
    describes: 'time to wait for an answer, and at the end for messages that are still in flight',
  },
  connectP99Milliseconds: {
    variable: 'CONNECT_P99_MILLISECONDS',
    lowest: 1,
    highest: millisecondsMax,
    defaults: every(5000),
    describes: 'threshold: 99 % of connections take less, WebSocket and CONNACK together',
  },
  latencyP99Milliseconds: {
    variable: 'LATENCY_P99_MILLISECONDS',
    lowest: 1,
    highest: millisecondsMax,
    defaults: liveDefaults,
    describes: 'threshold: 99 % of messages take less',
  },
  catchUpP99Milliseconds: {
    variable: 'CATCH_UP_P99_MILLISECONDS',
    lowest: 1,
    highest: millisecondsMax,
    defaults: { 'retained-storm': 10_000, 'reconnect-storm': 5000, 'offline-backlog': 10_000 },
    describes: 'threshold: 99 % of subscribers have caught up in less',
  },
  lostMax: {
    variable: 'LOST_MAX',
    lowest: 0,
    highest: Number.MAX_SAFE_INTEGER,
    defaults: everyBut(['connections'], 0),
    describes: 'threshold: lost messages',
  },
  doubledMax: {
    variable: 'DOUBLED_MAX',
    lowest: 0,
    highest: Number.MAX_SAFE_INTEGER,
    defaults: everyBut(['connections'], 0),
    describes:
      'threshold: repeated messages; `reconnect-storm` with QoS 1, which may repeat, has none unless this is set',
  },
} as const satisfies Readonly<Record<string, NumberVariable>>;

export interface TextVariable {
  readonly variable: string;
  readonly default: string;
  readonly describes: string;
}

/** Every other variable; for all scenarios. */
export const textTable = {
  brokerUrl: {
    variable: 'BROKER_URL',
    default: 'none: it must be set',
    describes: '`ws://HOST:PORT/PATH` or `wss://…`; several, separated by commas, are used in turn',
  },
  version: { variable: 'MQTT_VERSION', default: '5', describes: '`3.1.1` or `5`' },
  username: { variable: 'MQTT_USERNAME', default: 'none', describes: 'user name of every client' },
  password: { variable: 'MQTT_PASSWORD', default: 'none', describes: 'password of every client' },
  topicPrefix: {
    variable: 'TOPIC_PREFIX',
    default: 'k6',
    describes: 'the first levels of every topic, and the start of every client identifier',
  },
  reportDirectory: {
    variable: 'REPORT_DIRECTORY',
    default: '.cache/k6',
    describes: 'where SCENARIO.txt, SCENARIO.json and SCENARIO.html are written',
  },
} as const satisfies Readonly<Record<string, TextVariable>>;

type NumberKey = keyof typeof numberTable;

/** Settings of a run. A number that its scenario has no use for is 0. */
export interface Settings extends Readonly<Record<NumberKey, number>> {
  readonly scenario: ScenarioName;
  readonly brokerUrls: readonly string[];
  readonly version: ProtocolVersion;
  readonly username: string | null;
  readonly password: string | null;
  readonly topicPrefix: string;
  readonly reportDirectory: string;
  /** Null: `DOUBLED_MAX` does not hold, since the protocol allows repetition here. */
  readonly doubledLimit: number | null;
}

/** A variable with a value it cannot have. The message is for the person who set it. */
export class SettingsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SettingsError';
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** True for the name of a scenario. */
export function isScenario(name: string): name is ScenarioName {
  return Object.hasOwn(scenarioTable, name);
}

/** The QoS as a type: the table holds it to 0, 1 and 2. */
export function qosOf(settings: Settings): QoS {
  return settings.qos as QoS;
}

/** Reads what a scenario needs from the environment. @throws SettingsError */
export function readSettings(scenario: ScenarioName, environment: Environment): Settings {
  const numbers = {} as Record<NumberKey, number>;
  for (const key of Object.keys(numberTable) as NumberKey[]) {
    numbers[key] = readNumber(numberTable[key], scenario, environment);
  }
  if (numbers.qos === 0 && needsQueue.includes(scenario)) {
    throw new SettingsError(`QOS must be 1 or 2 for ${scenario}: QoS 0 is not kept for those who are away`);
  }
  const isRepetitionAllowed =
    scenario === 'reconnect-storm' && numbers.qos === 1 && !isSet(environment, numberTable.doubledMax.variable);
  const password = text(environment, textTable.password.variable);
  const username = text(environment, textTable.username.variable);
  const version = readVersion(environment);
  if (password !== null && username === null && version === 4) {
    throw new SettingsError('MQTT_PASSWORD needs MQTT_USERNAME: MQTT 3.1.1 has no password without a user name'); // [MQTT-3.1.2-22]
  }
  return {
    ...numbers,
    scenario,
    brokerUrls: readUrls(environment),
    version,
    username,
    password,
    topicPrefix: readTopicPrefix(environment),
    reportDirectory: text(environment, textTable.reportDirectory.variable) ?? textTable.reportDirectory.default,
    doubledLimit: isRepetitionAllowed ? null : numbers.doubledMax,
  };
}

/** Every variable that matters to the scenario, with its value; no password. */
export function describeSettings(settings: Settings): [variable: string, value: string][] {
  const numbers = Object.entries<NumberVariable>(numberTable)
    .filter(([, { defaults }]) => defaults[settings.scenario] !== undefined)
    .map(([key, { variable }]): [string, string] => [variable, String(settings[key as NumberKey])]);
  return [
    [textTable.brokerUrl.variable, settings.brokerUrls.map(withoutPassword).join(', ')],
    [textTable.version.variable, settings.version === 4 ? '3.1.1' : '5'],
    ...numbers,
  ];
}

function withoutPassword(url: string): string {
  return url.replace(/^(wss?:\/\/)[^/@]*@/, '$1');
}

function isSet(environment: Environment, variable: string): boolean {
  return text(environment, variable) !== null;
}

/** An empty variable is like none. */
function text(environment: Environment, variable: string): string | null {
  const value = environment[variable];
  return value === undefined || value === '' ? null : value;
}

function readNumber(row: NumberVariable, scenario: ScenarioName, environment: Environment): number {
  const standard = row.defaults[scenario];
  if (standard === undefined) return 0;
  const given = text(environment, row.variable);
  if (given === null) return standard;
  const value = Number(given);
  const isWhole = row.parts === true || Number.isInteger(value);
  if (given.trim() === '' || !isWhole || !(value >= row.lowest && value <= row.highest)) {
    const kind = row.parts === true ? 'a number' : 'a whole number';
    throw new SettingsError(`${row.variable} must be ${kind} from ${row.lowest} to ${row.highest}, not '${given}'`);
  }
  return value;
}

function readUrls(environment: Environment): string[] {
  const given = text(environment, textTable.brokerUrl.variable);
  if (given === null) {
    throw new SettingsError('BROKER_URL must be set: ws://HOST:PORT/PATH, several with commas between them');
  }
  return given.split(',').map((part) => {
    const url = part.trim();
    if (!/^wss?:\/\/[^\s/#]+(\/[^\s#]*)?$/.test(url)) {
      throw new SettingsError(`BROKER_URL must be ws://HOST:PORT/PATH or wss://…, not '${url}'`);
    }
    return url;
  });
}

function readVersion(environment: Environment): ProtocolVersion {
  const given = text(environment, textTable.version.variable) ?? textTable.version.default;
  if (given === '3.1.1') return 4;
  if (given === '5') return 5;
  throw new SettingsError(`MQTT_VERSION must be 3.1.1 or 5, not '${given}'`);
}

function readTopicPrefix(environment: Environment): string {
  const prefix = text(environment, textTable.topicPrefix.variable) ?? textTable.topicPrefix.default;
  // A prefix is published to as well as subscribed to; `$` topics are not everybody's.
  if (/[+#\0]/.test(prefix) || prefix.startsWith('$')) {
    throw new SettingsError(
      `TOPIC_PREFIX must be a topic without wildcards and without $ at its start, not '${prefix}'`,
    );
  }
  return prefix;
}
