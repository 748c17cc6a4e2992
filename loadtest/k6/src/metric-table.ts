import type { ScenarioName, Settings } from './settings.ts';

export interface MetricRow {
  /** A trend keeps how values are distributed; here they are all in milliseconds. */
  readonly kind: 'trend' | 'counter';
  readonly describes: string;
  /** Drawn over the time of the run. */
  readonly isSeries?: true;
}

/** The metrics of the scenarios, beside k6's own. */
export const metricTable = {
  mqtt_connect_time: {
    kind: 'trend',
    describes: 'from the start of a connection to CONNACK: TCP, TLS, WebSocket, MQTT',
    isSeries: true,
  },
  mqtt_latency: {
    kind: 'trend',
    describes:
      "from the time stamp in the payload, set when the message is written to the socket, until it is read from a subscriber's socket",
    isSeries: true,
  },
  mqtt_acknowledge_time: { kind: 'trend', describes: 'from PUBLISH to PUBACK or PUBCOMP, at the publisher' },
  mqtt_catch_up_time: {
    kind: 'trend',
    describes:
      'of one subscriber: from SUBSCRIBE to its last retained message; from the loss of its connection to the CONNACK of the next; from CONNECT to the last message of its backlog',
  },
  mqtt_ping_time: { kind: 'trend', describes: 'from PINGREQ to PINGRESP, at the end of `connections`' },
  mqtt_generator_lag: {
    kind: 'trend',
    describes: 'how late a message was sent: k6 was too busy, or INFLIGHT messages waited for their acknowledgement',
  },
  mqtt_messages_sent: { kind: 'counter', describes: 'messages published', isSeries: true },
  mqtt_messages_received: { kind: 'counter', describes: 'messages received, including repeated ones', isSeries: true },
  mqtt_messages_lost: {
    kind: 'counter',
    describes: 'messages that did not arrive, counted per subscriber',
  },
  mqtt_messages_doubled: { kind: 'counter', describes: 'messages that a subscriber received again' },
  mqtt_messages_disordered: {
    kind: 'counter',
    describes:
      'messages received after a later one of the same publisher and topic; not for `shared`, which has no order',
  },
  mqtt_messages_stray: {
    kind: 'counter',
    describes: 'unexpected messages: of another topic, or without a time stamp',
  },
  mqtt_messages_refused: { kind: 'counter', describes: 'messages answered with a reason code of 0x80 or more' },
  mqtt_connections_opened: { kind: 'counter', describes: 'connections that received CONNACK', isSeries: true },
  mqtt_connections_failed: { kind: 'counter', describes: 'connections that did not receive CONNACK' },
  mqtt_connections_lost: { kind: 'counter', describes: 'connections that ended unexpectedly' },
  mqtt_sessions_missing: {
    kind: 'counter',
    describes: 'sessions that the broker no longer had when their client reconnected',
  },
  mqtt_errors: { kind: 'counter', describes: 'groups that were aborted; the reason is in the log' },
  mqtt_groups_finished: {
    kind: 'counter',
    describes: 'groups that finished; if not all did, the other numbers mean little',
  },
} as const satisfies Readonly<Record<string, MetricRow>>;

export type MetricName = keyof typeof metricTable;
export const metricNames = Object.keys(metricTable) as readonly MetricName[];

export type TrendName = { [N in MetricName]: (typeof metricTable)[N]['kind'] extends 'trend' ? N : never }[MetricName];
export type CounterName = Exclude<MetricName, TrendName>;

/** Into how many parts the time of a run is cut for charts: k6 keeps sums alone, so each part is a metric of its own. */
export const slotCount = 30;

/** Length of a slot, in whole seconds. The last one takes what comes after its end. */
export function slotSeconds(settings: Settings): number {
  return Math.max(1, Math.ceil(settings.durationSeconds / (slotCount - 5)));
}

/** The name of a part of a metric. */
export function slotMetric(name: MetricName, slot: number): string {
  return `${name}{slot:${slot}}`;
}

/** Metrics of which one would be too many. */
const never: readonly CounterName[] = [
  'mqtt_errors',
  'mqtt_connections_failed',
  'mqtt_connections_lost',
  'mqtt_sessions_missing',
  'mqtt_messages_stray',
  'mqtt_messages_refused',
];

/**
 * Scenarios without a promise of order: among members of a shared subscription, and among messages on different topics.
 */
const unordered: readonly ScenarioName[] = ['shared', 'retained-storm'];

/** The thresholds of a run, as k6 takes them. */
export function thresholdsOf(settings: Settings): Record<string, string[]> {
  const thresholds: Record<string, string[]> = {
    mqtt_groups_finished: [`count>=${settings.vus}`],
    mqtt_connect_time: [`p(99)<${settings.connectP99Milliseconds}`],
  };
  for (const name of never) thresholds[name] = ['count==0'];
  if (settings.latencyP99Milliseconds > 0) thresholds.mqtt_latency = [`p(99)<${settings.latencyP99Milliseconds}`];
  if (settings.catchUpP99Milliseconds > 0) thresholds.mqtt_catch_up_time = [`p(99)<${settings.catchUpP99Milliseconds}`];
  if (settings.scenario === 'connections') return thresholds;
  thresholds.mqtt_messages_received = ['count>0'];
  thresholds.mqtt_messages_lost = [`count<=${settings.lostMax}`];
  if (settings.doubledLimit !== null) thresholds.mqtt_messages_doubled = [`count<=${settings.doubledLimit}`];
  if (!unordered.includes(settings.scenario)) thresholds.mqtt_messages_disordered = ['count==0'];
  return thresholds;
}

/**
 * Thresholds that always hold, one for each slot of each series: k6 keeps the part of a metric that has a tag only when it has a
 * threshold.
 */
export function slotThresholds(): Record<string, string[]> {
  const thresholds: Record<string, string[]> = {};
  for (const name of metricNames) {
    const row: MetricRow = metricTable[name];
    if (row.isSeries !== true) continue;
    for (let slot = 0; slot < slotCount; slot++) {
      thresholds[slotMetric(name, slot)] = [row.kind === 'trend' ? 'max>=0' : 'count>=0'];
    }
  }
  return thresholds;
}
