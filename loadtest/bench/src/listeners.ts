/**
 * `bench listeners`: what TLS and WebSocket cost beside plain TCP, in one run against one node; TLS handshakes and the memory of idle TLS connections
 * beside Mosquitto's.
 *
 * CPU is that of the broker's processes. Kinds of connection take turns in every round and the median counts: only ratios within a run mean anything.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@dunlin/testkit';
import { BrokerProcess } from './broker-process.ts';
import { BROKERS } from './brokers.ts';
import { DUNLIN } from './checkout.ts';
import { runGenerator } from './generator.ts';
import { markdownTable } from './report.ts';
import { median } from './results.ts';
import { FIGURES, type Row } from './rows.ts';

export interface ListenersOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly onProgress: (line: string) => void;
}

export interface ListenersFigure {
  readonly name: string;
  readonly measured: string;
  readonly bound: string;
  readonly outcome: 'met' | 'missed' | 'for comparison';
}

type Kind = 'tcp' | 'tls' | 'ws' | 'wss';
type KeyType = 'ecdsa' | 'rsa';

const kinds: readonly Kind[] = ['tcp', 'tls', 'ws', 'wss'];
/** Factors that a delivery may cost over plain TCP; null: not promised. */
const factors: Readonly<Record<Kind, number | null>> = { tcp: null, tls: 3, ws: 2, wss: null };

const HANDSHAKES = 3000;
/**
 * Handshakes at once: so many that a broker that lets each wait a while (Nagle, delayed acknowledgements) is still
 * busy.
 */
const HANDSHAKES_AT_ONCE = 200;
const IDLE = 2000;
const IDLE_BYTES_MAX = 60 * 1024;

const WEB_SOCKET = ['--web-socket', '/mqtt'];
const carriers: Readonly<Record<Kind, readonly string[]>> = {
  tcp: [],
  tls: ['--tls'],
  ws: WEB_SOCKET,
  wss: ['--tls', ...WEB_SOCKET],
};

/** A row of mqload over one kind of connection. */
function row(base: string, work: string, kind: Kind): Row {
  const figure = FIGURES.cpuPerDelivery;
  return {
    name: `${base}-${kind}`,
    title: base,
    base,
    versions: 'v4',
    arguments: [...work.split(' '), ...carriers[kind]],
    figure,
    needs: [],
  };
}

const PAIRS = '-m pair -P 20 -S 20 -w 100';
const PINGS = '-m pair -P 500 -S 500 -w 1';
const CONNECTS = `-m conn -n ${HANDSHAKES} -w ${HANDSHAKES_AT_ONCE}`;
const IDLES = `-m idle -n ${IDLE} -w ${HANDSHAKES_AT_ONCE}`;

const keyOptions: Readonly<Record<KeyType, readonly string[]>> = {
  ecdsa: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['rsa:2048'],
};

interface Files {
  readonly cert: string;
  readonly key: string;
}

function makeCertificate(directory: string, keyType: KeyType): Files {
  const files = { cert: join(directory, `${keyType}.pem`), key: join(directory, `${keyType}.key`) };
  const made = ['req', '-x509', '-newkey', ...keyOptions[keyType], '-nodes', '-days', '1', '-subj', '/CN=localhost'];
  execFileSync('openssl', [...made, '-keyout', files.key, '-out', files.cert], { stdio: 'ignore' });
  return files;
}

/** A broker with a port for each kind of connection that it has. */
interface Running {
  readonly broker: BrokerProcess;
  readonly ports: Readonly<Partial<Record<Kind, number>>>;
}

async function startDunlin(keyType: KeyType): Promise<Running> {
  const directory = BrokerProcess.makeDirectory();
  const { cert, key } = makeCertificate(directory, keyType);
  const ports: Partial<Record<Kind, number>> = {};
  const listeners: string[] = [];
  for (const kind of kinds) {
    ports[kind] = await freePort();
    const files = kind === 'tls' || kind === 'wss' ? `?cert=${cert}&key=${key}` : '';
    listeners.push('--listener', `${kind}://127.0.0.1:${ports[kind]}${files}`);
  }
  const command = [process.execPath, DUNLIN, 'start', '--workers', '1', '--store', 'memory', ...listeners];
  return { broker: await BrokerProcess.start(command, Object.values(ports), directory), ports };
}

async function startMosquitto(program: string, keyType: KeyType): Promise<Running> {
  const directory = BrokerProcess.makeDirectory();
  const { cert, key } = makeCertificate(directory, keyType);
  const ports = { tcp: await freePort(), tls: await freePort() };
  const lines = [
    'allow_anonymous true',
    'max_queued_messages 0',
    'log_type error',
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    `listener ${ports.tcp} 127.0.0.1`,
    `listener ${ports.tls} 127.0.0.1`,
    `certfile ${cert}`,
    `keyfile ${key}`,
  ];
  const file = join(directory, 'mosquitto.conf');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return { broker: await BrokerProcess.start([program, '-c', file], Object.values(ports), directory), ports };
}

async function sample({ broker, ports }: Running, work: Row, kind: Kind, seconds: number) {
  const port = ports[kind] as number;
  return runGenerator({ row: work, publisherPort: port, subscriberPort: port, pids: broker.pids(), seconds });
}

/** Median CPU per delivery of each kind of connection, the kinds taking turns. */
async function deliveries(
  running: Running,
  name: string,
  work: string,
  options: ListenersOptions,
): Promise<Map<Kind, number>> {
  const measured = new Map<Kind, number[]>();
  const here = kinds.filter((kind) => running.ports[kind] !== undefined);
  for (let round = 0; round < options.rounds; round++) {
    for (const kind of here) {
      const { broker_cpu_us_per_delivery: cpu } = await sample(running, row(name, work, kind), kind, options.seconds);
      measured.set(kind, [...(measured.get(kind) ?? []), Number(cpu)]);
    }
  }
  return new Map([...measured].map(([kind, samples]) => [kind, median(samples)]));
}

function deliveryFigures(name: string, costs: ReadonlyMap<Kind, number>, isBound: boolean): ListenersFigure[] {
  const plain = costs.get('tcp') as number;
  return [...costs].map(([kind, cost]) => {
    const ratio = cost / plain;
    const factor = isBound ? factors[kind] : null;
    return {
      name: `${name}, ${kind}`,
      measured: `${cost.toFixed(2)} µs of CPU a delivery, ${ratio.toFixed(2)} × tcp`,
      bound: factor === null ? '' : `at most ${factor} × tcp`,
      outcome: factor === null ? 'for comparison' : ratio <= factor ? 'met' : 'missed',
    };
  });
}

interface Handshakes {
  /** Handshakes that came, with the generator on the other core: it may be the slower of the two. */
  readonly perSecond: number;
  /** Handshakes that one core of the broker could do. */
  readonly perCoreSecond: number;
}

async function handshakes(running: Running, rounds: number): Promise<Handshakes> {
  const perSecond: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const result = await sample(running, row('handshakes', CONNECTS, 'tls'), 'tls', 1);
    perSecond.push(Number(result.connects_per_second));
    cpu.push(Number(result.broker_cpu_us_per_connect));
  }
  return { perSecond: median(perSecond), perCoreSecond: 1e6 / median(cpu) };
}

function toldHandshakes({ perSecond, perCoreSecond }: Handshakes): string {
  return `${Math.round(perSecond)} a second, ${Math.round(perCoreSecond)} a second of the broker's CPU`;
}

async function handshakeFigures(
  keyType: KeyType,
  mosquitto: string | undefined,
  rounds: number,
): Promise<ListenersFigure[]> {
  const name = `TLS handshakes with CONNECT and DISCONNECT, ${keyType}`;
  const dunlin = await startDunlin(keyType);
  const peer = mosquitto === undefined ? null : await startMosquitto(mosquitto, keyType);
  try {
    const ours = await handshakes(dunlin, rounds);
    if (peer === null) return [{ name, measured: toldHandshakes(ours), bound: '', outcome: 'for comparison' }];
    const theirs = await handshakes(peer, rounds);
    const isMet = ours.perSecond >= theirs.perSecond;
    return [
      {
        name,
        measured: toldHandshakes(ours),
        bound: `at least Mosquitto's ${Math.round(theirs.perSecond)} a second`,
        outcome: isMet ? 'met' : 'missed',
      },
      { name: `${name}, Mosquitto`, measured: toldHandshakes(theirs), bound: '', outcome: 'for comparison' },
    ];
  } finally {
    await Promise.all([dunlin.broker.stop(), peer?.broker.stop()]);
  }
}

/** A broker of its own for each: memory that was freed stays with the process, and would be counted as if connections cost nothing. */
async function idle(running: Running, kind: Kind): Promise<number> {
  try {
    return Number((await sample(running, row('idle', IDLES, kind), kind, 1)).bytes_per_connection);
  } finally {
    await running.broker.stop();
  }
}

async function idleFigures(mosquitto: string | undefined): Promise<ListenersFigure[]> {
  const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
  const figures: ListenersFigure[] = [];
  for (const kind of kinds) {
    const bytes = await idle(await startDunlin('ecdsa'), kind);
    const isBound = kind === 'tls';
    const outcome = !isBound ? 'for comparison' : bytes <= IDLE_BYTES_MAX ? 'met' : 'missed';
    figures.push({
      name: `an idle connection, ${kind}`,
      measured: kib(bytes),
      bound: isBound ? `at most ${kib(IDLE_BYTES_MAX)}` : '',
      outcome,
    });
  }
  if (mosquitto !== undefined) {
    const bytes = await idle(await startMosquitto(mosquitto, 'ecdsa'), 'tls');
    figures.push({
      name: 'an idle connection, tls, Mosquitto',
      measured: kib(bytes),
      bound: '',
      outcome: 'for comparison',
    });
  }
  return figures;
}

export async function measureListeners(options: ListenersOptions): Promise<ListenersFigure[]> {
  const figures: ListenersFigure[] = [];
  const add = (more: readonly ListenersFigure[]): void => {
    for (const each of more)
      options.onProgress(`${each.outcome}: ${each.name}: ${each.measured} ${each.bound}`.trimEnd());
    figures.push(...more);
  };
  const mosquitto = BROKERS.find(({ name }) => name === 'mosquitto')?.find();
  const running = await startDunlin('ecdsa');
  try {
    add(deliveryFigures('QoS 0, 20 pairs, window 100', await deliveries(running, 'pairs', PAIRS, options), true));
    add(deliveryFigures('QoS 0, 500 pairs, window 1', await deliveries(running, 'pings', PINGS, options), false));
  } finally {
    await running.broker.stop();
  }
  for (const keyType of ['ecdsa', 'rsa'] as const) add(await handshakeFigures(keyType, mosquitto, options.rounds));
  add(await idleFigures(mosquitto));
  return figures;
}

export function renderListeners(figures: readonly ListenersFigure[]): string {
  return markdownTable(
    ['work', 'measured', 'bound', 'outcome'],
    figures.map(({ name, measured, bound, outcome }) => [name, measured, bound, outcome]),
  );
}
