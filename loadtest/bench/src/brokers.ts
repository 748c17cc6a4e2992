/** The programs that are compared: how each is found, started and configured, and what it cannot do. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgramFile, UsageError } from '@dunlin/testkit';
import { BENCH_DIRECTORY, CHECKOUT } from './checkout.ts';
import { nativeProgram } from './native-build.ts';
import type { Need } from './rows.ts';

/** `before`: another checkout of Dunlin (against.ts). */
export type BrokerName = 'dunlin' | 'before' | 'mosquitto' | 'nats' | 'rumqttd' | 'aedes' | 'forwarder' | 'limit';

/** Values that a start needs. A broker with one port for all versions ignores `port5`. */
export interface StartContext {
  readonly port: number;
  readonly port5: number;
  /** An empty folder for the configuration and the data of this start. */
  readonly directory: string;
  /** Keep sessions and messages on disk. */
  readonly durable: boolean;
}

export interface Broker {
  readonly name: BrokerName;
  /** A yardstick is not a broker: it shows what a machine or a runtime can do at best. */
  readonly kind: 'dunlin' | 'peer' | 'yardstick';
  readonly howToGet: string;
  readonly lacks: Partial<Record<Need, string>>;
  /** True when MQTT 5.0 has a port of its own. */
  readonly separatePort5?: boolean;
  /** The program, or undefined when it is not on this machine. */
  find(): string | undefined;
  version(program: string): string;
  /** Text to write to `configurationFile` in the directory before the start. */
  configuration?(context: StartContext): string;
  readonly configurationFile?: string;
  command(program: string, context: StartContext): string[];
}

function findProgram(name: string, ...after: string[]): string | undefined {
  return findProgramFile(name, { after });
}

function goBinDirectory(): string {
  const go = findProgram('go', '/usr/local/go/bin');
  const path = go === undefined ? '' : execFileSync(go, ['env', 'GOPATH'], { encoding: 'utf8' }).trim();
  return join(path === '' ? join(homedir(), 'go') : path, 'bin');
}

/** nats-server, installed with Go when it is not there and Go is. */
function findNats(): string | undefined {
  const found = findProgram('nats-server', goBinDirectory());
  const go = findProgram('go', '/usr/local/go/bin');
  if (found !== undefined || go === undefined) return found;
  execFileSync(go, ['install', NATS_MODULE], { stdio: 'inherit' });
  return findProgram('nats-server', goBinDirectory());
}

function output(program: string, ...parameters: string[]): string {
  return execFileSync(program, parameters, { encoding: 'utf8' }).trim().split('\n')[0];
}

function packageVersion(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

/** `mosquitto -h` prints its version first and may end with a code of its own. */
function mosquittoVersion(program: string): string {
  try {
    return output(program, '-h');
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? 'unknown').split('\n')[0];
  }
}

const NATS_MODULE = 'github.com/nats-io/nats-server/v2@v2.15.2';
const MEMORY_ONLY = 'keeps sessions in memory alone';
const NOT_A_BROKER = 'a yardstick, not a broker';
const COPIES_BYTES = 'copies the bytes of a PUBLISH, so both sides must speak one version';

/** Dunlin as it is built in this checkout, or in another one. */
export function dunlinOf(name: 'dunlin' | 'before', checkout: string): Broker {
  const bin = join(checkout, 'packages', 'cli', 'bin', 'dunlin.js');
  return {
    name,
    kind: 'dunlin',
    howToGet: 'npm install && npm run build',
    lacks: {},
    find: () => (existsSync(bin) ? bin : undefined),
    version: () => `${packageVersion(join(checkout, 'packages', 'cli', 'package.json'))} on Node ${process.version}`,
    command: (program, { port, directory, durable }) => [
      ...[process.execPath, program, 'start', '--workers', '1', '--listener', `tcp://127.0.0.1:${port}`],
      ...(durable ? ['--store', 'lmdb', '--data', directory] : ['--store', 'memory']),
    ],
  };
}

const mosquitto: Broker = {
  name: 'mosquitto',
  kind: 'peer',
  howToGet: 'apt-get install mosquitto',
  lacks: {},
  find: () => findProgram('mosquitto', '/usr/sbin', '/usr/local/sbin'),
  version: mosquittoVersion,
  configurationFile: 'mosquitto.conf',
  // Queues without a bound, so that no row is measured while it drops; by itself it closes a 3.1.1 client with more than 20
  // QoS 2 messages in flight. Everything else is left as it is: with `set_tcp_nodelay` it needs more.
  configuration: ({ port, directory, durable }) =>
    [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'max_queued_messages 0',
      'max_inflight_messages 1000',
      'log_type error',
      ...(durable ? ['persistence true', `persistence_location ${directory}/`] : ['persistence false']),
      '',
    ].join('\n'),
  command: (program, { directory }) => [program, '-c', join(directory, 'mosquitto.conf')],
};

const nats: Broker = {
  name: 'nats',
  kind: 'peer',
  howToGet: `go install ${NATS_MODULE}`,
  lacks: { v5: 'speaks MQTT 3.1.1 alone', shared: 'has no shared subscriptions over MQTT' },
  find: findNats,
  version: (program) => output(program, '--version'),
  configurationFile: 'nats.conf',
  configuration: ({ port, directory }) =>
    [
      'server_name: bench',
      'listen: "127.0.0.1:-1"',
      `jetstream { store_dir: "${directory}" }`,
      `mqtt { listen: "127.0.0.1:${port}" }`,
      '',
    ].join('\n'),
  command: (program, { directory }) => [program, '-c', join(directory, 'nats.conf')],
};

function rumqttdListener(version: 4 | 5, port: number): string[] {
  return [
    `[v${version}.1]`,
    `name = "v${version}"`,
    `listen = "127.0.0.1:${port}"`,
    'next_connection_delay_ms = 1',
    `[v${version}.1.connections]`,
    'connection_timeout_ms = 60000',
    'max_payload_size = 20480',
    'max_inflight_count = 100',
    'dynamic_filters = true',
  ];
}

const rumqttd: Broker = {
  name: 'rumqttd',
  kind: 'peer',
  howToGet: 'cargo install rumqttd@0.20.0',
  lacks: { durable: MEMORY_ONLY },
  separatePort5: true,
  find: () => findProgram('rumqttd', join(homedir(), '.cargo', 'bin')),
  version: (program) => output(program, '--version'),
  configurationFile: 'rumqttd.toml',
  // The values of its own example, with room for the idle row.
  configuration: ({ port, port5 }) =>
    [
      'id = 0',
      '[router]',
      'id = 0',
      'max_connections = 20010',
      'max_outgoing_packet_count = 200',
      'max_segment_size = 104857600',
      'max_segment_count = 10',
      ...rumqttdListener(4, port),
      ...rumqttdListener(5, port5),
      '',
    ].join('\n'),
  command: (program, { directory }) => [program, '--quiet', '-c', join(directory, 'rumqttd.toml')],
};

const aedes: Broker = {
  name: 'aedes',
  kind: 'peer',
  howToGet: 'npm install',
  lacks: {
    v5: 'speaks MQTT 3.1.1 alone',
    shared: 'has no shared subscriptions',
    durable: `${MEMORY_ONLY} without a database`,
  },
  find: () => {
    const installed = existsSync(join(CHECKOUT, 'node_modules', 'aedes', 'package.json'));
    return installed ? join(BENCH_DIRECTORY, 'src', 'aedes-broker.ts') : undefined;
  },
  version: () =>
    `${packageVersion(join(CHECKOUT, 'node_modules', 'aedes', 'package.json'))} on Node ${process.version}`,
  command: (program, { port }) => [process.execPath, program, String(port)],
};

const forwarder: Broker = {
  name: 'forwarder',
  kind: 'yardstick',
  howToGet: 'part of this checkout',
  lacks: {
    qos1: 'forwards QoS 0 alone',
    qos2: 'forwards QoS 0 alone',
    shared: NOT_A_BROKER,
    durable: NOT_A_BROKER,
    mixed: COPIES_BYTES,
  },
  find: () => join(BENCH_DIRECTORY, 'src', 'forwarder.ts'),
  version: () => `one thread of Node ${process.version}`,
  command: (program, { port }) => [process.execPath, program, String(port)],
};

const limit: Broker = {
  name: 'limit',
  kind: 'yardstick',
  howToGet: 'part of this checkout; needs a C compiler',
  lacks: { qos2: 'forwards QoS 0 and 1 alone', shared: NOT_A_BROKER, durable: NOT_A_BROKER, mixed: COPIES_BYTES },
  find: () => nativeProgram('limit'),
  version: () => 'C, one thread',
  command: (program, { port }) => [program, String(port)],
};

export const BROKERS: readonly Broker[] = [
  dunlinOf('dunlin', CHECKOUT),
  mosquitto,
  nats,
  rumqttd,
  aedes,
  forwarder,
  limit,
];

/** @throws UsageError for a name that is not in the table. */
export function selectBrokers(list: string): Broker[] {
  return list.split(/[\s,]+/).map((name) => {
    const broker = BROKERS.find((candidate) => candidate.name === name);
    if (broker === undefined) {
      throw new UsageError(`no broker '${name}'; there are: ${BROKERS.map((candidate) => candidate.name).join(', ')}`);
    }
    return broker;
  });
}
