/** Options of one measurement of `dunlin bench`, and the rows it runs when nothing else is asked for. */
import type { ProtocolVersion } from '@dunlin/protocol';

/**
 * pair: publisher i to its own topic to subscriber i. fan-out: publishers to one topic to all subscribers. fan-in:
 * publishers to their topics to every subscriber, by a wildcard. shared: publishers to their topics to one share group.
 * ping: pair with one message in flight. connect: connect, CONNACK, DISCONNECT.
 */
export const scenarios = ['pair', 'fan-out', 'fan-in', 'shared', 'ping', 'connect'] as const;

export type Scenario = (typeof scenarios)[number];

export interface BenchRow {
  readonly name: string;
  readonly scenario: Scenario;
  readonly version: ProtocolVersion;
  readonly qos: 0 | 1 | 2;
  readonly publishers: number;
  readonly subscribers: number;
  /** Messages in flight per publisher: published and not yet delivered or acknowledged. For connect: connects in flight. */
  readonly window: number;
  /** Clients that connect and leave; 0 in the other scenarios. */
  readonly connections: number;
}

type Shape = Omit<BenchRow, 'name' | 'version'>;

// biome-ignore format: a table
const shapes: readonly (readonly [string, Shape])[] = [
  ['pair', { scenario: 'pair', qos: 0, publishers: 1, subscribers: 1, window: 1000, connections: 0 }],
  ['pairs', { scenario: 'pair', qos: 0, publishers: 20, subscribers: 20, window: 100, connections: 0 }],
  ['fan-out', { scenario: 'fan-out', qos: 0, publishers: 1, subscribers: 100, window: 100, connections: 0 }],
  ['fan-in', { scenario: 'fan-in', qos: 0, publishers: 100, subscribers: 1, window: 10, connections: 0 }],
  ['shared', { scenario: 'shared', qos: 0, publishers: 20, subscribers: 20, window: 100, connections: 0 }],
  ['qos1', { scenario: 'pair', qos: 1, publishers: 20, subscribers: 20, window: 100, connections: 0 }],
  ['qos2', { scenario: 'pair', qos: 2, publishers: 20, subscribers: 20, window: 100, connections: 0 }],
  ['ping', { scenario: 'ping', qos: 0, publishers: 1, subscribers: 1, window: 1, connections: 0 }],
  ['connect', { scenario: 'connect', qos: 0, publishers: 0, subscribers: 0, window: 50, connections: 1000 }],
];

const versionPrefixes: readonly (readonly [ProtocolVersion, string])[] = [
  [4, ''],
  [5, 'v5-'],
];

/** Shared subscriptions are part of MQTT 5.0; the other rows run for 3.1.1 as well. */
export const standardRows: readonly BenchRow[] = versionPrefixes.flatMap(([version, prefix]) =>
  shapes
    .filter(([, shape]) => version === 5 || shape.scenario !== 'shared')
    .map(([name, shape]) => ({ ...shape, name: prefix + name, version })),
);
