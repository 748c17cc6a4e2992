import { type CloseReason, closeReasons } from './close-reason.ts';
import { type ConnectRefusal, connectRefusals } from './connect-refusal.ts';
import { Histogram, latencyBounds } from './histogram.ts';

export const dropReasons = [
  'no-subscriber',
  'queue-full',
  'outbox-full',
  'over-rate',
  'memory',
  'expired',
  'packet-too-large',
  'not-authorized',
  'session-ended',
  'log-limit',
  'link-lost',
  'delayed-too-many',
  'retained-quota',
  'delayed-quota',
  'logs-full',
  'dead-letter',
] as const;
export type DropReason = (typeof dropReasons)[number];

/**
 * Reasons for which a subscription is refused: the rules, what is no filter, what is switched off, and the limits of one
 * packet, of the session (`session`, `shared-groups`), of wildcards, of the user and of the node.
 */
export const subscriptionRefusals = [
  'not-authorized',
  'invalid',
  'not-available',
  'packet-limit',
  'session-limit',
  'shared-groups',
  'wildcards',
  'user-limit',
  'memory',
  'node-limit',
] as const;
export type SubscriptionRefusal = (typeof subscriptionRefusals)[number];

function zeros<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

/** Counts of each listener. */
export class ListenerMetrics {
  readonly name: string;
  opened = 0;
  readonly closed: Record<CloseReason, number> = zeros(closeReasons);
  /** Clients that are connected now, by protocol level: 3, 4, 5. */
  readonly connected = [0, 0, 0, 0, 0, 0];

  constructor(name: string) {
    this.name = name;
  }
}

/** Packet types of the fixed header: 1 to 15. */
const packetTypes = 16;

/**
 * Port: what is counted. Counters are plain fields, incremented on the hot path; whoever exports them reads them. One object per worker.
 */
export class Metrics {
  connectionsOpened = 0;
  connectionsClosed = 0;
  readonly connectsRefused: Record<ConnectRefusal, number> = zeros(connectRefusals);
  /** CONNECTs whose sender was let in, or not. */
  authenticationsAccepted = 0;
  authenticationsRefused = 0;
  /** … whose connection had gone when their turn came, and who were turned away before, since too many waited or had failed. */
  authenticationsGone = 0;
  authenticationsOverloaded = 0;
  protocolErrors = 0;
  /** Errors that nothing was prepared for; each is in the log with its stack. */
  errorsEscaped = 0;
  /** Connections that ended before their first MQTT byte: TLS or WebSocket handshakes that failed or took too long. */
  handshakesFailed = 0;
  /** Connections without the PROXY header that their listener requires, with a wrong one, or with one from an address that is not trusted. */
  proxyHeadersRefused = 0;
  /** Connections over the most that one listener takes. */
  listenerFull = 0;
  /** Connections over what the open files of the process leave room for. */
  openFilesFull = 0;
  /** Times that a client came over a rate, and was not read for a while, or was sent no messages. */
  rateLimitedIn = 0;
  rateLimitedOut = 0;
  /** Packets that were read and never took effect, since their connection ended before their turn came. */
  packetsGivenUp = 0;
  publishesReceived = 0;
  publishesSent = 0;
  /**
   * Messages of QoS 1 and 2 among them; the rest has QoS 0, whose way is the hottest. The same with whole packets in
   * bytes below.
   */
  publishesReceived1 = 0;
  publishesReceived2 = 0;
  publishesSent1 = 0;
  publishesSent2 = 0;
  /** Bytes of their payloads, without packet, topic and properties. */
  payloadBytesReceived = 0;
  payloadBytesSent = 0;
  publishBytesReceived = 0;
  publishBytesReceived1 = 0;
  publishBytesReceived2 = 0;
  publishBytesSent = 0;
  publishBytesSent1 = 0;
  publishBytesSent2 = 0;
  /** Packets but PUBLISH, by type. */
  readonly packetsReceived = new Array<number>(packetTypes).fill(0);
  readonly packetsSent = new Array<number>(packetTypes).fill(0);
  /** Bytes of a connection, whatever they are. */
  bytesReceived = 0;
  bytesSent = 0;
  subscriptionsAdded = 0;
  subscriptionsRemoved = 0;
  readonly subscriptionsRefused: Record<SubscriptionRefusal, number> = zeros(subscriptionRefusals);
  takeovers = 0;
  /** Takeovers of identifiers that are taken over again and again (contested-identifiers.ts). */
  contestedTakeovers = 0;
  /** Connections that ended over the same message as the two before them (fatal-messages.ts). */
  fatalMessages = 0;
  willsPublished = 0;
  /** Connections that were sent away because the node ends (drain.ts). */
  drained = 0;
  framesSent = 0;
  framesReceived = 0;
  /** Kept frames sent again: a carrier that loses, or an endpoint that is slow. */
  framesRepeated = 0;
  /** Publishers that were not read for a while, since a link was full. */
  linkHolds = 0;
  /** Whole route sets asked for because something was lost. */
  routeRepairs = 0;
  logAppends = 0;
  logGaps = 0;
  /** Idle logs that turned out to go further than was heard: the frames of their messages were lost. */
  logsBehind = 0;
  /** Messages of shared groups that one member left unacknowledged and another gets. */
  groupGiveBacks = 0;
  /** Messages of shared groups that were delivered in vain too often; those that nobody took as dead letters are in `dropped`. */
  deadLetters = 0;
  /** Gauges, of the one worker that looks after groups for all, 0 in the others: messages that wait in the logs of shared groups, and those of the group with most. */
  groupLag = 0;
  groupLagMax = 0;
  barrierTimeouts = 0;
  /** Wills that were not safe when those who waited for them went on. */
  willsLate = 0;
  storeErrors = 0;
  /** Spans of publishes and deliveries that are traced, and those that were not made since there were too many. */
  spansStarted = 0;
  spansSkipped = 0;
  /** Times that the store turned out to have less than it had. */
  storeSetbacks = 0;
  /** Times that the store was away: however many calls failed meanwhile. */
  storeOutages = 0;
  /** Gauges, renewed by `Broker.observe`. */
  sessions = 0;
  subscriptions = 0;
  sharedSubscriptions = 0;
  /** Filters and groups that other endpoints were told of. */
  routes = 0;
  durableFilters = 0;
  /**
   * Number of other endpoints that are known, of links to them that have no room, and of bytes under way to them that
   * were not acknowledged.
   */
  endpoints = 0;
  linksFull = 0;
  linkBytes = 0;
  /** Messages on their way into logs; sessions and wills on their way into the store. */
  appendsWaiting = 0;
  writesWaiting = 0;
  /** Gauges, of the one worker that looks after such things for all, 0 in the others: what the store holds. */
  sessionsStored = 0;
  messagesRetained = 0;
  sessionsExpired = 0;
  /** Gauge: messages that wait in memory for the window of their session. */
  messagesWaiting = 0;
  /** Gauge: acknowledgements that wait for the store or for other endpoints. */
  acknowledgementsWaiting = 0;
  /**
   * Times from reading a PUBLISH of QoS 1 or 2 to its PUBACK or PUBREC. A message that waits for nobody is answered
   * within the turn and counts as 0 s.
   */
  readonly acknowledgementSeconds = new Histogram(latencyBounds);
  /** Times from sending a frame that is kept to hearing that it was taken in. */
  readonly linkSeconds = new Histogram(latencyBounds);
  /** Messages that ended otherwise than by delivery, by reason. */
  readonly dropped: Record<DropReason, number> = zeros(dropReasons);
  readonly listeners: readonly ListenerMetrics[];
  private readonly otherListener = new ListenerMetrics('');

  /** `listeners`: their names. */
  constructor(listeners: readonly string[] = []) {
    this.listeners = [...new Set(listeners)].map((name) => new ListenerMetrics(name));
  }

  listener(name: string): ListenerMetrics {
    return this.listeners.find((listener) => listener.name === name) ?? this.otherListener;
  }
}
