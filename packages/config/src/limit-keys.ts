import { z } from 'zod';

const never = 0xffffffff;
const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** A whole number between two bounds, both allowed. */
function whole(minimum: number, maximum: number, value: number, description: string) {
  return z.int().min(minimum).max(maximum).default(value).meta({ description });
}

function yesOrNo(value: boolean, description: string) {
  return z.boolean().default(value).meta({ description });
}

/**
 * Keys under `limits`: the same names and defaults as the broker's own table of limits (a test of the edge package
 * compares them).
 */
export const limitShape = {
  receiveMaximum: whole(
    1,
    65_535,
    1000,
    'QoS 1 and 2 publishes that one client may have unacknowledged towards the broker.',
  ),
  unreleasedMessagesMax: whole(
    0,
    1_000_000_000,
    1_000_000,
    'QoS 2 messages that MQTT 3 clients of one worker may have sent and not released, beyond 8 times receiveMaximum of each client, which is where an MQTT 5 client is disconnected. Above it, the client is that has been beyond for longest.',
  ),
  topicAliasMaximum: whole(
    0,
    65_535,
    100,
    'Topic aliases a client may set, and the most the broker sets towards a client.',
  ),
  maximumPacketSizeBytes: whole(
    128,
    268_435_460,
    mebibyte,
    'Largest packet taken from a client, fixed header included; a larger one is refused before it is buffered.',
  ),
  connectPacketBytesMax: whole(
    128,
    268_435_460,
    64 * kibibyte,
    'Largest CONNECT, its will and its password included, and largest AUTH before CONNACK; over WebSocket also the most that is read before CONNECT is complete.',
  ),
  unsignedConnectionsMax: whole(
    1,
    100_000_000,
    10_000,
    'Connections of one worker whose client has no CONNACK yet, TLS and WebSocket handshakes included. Above it, those that have sent no CONNECT for three seconds are closed, the oldest first; if there are none, the new connection is.',
  ),
  unsignedConnectionsPerAddressMax: whole(
    0,
    100_000_000,
    5000,
    'The same for one address (behind a load balancer with the PROXY protocol the real one, of IPv6 a /64). Above it, new connections are closed. 0: no limit.',
  ),
  unsignedBytesMax: whole(
    kibibyte,
    2 ** 40,
    64 * mebibyte,
    'Memory of all of these connections of one worker: 4 KiB each, 64 KiB with TLS, and what they have sent. Above it, the oldest that have sent more than 8 KiB are closed (CONNACK with 0x97).',
  ),
  connectTimeoutSeconds: whole(1, 3600, 10, 'CONNECT must be complete this long after the connection was opened.'),
  partialPacketTimeoutSeconds: whole(1, 3600, 30, 'A packet that has begun must be complete by then.'),
  keepAliveMaxSeconds: whole(
    0,
    65_535,
    0,
    'Longer keep alives, and none, are cut to this. MQTT 5 clients are told; MQTT 3 clients cannot be, and are ended after 1.5 times this in silence. 0: as the client asks.',
  ),
  inflightMax: whole(1, 65_535, 1000, 'Messages in flight to a client that names no smaller Receive Maximum.'),
  inflightBytesMax: whole(
    kibibyte,
    2 ** 40,
    mebibyte,
    'Bytes in flight to a client: a message of QoS 1 or 2 is sent while fewer are unacknowledged, whatever its size.',
  ),
  fatesSampledPercent: whole(
    0,
    100,
    1,
    'Share of deliveries, in percent, that are remembered for `dunlin explain --last`; 0: none. Drops and refusals always are, the last 4,096 of each worker.',
  ),
  queuedMessagesMax: whole(0, 100_000_000, 10_000, 'Messages an ephemeral session may have waiting behind its window.'),
  queuedBytesMax: whole(0, 2 ** 40, 16 * mebibyte, 'Bytes an ephemeral session may have waiting behind its window.'),
  queuePolicy: z
    .enum(['drop-oldest', 'drop-newest', 'disconnect'])
    .default('drop-newest')
    .meta({ description: 'What happens to a message over queuedMessagesMax or queuedBytesMax.' }),
  outputBufferBytesMax: whole(
    64 * kibibyte,
    2 ** 40,
    4 * mebibyte,
    'Bytes waiting for one socket; over it QoS 0 messages to that client are dropped, others wait in its log or queue.',
  ),
  memoryBytesMax: whole(
    0,
    2 ** 50,
    0,
    'Memory that the process may use; 0: the limit of its container, or else the memory of the machine. The next two are shares of it.',
  ),
  memoryHighPercent: whole(
    1,
    100,
    70,
    'Share of memory in use from which on new connections and subscriptions are refused, and the node is not ready.',
  ),
  memoryCriticalPercent: whole(
    1,
    100,
    85,
    'Share of memory in use from which on the largest buffers go: queues of ephemeral sessions, then connections that do not read.',
  ),
  writeTimeoutSeconds: whole(
    0,
    86_400,
    60,
    'A connection ends when bytes wait for its socket and it has taken none of them for this long; 0: never.',
  ),
  sessionExpiryMaxSeconds: whole(0, never, never, 'Longest session expiry a client may ask for; 4294967295: for ever.'),
  persistentSessionExpirySeconds: whole(
    0,
    never,
    never,
    'How long MQTT 3 sessions with clean session 0 are kept; 4294967295: for ever.',
  ),
  sessionsStoredMax: whole(
    0,
    1_000_000_000,
    1_000_000,
    'Durable sessions in the store. Over it a CONNECT that would store one more is refused with 0x97, for MQTT 3 with code 3; sessions that are stored go on.',
  ),
  sessionsPerUserMax: whole(
    0,
    1_000_000_000,
    500_000,
    'Durable sessions of one user; all anonymous clients together are one.',
  ),
  subscriptionsMax: whole(
    1,
    100_000_000,
    1000,
    'Subscriptions one session may hold. A stored session that has more keeps them, and is granted no others.',
  ),
  subscriptionBytesMax: whole(
    kibibyte,
    2 ** 40,
    4 * mebibyte,
    'Bytes that the subscriptions of one session may take: 512 for each, the length of its filter, and 128 for each level.',
  ),
  subscriptionsPerUserMax: whole(
    0,
    100_000_000,
    0,
    'Subscriptions that all sessions of one user may hold at one node; 0: any number within subscriptionBytesNodeMax.',
  ),
  subscriptionBytesNodeMax: whole(
    0,
    2 ** 36,
    0,
    'Bytes that the subscriptions of all clients of a node may take, counted as for subscriptionBytesMax; one user may take half of it, and so may all clients without a user name together. 0: half of the memory of the container or machine, divided by the number of workers, each of which knows them all.',
  ),
  filtersPerPacketMax: whole(
    1,
    100_000_000,
    1000,
    'Filters of one SUBSCRIBE that are looked at; those after them are refused. Clients that subscribe to all of their filters again by one packet (MQTT.js) need as many as they have.',
  ),
  sharedGroupsPerFilterMax: whole(
    1,
    65_535,
    8,
    'Shared groups on one filter that one session may be a member of; each of them is one more delivery of every message.',
  ),
  topicLevelsMax: whole(1, 65_535, 128, 'Levels of a topic or filter.'),
  topicBytesMax: whole(
    1,
    65_535,
    1024,
    'Bytes of a topic or filter, in UTF-8, with `$share/{group}/` and `$delayed/{seconds}/`. A longer topic is refused with 0x90, a filter with 0x8F (MQTT 3: 0x80), a will at CONNECT.',
  ),
  clientIdBytesMax: whole(
    1,
    65_535,
    256,
    'Bytes of a client identifier, in UTF-8. A longer one is refused with 0x85, for MQTT 3 with code 2.',
  ),
  connectionsMax: whole(
    1,
    100_000_000,
    1_000_000,
    'Connections one worker accepts; all workers together accept no more than the limit of open files (`ulimit -n`) leaves room for.',
  ),
  messagesInPerSecond: whole(
    0,
    2 ** 40,
    0,
    'PUBLISH packets a second from one client; over it the client is not read for a while, and nothing is lost. 0: any number.',
  ),
  bytesInPerSecond: whole(
    0,
    2 ** 40,
    0,
    'Bytes a second from one client, of all packets; over it the client is not read for a while. 0: any number.',
  ),
  messagesOutPerSecond: whole(
    0,
    2 ** 40,
    0,
    'PUBLISH packets a second to one client; over it QoS 1 and 2 wait, within the limits of queues, and QoS 0 is dropped. 0: any number.',
  ),
  bytesOutPerSecond: whole(
    0,
    2 ** 40,
    0,
    'Bytes a second to one client; over it as for messagesOutPerSecond. 0: any number.',
  ),
  userMessagesInPerSecond: whole(
    0,
    2 ** 40,
    0,
    'As messagesInPerSecond, for all clients of one user name at one node together.',
  ),
  userBytesInPerSecond: whole(
    0,
    2 ** 40,
    0,
    'As bytesInPerSecond, for all clients of one user name at one node together.',
  ),
  userMessagesOutPerSecond: whole(
    0,
    2 ** 40,
    0,
    'As messagesOutPerSecond, for all clients of one user name at one node together.',
  ),
  userBytesOutPerSecond: whole(
    0,
    2 ** 40,
    0,
    'As bytesOutPerSecond, for all clients of one user name at one node together.',
  ),
  subscribesPerSecond: whole(
    0,
    2 ** 40,
    0,
    'SUBSCRIBE and UNSUBSCRIBE packets a second of one client; over it the client is not read for a while. 0: any number.',
  ),
  rateBurstSeconds: whole(
    1,
    3600,
    5,
    'A client or user that was quiet may exceed its rates by what they allow in this time.',
  ),
  signInFailuresMax: whole(
    0,
    100_000,
    20,
    'Failed sign-ins of a device (client identifier, user name and address together) in the window, after which it is banned for a while; five times as many of a user name at an address. What has signed in lately is slowed, not banned. 0: nothing is banned or slowed.',
  ),
  signInFailuresPerAddressMax: whole(
    0,
    1_000_000,
    0,
    'Failed sign-ins of an address (IPv6: a network of 64 bits) in the window, after which it is banned for a while, if nobody has signed in there lately. 0: none is.',
  ),
  signInFailuresWindowSeconds: whole(1, 86_400, 300, 'The window in which failed sign-ins are counted.'),
  signInBanSeconds: whole(1, 604_800, 300, 'How long a ban for failed sign-ins lasts.'),
  flappingConnectsMax: whole(
    0,
    100_000,
    0,
    'Connects of a client identifier at an address in the window, after which both together are banned for a while. 0: none is.',
  ),
  flappingWindowSeconds: whole(1, 86_400, 60, 'The window in which connects are counted.'),
  flappingBanSeconds: whole(1, 604_800, 300, 'How long a ban for connecting too often lasts.'),
  connectionsPerAddressMax: whole(
    0,
    100_000_000,
    0,
    'Connections that one address may have to a node (IPv6: a network of 64 bits; behind PROXY headers the address of the client); further ones are closed at once. 0: any number, since thousands of clients may share one address.',
  ),
  connectRatePerAddress: whole(
    0,
    1_000_000,
    0,
    'Connections a second that one address may open to a node; further ones are closed at once. 0: any number.',
  ),
  connectBurstPerAddress: whole(1, 1_000_000, 100, 'Connections that an address which was quiet may open at once.'),
  logMessagesMax: whole(
    1,
    1_000_000_000,
    1_000_000,
    'Messages the log of one durable filter may hold; the oldest go first.',
  ),
  logBytesMax: whole(
    kibibyte,
    2 ** 50,
    1024 * mebibyte,
    'Bytes the log of one durable filter may hold; the oldest go first.',
  ),
  logsBytesMax: whole(
    64 * kibibyte,
    2 ** 50,
    64 * 1024 * mebibyte,
    'Bytes of the logs of all durable filters together; a message that is in several logs counts in each. Above seven eighths of it the largest logs are cut to one size, the oldest messages first, and smaller ones keep everything. A PUBLISH of QoS 1 or 2 that does not fit all the same is delivered to connected subscribers without a log and answered with 0x97; an MQTT 3 client is disconnected.',
  ),
  logPageMessages: whole(1, 65_535, 256, 'Messages read from a log at once.'),
  logPageBytes: whole(kibibyte, 2 ** 30, mebibyte, 'Bytes read from a log at once.'),
  retainedMessagesMax: whole(
    0,
    1_000_000_000,
    1_000_000,
    'Retained messages in the store. Over it a PUBLISH with RETAIN for a new topic is delivered and not retained, and is answered with 0x97; an MQTT 3 client is disconnected, unless it sent QoS 0.',
  ),
  retainedBytesMax: whole(0, 2 ** 50, 1024 * mebibyte, 'Bytes of all retained messages, with the same answer.'),
  retainedMessagesPerUserMax: whole(
    0,
    1_000_000_000,
    500_000,
    'Retained messages of one user; all anonymous clients together are one. Replacing a message of the same user needs no more room, an empty message gives it back.',
  ),
  retainedBytesPerUserMax: whole(0, 2 ** 50, 512 * mebibyte, 'Bytes of the retained messages of one user.'),
  delayedMessagesMax: whole(
    0,
    1_000_000_000,
    100_000,
    'Delayed messages in the store. Over it a PUBLISH to `$delayed/…` is answered with 0x97; an MQTT 3 client is disconnected, unless it sent QoS 0, which is dropped.',
  ),
  delayedBytesMax: whole(0, 2 ** 50, 256 * mebibyte, 'Bytes of all delayed messages, with the same answer.'),
  delayedMessagesPerUserMax: whole(
    0,
    1_000_000_000,
    50_000,
    'Delayed messages of one user; all anonymous clients together are one.',
  ),
  delayedBytesPerUserMax: whole(0, 2 ** 50, 128 * mebibyte, 'Bytes of the delayed messages of one user.'),
  delayMaxSeconds: whole(0, never, 4_294_967, 'Delayed publishes further in the future than this are refused.'),
  sharedStrategy: z
    .enum(['round-robin', 'least-inflight', 'hash-topic', 'hash-client', 'sticky', 'local-first'])
    .default('round-robin')
    .meta({ description: 'Which member of a shared subscription gets a message.' }),
  groupMessageTtlSeconds: whole(
    0,
    never,
    0,
    'A message that waits for a shared group with durable members is dropped after this, for this group alone; 0: never.',
  ),
  groupDeliveriesMax: whole(
    0,
    65_535,
    16,
    'Deliveries to members of such a group that end without an acknowledgement, after which a message goes to `$dead-letter/{group}/{topic}`; 0: any number.',
  ),
  routeConfirmMilliseconds: whole(
    1,
    60_000,
    2000,
    'SUBACK waits at most this long for other endpoints to confirm a route.',
  ),
  linkBytesMax: whole(
    64 * kibibyte,
    2 ** 40,
    8 * mebibyte,
    'Unacknowledged bytes of the link to another endpoint; over it publishers are not read.',
  ),
  matchCacheMax: whole(0, 100_000_000, 65_536, 'Topics in the match cache of a worker.'),
  retainAvailable: yesOrNo(true, 'Retained messages are kept and sent.'),
  wildcardSubscriptionAvailable: yesOrNo(true, 'Filters with wildcards are taken.'),
  sharedSubscriptionAvailable: yesOrNo(true, 'Shared subscriptions are taken.'),
  maximumQos: z
    .union([z.literal(0), z.literal(1), z.literal(2)])
    .default(2)
    .meta({ description: 'Highest QoS that clients may publish with.' }),
  sysIntervalSeconds: whole(0, 86_400, 10, 'Seconds between publications of the `$SYS` topics; 0: none.'),
};
