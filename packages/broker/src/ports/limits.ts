/**
 * Every bound of a worker, once, each with its reason. All are configurable (`limits` in the configuration file, same names).
 */
export type QueuePolicy = 'drop-oldest' | 'drop-newest' | 'disconnect';
export const queuePolicies: readonly QueuePolicy[] = ['drop-oldest', 'drop-newest', 'disconnect'];

export type SharedStrategy = 'round-robin' | 'least-inflight' | 'hash-topic' | 'hash-client' | 'sticky' | 'local-first';
export const sharedStrategies: readonly SharedStrategy[] = [
  'round-robin',
  'least-inflight',
  'hash-topic',
  'hash-client',
  'sticky',
  'local-first',
];

export interface Limits {
  /** QoS 1 and 2 publishes that one client may have unacknowledged towards us (MQTT 5 Receive Maximum in CONNACK). */
  receiveMaximum: number;
  /** Topic aliases a client may set towards us, and the most that we set towards a client. */
  topicAliasMaximum: number;
  /** Whole packet, fixed header included; a larger one is refused before it is buffered. */
  maximumPacketSizeBytes: number;
  /** CONNECT must be complete by then. */
  connectTimeoutSeconds: number;
  /** A packet that has begun must be complete by then, keep alive or not, so that half packets cannot be hoarded. */
  partialPacketTimeoutSeconds: number;
  /** Longer keep alives are cut to this, and MQTT 5 clients told; 0: as asked. */
  keepAliveMaxSeconds: number;
  /** Messages in flight to a client that names no smaller Receive Maximum: bounds the redelivery of one session. */
  inflightMax: number;
  /** Messages an ephemeral session may have waiting behind its window. */
  queuedMessagesMax: number;
  queuedBytesMax: number;
  /** Fate of a message over these two. */
  queuePolicy: QueuePolicy;
  /** Bytes waiting for one socket; over it QoS 0 messages are dropped and the publishers' acknowledgements go on. */
  outputBufferBytesMax: number;
  /** The most a session may ask to be kept; 0xffffffff: for ever. */
  sessionExpiryMaxSeconds: number;
  /** MQTT 3 sessions with clean session 0 are kept this long (MQTT 3 has no word for it); 0xffffffff: for ever. */
  persistentSessionExpirySeconds: number;
  subscriptionsMax: number;
  /** Levels of a topic or filter. */
  topicLevelsMax: number;
  connectionsMax: number;
  /** Messages that one durable filter's log may hold; the oldest go first. */
  logMessagesMax: number;
  logBytesMax: number;
  /** Messages read from a log at once. */
  logPageMessages: number;
  logPageBytes: number;
  /** Delayed publishes further in the future than this are refused. */
  delayMaxSeconds: number;
  sharedStrategy: SharedStrategy;
  /** A message that waits for a shared group with durable members is dropped after this, for this group alone; 0: never. */
  groupMessageTtlSeconds: number;
  /** Deliveries to members of such a group that end without an acknowledgement, after which a message goes to `$dead-letter/{group}/{topic}`; 0: any number. */
  groupDeliveriesMax: number;
  /** SUBACK waits at most this long for other endpoints to confirm a route (P5). */
  routeConfirmMilliseconds: number;
  /** Unacknowledged bytes of one link to another endpoint; over it publishers are not read (architecture 8). */
  linkBytesMax: number;
  /** Topics in the match cache of a worker. */
  matchCacheMax: number;
  retainAvailable: boolean;
  wildcardSubscriptionAvailable: boolean;
  sharedSubscriptionAvailable: boolean;
  maximumQos: 0 | 1 | 2;
  /** Seconds between `$SYS` publications; 0: none. */
  sysIntervalSeconds: number;
}

export const defaultLimits: Limits = {
  receiveMaximum: 1000,
  topicAliasMaximum: 100,
  maximumPacketSizeBytes: 1024 * 1024,
  connectTimeoutSeconds: 10,
  partialPacketTimeoutSeconds: 30,
  keepAliveMaxSeconds: 0,
  inflightMax: 1000,
  queuedMessagesMax: 10_000,
  queuedBytesMax: 16 * 1024 * 1024,
  queuePolicy: 'drop-newest',
  outputBufferBytesMax: 4 * 1024 * 1024,
  sessionExpiryMaxSeconds: 0xffffffff,
  persistentSessionExpirySeconds: 0xffffffff,
  subscriptionsMax: 100_000,
  topicLevelsMax: 128,
  connectionsMax: 1_000_000,
  logMessagesMax: 1_000_000,
  logBytesMax: 1024 * 1024 * 1024,
  logPageMessages: 256,
  logPageBytes: 1024 * 1024,
  delayMaxSeconds: 4_294_967,
  sharedStrategy: 'round-robin',
  groupMessageTtlSeconds: 0,
  groupDeliveriesMax: 16,
  routeConfirmMilliseconds: 2000,
  linkBytesMax: 8 * 1024 * 1024,
  matchCacheMax: 65_536,
  retainAvailable: true,
  wildcardSubscriptionAvailable: true,
  sharedSubscriptionAvailable: true,
  maximumQos: 2,
  sysIntervalSeconds: 10,
};
