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

/** Defaults of all limits. The configuration has their ranges (packages/config/src/limit-keys.ts). */
export const defaultLimits = {
  /** QoS 1 and 2 publishes that one client may have unacknowledged towards us (MQTT 5 Receive Maximum in CONNACK). */
  receiveMaximum: 1000,
  /** QoS 2 messages that MQTT 3 clients of a worker have not released, beyond 8 times that many of each. */
  unreleasedMessagesMax: 1_000_000,
  /** Topic aliases a client may set towards us, and the most that we set towards a client. */
  topicAliasMaximum: 100,
  /** Whole packet, fixed header included; a larger one is refused before it is buffered. */
  maximumPacketSizeBytes: 1024 * 1024,
  /** The same for CONNECT, and for AUTH before CONNACK: what an unknown client may make the node keep. */
  connectPacketBytesMax: 64 * 1024,
  /** Connections of a worker without CONNACK yet, of all and of one address; TLS and WebSocket handshakes count. */
  unsignedConnectionsMax: 10_000,
  unsignedConnectionsPerAddressMax: 5000,
  /** Memory of all of them, and what they have sent. */
  unsignedBytesMax: 64 * 1024 * 1024,
  /** CONNECT must be complete by then. */
  connectTimeoutSeconds: 10,
  /** A packet that has begun must be complete by then, keep alive or not, so that half packets cannot be hoarded. */
  partialPacketTimeoutSeconds: 30,
  /** Longer keep alives are cut to this, and MQTT 5 clients told; 0: as asked. */
  keepAliveMaxSeconds: 0,
  /** Messages in flight to a client that names no smaller Receive Maximum: bounds the redelivery of one session. */
  inflightMax: 1000,
  /**
   * Bytes in flight to a client, over which no more messages of QoS 1 and 2 are sent to it: a message begins while there
   * are fewer.
   */
  inflightBytesMax: 1024 * 1024,
  /** Share of deliveries whose fates are remembered for operators; 0: none. Other ends of messages always are. */
  fatesSampledPercent: 1,
  /** Messages an ephemeral session may have waiting behind its window. */
  queuedMessagesMax: 10_000,
  queuedBytesMax: 16 * 1024 * 1024,
  /** Fate of a message over these two. */
  queuePolicy: 'drop-newest' as QueuePolicy,
  /**
   * Bytes waiting for one socket; over it QoS 0 messages are dropped, and those of QoS 1 and 2 stay in the log or queue
   * of their session. The publishers' acknowledgements go on.
   */
  outputBufferBytesMax: 4 * 1024 * 1024,
  /** Memory of the process; 0: the limit of its container, else the memory of the machine. */
  memoryBytesMax: 0,
  /** Share of it from which on the node takes no new connections and subscriptions, and is not ready. */
  memoryHighPercent: 70,
  /** Share of it from which on the largest buffers are given up. */
  memoryCriticalPercent: 85,
  /** A connection ends whose socket has taken nothing of waiting bytes for this long; 0: never. */
  writeTimeoutSeconds: 60,
  /** The most a session may ask to be kept; 0xffffffff: for ever. */
  sessionExpiryMaxSeconds: 0xffffffff,
  /** MQTT 3 sessions with clean session 0 are kept this long (MQTT 3 has no word for it); 0xffffffff: for ever. */
  persistentSessionExpirySeconds: 0xffffffff,
  /** Durable sessions in the store; over it a CONNECT that asks for one more is refused with 0x97. */
  sessionsStoredMax: 1_000_000,
  /** Durable sessions of one user: half of all. */
  sessionsPerUserMax: 500_000,
  subscriptionsMax: 1000,
  /** Bytes of all subscriptions of one session, estimated (guards/subscription-budget.ts): long and deep filters. */
  subscriptionBytesMax: 4 * 1024 * 1024,
  /** Subscriptions of all sessions of one user, over the workers of a node; 0: any number. */
  subscriptionsPerUserMax: 0,
  /** Bytes of the subscriptions of all clients of a node, estimated alike; one user may have half. 0: of the memory. */
  subscriptionBytesNodeMax: 0,
  /**
   * Filters of one SUBSCRIBE that are looked at. As many as a session may have: MQTT.js with MQTT 3 subscribes to all of
   * its filters again by one packet, and would lose those above a smaller limit after each reconnect.
   */
  filtersPerPacketMax: 1000,
  /** Shared groups on one filter that a session may be a member of: each is one more delivery of every message. */
  sharedGroupsPerFilterMax: 8,
  /** Levels of a topic or filter. */
  topicLevelsMax: 128,
  /** Bytes of a topic or filter: caches, routes and stores keep them. */
  topicBytesMax: 1024,
  /** Bytes of a client identifier: logs, stores and other endpoints keep it. */
  clientIdBytesMax: 256,
  connectionsMax: 1_000_000,
  /** PUBLISH packets and bytes a second from one client, and to it; over it the client is late; 0: any number. */
  messagesInPerSecond: 0,
  bytesInPerSecond: 0,
  messagesOutPerSecond: 0,
  bytesOutPerSecond: 0,
  /** The same for all clients of a user at this node together. */
  userMessagesInPerSecond: 0,
  userBytesInPerSecond: 0,
  userMessagesOutPerSecond: 0,
  userBytesOutPerSecond: 0,
  /** SUBSCRIBE and UNSUBSCRIBE packets a second of one client; 0: any number. */
  subscribesPerSecond: 0,
  /** A rate may be exceeded by what comes in these seconds. */
  rateBurstSeconds: 5,
  /** Failed sign-ins of a device (identifier, user name and address) in the window, after which it is banned; five times as many of a user name at an address; 0: none is. */
  signInFailuresMax: 20,
  /** Failed sign-ins of an address after which it is banned, where nobody signs in; 0: none is. */
  signInFailuresPerAddressMax: 0,
  signInFailuresWindowSeconds: 300,
  signInBanSeconds: 300,
  /** Connects of a client identifier at an address in the window, after which both together are banned; 0: none is. */
  flappingConnectsMax: 0,
  flappingWindowSeconds: 60,
  flappingBanSeconds: 300,
  /** Connections that one address may have to a node, and open a second, and at once; 0: any number. */
  connectionsPerAddressMax: 0,
  connectRatePerAddress: 0,
  connectBurstPerAddress: 100,
  /** Messages that one durable filter's log may hold; the oldest go first. */
  logMessagesMax: 1_000_000,
  logBytesMax: 1024 * 1024 * 1024,
  /** Bytes of all logs; above 7/8 of it the largest are trimmed, above it a PUBLISH for logs is answered 0x97. */
  logsBytesMax: 64 * 1024 * 1024 * 1024,
  /** Messages read from a log at once. */
  logPageMessages: 256,
  logPageBytes: 1024 * 1024,
  /** Retained messages in the store, and their bytes; over it a PUBLISH with RETAIN is answered 0x97. */
  retainedMessagesMax: 1_000_000,
  retainedBytesMax: 1024 * 1024 * 1024,
  /** Retained messages of one user: half of all, so that no user takes everything. Anonymous clients are one user. */
  retainedMessagesPerUserMax: 500_000,
  retainedBytesPerUserMax: 512 * 1024 * 1024,
  /** Delayed publishes in the store, and their bytes; over it a PUBLISH to `$delayed/…` is answered 0x97. */
  delayedMessagesMax: 100_000,
  delayedBytesMax: 256 * 1024 * 1024,
  /** Delayed publishes of one user: half of all. */
  delayedMessagesPerUserMax: 50_000,
  delayedBytesPerUserMax: 128 * 1024 * 1024,
  /** Delayed publishes further in the future than this are refused. */
  delayMaxSeconds: 4_294_967,
  sharedStrategy: 'round-robin' as SharedStrategy,
  /** A message that waits for a shared group with durable members is dropped after this, for this group alone; 0: never. */
  groupMessageTtlSeconds: 0,
  /** Deliveries to members of such a group that end without an acknowledgement, after which a message goes to `$dead-letter/{group}/{topic}`; 0: any number. */
  groupDeliveriesMax: 16,
  /** SUBACK waits at most this long for other endpoints to confirm a route (P5). */
  routeConfirmMilliseconds: 2000,
  /** Unacknowledged bytes of one link to another endpoint; over it publishers are not read (architecture 8). */
  linkBytesMax: 8 * 1024 * 1024,
  /** Topics in the match cache of a worker. */
  matchCacheMax: 65_536,
  retainAvailable: true,
  wildcardSubscriptionAvailable: true,
  sharedSubscriptionAvailable: true,
  maximumQos: 2 as 0 | 1 | 2,
  /** Seconds between `$SYS` publications; 0: none. */
  sysIntervalSeconds: 10,
};

export type Limits = typeof defaultLimits;
