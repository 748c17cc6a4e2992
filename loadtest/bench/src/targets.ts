/** Targets of Dunlin, row by row, and whether a set of figures reaches them. */
import type { BrokerName } from './brokers.ts';

export type Bound =
  /** Figure at most `factor` times that of `of` in the same row. */
  | { readonly kind: 'times'; readonly factor: number; readonly of: BrokerName }
  /** Figure below each of these in the same row. */
  | { readonly kind: 'below'; readonly each: readonly BrokerName[] }
  /** Figure at most `factor` times Dunlin's own in another row. */
  | { readonly kind: 'own'; readonly factor: number; readonly row: string }
  | { readonly kind: 'at-most'; readonly value: number; readonly unit: string }
  | { readonly kind: 'at-least'; readonly value: number; readonly unit: string };

export interface Target {
  readonly row: string;
  readonly bound: Bound;
}

export interface Verdict {
  readonly target: Target;
  readonly text: string;
  readonly measured: string;
  readonly outcome: 'met' | 'missed' | 'not measured';
}

/** Medians: row, then broker. */
export type Medians = ReadonlyMap<string, ReadonlyMap<string, number>>;

const PEERS: readonly BrokerName[] = ['mosquitto', 'nats', 'rumqttd', 'aedes'];
const times = (factor: number, of: BrokerName): Bound => ({ kind: 'times', factor, of });
const below = (...each: BrokerName[]): Bound => ({ kind: 'below', each });

// biome-ignore format: a table
const BASE_TARGETS: readonly Target[] = [
  { row: 'pair-w1000', bound: times(1.8, 'forwarder') },
  { row: 'pair-w1000', bound: below(...PEERS) },
  { row: '20pairs-w100', bound: times(1.8, 'forwarder') },
  { row: '20pairs-w100', bound: below(...PEERS) },
  { row: '1to100', bound: times(1.6, 'forwarder') },
  { row: '1to100', bound: below(...PEERS) },
  { row: '100to1', bound: times(1.5, 'forwarder') },
  { row: '100to1', bound: below(...PEERS) },
  { row: 'qos1-20pairs', bound: times(0.9, 'rumqttd') },
  { row: 'qos1-20pairs', bound: below(...PEERS) },
  { row: 'qos2-20pairs', bound: times(1.0, 'rumqttd') },
  { row: 'qos2-20pairs', bound: below(...PEERS) },
  { row: '500pairs-w1', bound: times(1.15, 'forwarder') },
  { row: '500pairs-w1', bound: below('nats', 'rumqttd') },
  { row: 'ping', bound: times(1.15, 'forwarder') },
  { row: 'ping', bound: below('nats', 'rumqttd') },
];

/** The message rows hold for MQTT 5 as they do for 3.1.1; what MQTT 5 publishers send to older subscribers is held against what they send to their like. */
export const TARGETS: readonly Target[] = [
  ...BASE_TARGETS,
  ...BASE_TARGETS.map((target) => ({ row: `v5-${target.row}`, bound: target.bound })),
  { row: 'v5-to-v4-pair-w1000', bound: { kind: 'own', factor: 1.2, row: 'v5-pair-w1000' } },
  { row: 'v5-to-v4-20pairs-w100', bound: { kind: 'own', factor: 1.2, row: 'v5-20pairs-w100' } },
  { row: 'v5-to-v4-1to100', bound: { kind: 'own', factor: 1.2, row: 'v5-1to100' } },
  { row: 'v5-to-v4-100to1', bound: { kind: 'own', factor: 1.2, row: 'v5-100to1' } },
  { row: 'durable-qos1', bound: { kind: 'at-least', value: 30_000, unit: 'messages a second' } },
  { row: 'idle', bound: { kind: 'at-most', value: 12 * 1024, unit: 'bytes per connection' } },
  { row: 'conn', bound: times(2, 'mosquitto') },
];

export function describeBound(bound: Bound): string {
  switch (bound.kind) {
    case 'times':
      return `at most ${bound.factor} × ${bound.of}`;
    case 'below':
      return `below ${bound.each.join(', ')}`;
    case 'own':
      return `at most ${bound.factor} × its own ${bound.row}`;
    case 'at-most':
      return `at most ${bound.value} ${bound.unit}`;
    case 'at-least':
      return `at least ${bound.value} ${bound.unit}`;
  }
}

function ratioVerdict(own: number, other: number | undefined, factor: number): [string, Verdict['outcome']] {
  if (other === undefined || other === 0) return [`${own} / –`, 'not measured'];
  const ratio = own / other;
  return [`${own} / ${other} = ${ratio.toFixed(2)}`, ratio <= factor ? 'met' : 'missed'];
}

/** Peers that have no figure in the row are named and do not count; with none left there is nothing to compare. */
function belowVerdict(
  own: number,
  row: ReadonlyMap<string, number>,
  each: readonly string[],
): [string, Verdict['outcome']] {
  const present = each.filter((name) => row.has(name));
  const absent = each.filter((name) => !row.has(name));
  const text = [...present.map((name) => `${name} ${row.get(name)}`), ...absent.map((name) => `${name} –`)].join(', ');
  if (present.length === 0) return [`${own}; ${text}`, 'not measured'];
  return [`${own}; ${text}`, present.every((name) => own < (row.get(name) as number)) ? 'met' : 'missed'];
}

function judgeBound(
  own: number,
  row: ReadonlyMap<string, number>,
  medians: Medians,
  bound: Bound,
): [string, Verdict['outcome']] {
  switch (bound.kind) {
    case 'times':
      return ratioVerdict(own, row.get(bound.of), bound.factor);
    case 'own':
      return ratioVerdict(own, medians.get(bound.row)?.get('dunlin'), bound.factor);
    case 'below':
      return belowVerdict(own, row, bound.each);
    case 'at-most':
      return [String(own), own <= bound.value ? 'met' : 'missed'];
    case 'at-least':
      return [String(own), own >= bound.value ? 'met' : 'missed'];
  }
}

/** Verdicts, one per target, in the order of the table. */
export function judge(medians: Medians): Verdict[] {
  return TARGETS.map((target) => {
    const text = describeBound(target.bound);
    const row = medians.get(target.row);
    const own = row?.get('dunlin');
    if (row === undefined || own === undefined) return { target, text, measured: '–', outcome: 'not measured' };
    const [measured, outcome] = judgeBound(own, row, medians, target.bound);
    return { target, text, measured, outcome };
  });
}
