export const dropReasons = [
  'no-subscriber',
  'queue-full',
  'outbox-full',
  'expired',
  'packet-too-large',
  'not-authorized',
  'session-ended',
  'log-limit',
  'link-lost',
  'delayed-too-many',
  'dead-letter',
] as const;
export type DropReason = (typeof dropReasons)[number];

/**
 * Port: what is counted. Counters are plain fields, incremented on the hot path; whoever exports them reads them. One object per worker.
 */
export class Metrics {
  connectionsOpened = 0;
  connectionsClosed = 0;
  connectsRefused = 0;
  protocolErrors = 0;
  /** Connections that ended before their first MQTT byte: TLS or WebSocket handshakes that failed or took too long. */
  handshakesFailed = 0;
  /** Connections without the PROXY header that their listener requires, with a wrong one, or with one from an address that is not trusted. */
  proxyHeadersRefused = 0;
  /** Connections over the most that one listener takes. */
  listenerFull = 0;
  publishesReceived = 0;
  publishesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;
  subscriptionsAdded = 0;
  subscriptionsRemoved = 0;
  takeovers = 0;
  willsPublished = 0;
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
  storeErrors = 0;
  /** Messages that ended otherwise than by delivery, by reason. */
  readonly dropped: Record<DropReason, number> = Object.fromEntries(dropReasons.map((r) => [r, 0])) as Record<
    DropReason,
    number
  >;
}
