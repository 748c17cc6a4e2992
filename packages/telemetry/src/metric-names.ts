// The table of all metrics: name, type, help, labels, and where each is counted. docs/metrics.md is made of it.
import { closeReasons, dropReasons } from '@dunlin/broker';
import { by, byListener, histogram, type MetricRow, one } from './metric-rows.ts';
import { notReadyReasons } from './node-figures.ts';
import { storeOperations } from './worker-figures.ts';

const qosLevels = ['0', '1', '2'] as const;
const versions = ['3', '4', '5'] as const;

/** Packets but PUBLISH, which is counted by QoS: name and type of the fixed header. */
const packetsFromClients = {
  connect: 1,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  unsubscribe: 10,
  pingreq: 12,
  disconnect: 14,
  auth: 15,
} as const;
const packetsToClients = {
  connack: 2,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  suback: 9,
  unsuback: 11,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;
const fromClients = Object.keys(packetsFromClients) as (keyof typeof packetsFromClients)[];
const toClients = Object.keys(packetsToClients) as (keyof typeof packetsToClients)[];

/** Part of the whole at QoS 0: the rest. Its way is the hottest, and counts one thing less. */
function split(qos: string, all: number, first: number, second: number): number {
  return qos === '0' ? all - first - second : qos === '1' ? first : second;
}

const queues = {
  'session-window': 'messagesWaiting',
  'log-append': 'appendsWaiting',
  'store-write': 'writesWaiting',
  acknowledgement: 'acknowledgementsWaiting',
} as const;
const queueNames = Object.keys(queues) as (keyof typeof queues)[];

// biome-ignore format: a table
export const metricRows: readonly MetricRow[] = [
  // Connections and sessions
  { name: 'dunlin_connections', type: 'gauge', merge: 'sum', labels: ['listener', 'version'], help: 'Clients that are connected, by protocol level (3: MQTT 3.1, 4: 3.1.1, 5: 5.0).', samples: byListener(versions, (listener, version) => listener.connected[Number(version)]) },
  { name: 'dunlin_connections_opened_total', type: 'counter', merge: 'sum', labels: ['listener'], help: 'Connections that were accepted.', samples: byListener([''], (listener) => listener.opened) },
  { name: 'dunlin_connections_closed_total', type: 'counter', merge: 'sum', labels: ['listener', 'reason'], help: 'Connections that have ended, by reason.', samples: byListener(closeReasons, (listener, reason) => listener.closed[reason]) },
  { name: 'dunlin_connects_refused_total', type: 'counter', merge: 'sum', labels: [], help: 'CONNECT packets that were refused, and connections on which none came.', samples: one((m) => m.connectsRefused) },
  { name: 'dunlin_authentications_total', type: 'counter', merge: 'sum', labels: ['result'], help: 'Clients that were let in, and that were not.', samples: by(['accepted', 'refused'], (m, result) => (result === 'accepted' ? m.authenticationsAccepted : m.authenticationsRefused)) },
  { name: 'dunlin_protocol_errors_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that were ended because the client broke a rule of MQTT.', samples: one((m) => m.protocolErrors) },
  { name: 'dunlin_errors_escaped_total', type: 'counter', merge: 'sum', labels: [], help: 'Errors that no part of the broker was prepared for: at most one connection ended with each, and the log has its stack.', samples: one((m) => m.errorsEscaped) },
  { name: 'dunlin_sessions', type: 'gauge', merge: 'sum', labels: [], help: 'Sessions of connected clients.', samples: one((m) => m.sessions) },
  { name: 'dunlin_sessions_stored', type: 'gauge', merge: 'sum', labels: [], help: 'Durable sessions in the store, connected or not; told by the one worker of the cluster that looks after them, 0 elsewhere.', samples: one((m) => m.sessionsStored) },
  { name: 'dunlin_sessions_expired_total', type: 'counter', merge: 'sum', labels: [], help: 'Durable sessions that ended since their client did not come back in time.', samples: one((m) => m.sessionsExpired) },
  { name: 'dunlin_takeovers_total', type: 'counter', merge: 'sum', labels: [], help: 'Sessions that were taken over from another worker or node.', samples: one((m) => m.takeovers) },
  { name: 'dunlin_contested_takeovers_total', type: 'counter', merge: 'sum', labels: [], help: 'Takeovers of client identifiers that had been taken over more than ten times in a minute: several clients have one.', samples: one((m) => m.contestedTakeovers) },
  { name: 'dunlin_fatal_messages_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that ended after the same message had been sent, from the third in a row on: a client that may not bear that message, and gets it again each time.', samples: one((m) => m.fatalMessages) },
  { name: 'dunlin_wills_published_total', type: 'counter', merge: 'sum', labels: [], help: 'Wills that were published.', samples: one((m) => m.willsPublished) },
  { name: 'dunlin_wills_late_total', type: 'counter', merge: 'sum', labels: [], help: 'Wills that were not with everybody three seconds after the end of their connection: their client may be connected again, and say so, before they come.', samples: one((m) => m.willsLate) },
  // Subscriptions and routes
  { name: 'dunlin_subscriptions', type: 'gauge', merge: 'sum', labels: [], help: 'Subscriptions of connected clients.', samples: one((m) => m.subscriptions) },
  { name: 'dunlin_shared_subscriptions', type: 'gauge', merge: 'sum', labels: [], help: 'Those of them that are members of shared groups.', samples: one((m) => m.sharedSubscriptions) },
  { name: 'dunlin_subscriptions_added_total', type: 'counter', merge: 'sum', labels: [], help: 'Subscriptions that came into force, after a reconnect too.', samples: one((m) => m.subscriptionsAdded) },
  { name: 'dunlin_subscriptions_removed_total', type: 'counter', merge: 'sum', labels: [], help: 'Subscriptions that went, with their client too.', samples: one((m) => m.subscriptionsRemoved) },
  { name: 'dunlin_routes', type: 'gauge', merge: 'sum', labels: [], help: 'Filters and shared groups that the workers have told the others of.', samples: one((m) => m.routes) },
  { name: 'dunlin_durable_filters', type: 'gauge', merge: 'least', labels: [], help: 'Filters with a log, as the worker knows them that knows fewest.', samples: one((m) => m.durableFilters) },
  { name: 'dunlin_route_repairs_total', type: 'counter', merge: 'sum', labels: [], help: 'Whole sets of routes that were asked for because something was lost.', samples: one((m) => m.routeRepairs) },
  { name: 'dunlin_route_confirm_timeouts_total', type: 'counter', merge: 'sum', labels: [], help: 'Subscriptions that were acknowledged although another worker had not confirmed the route in time.', samples: one((m) => m.barrierTimeouts) },
  { name: 'dunlin_handshakes_failed_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that ended before their first MQTT byte: TLS or WebSocket handshakes that failed or took too long.', samples: one((m) => m.handshakesFailed) },
  { name: 'dunlin_proxy_headers_refused_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections without the PROXY header that their listener requires, with a wrong one, or from an address that is not trusted.', samples: one((m) => m.proxyHeadersRefused) },
  { name: 'dunlin_listener_full_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that were closed because their listener had its most.', samples: one((m) => m.listenerFull) },
  { name: 'dunlin_open_files_full_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that were closed at once since the process may open no more files.', samples: one((m) => m.openFilesFull) },
  { name: 'dunlin_drained_connections_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that were sent away because the node is being drained.', samples: one((m) => m.drained) },
  // Messages and bytes
  { name: 'dunlin_messages_received_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'PUBLISH packets from clients.', samples: by(qosLevels, (m, qos) => split(qos, m.publishesReceived, m.publishesReceived1, m.publishesReceived2)) },
  { name: 'dunlin_messages_sent_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'PUBLISH packets to clients, those that were sent again too.', samples: by(qosLevels, (m, qos) => split(qos, m.publishesSent, m.publishesSent1, m.publishesSent2)) },
  { name: 'dunlin_message_received_bytes_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'Whole PUBLISH packets from clients, in bytes.', samples: by(qosLevels, (m, qos) => split(qos, m.publishBytesReceived, m.publishBytesReceived1, m.publishBytesReceived2)) },
  { name: 'dunlin_message_sent_bytes_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'Whole PUBLISH packets to clients, in bytes.', samples: by(qosLevels, (m, qos) => split(qos, m.publishBytesSent, m.publishBytesSent1, m.publishBytesSent2)) },
  { name: 'dunlin_messages_dropped_total', type: 'counter', merge: 'sum', labels: ['reason'], help: 'Messages, or deliveries of one, that ended otherwise than by arriving.', samples: by(dropReasons, (m, reason) => m.dropped[reason]) },
  { name: 'dunlin_messages_retained', type: 'gauge', merge: 'sum', labels: [], help: 'Retained messages in the store; told by the one worker of the cluster that looks after them, 0 elsewhere.', samples: one((m) => m.messagesRetained) },
  { name: 'dunlin_packets_received_total', type: 'counter', merge: 'sum', labels: ['type'], help: 'Packets from clients but PUBLISH.', samples: by(fromClients, (m, type) => m.packetsReceived[packetsFromClients[type]]) },
  { name: 'dunlin_packets_given_up_total', type: 'counter', merge: 'sum', labels: [], help: 'Packets that were read and never took effect: their connection was reset, or ended by the broker, before their turn came behind something that was waited for.', samples: one((m) => m.packetsGivenUp) },
  { name: 'dunlin_packets_sent_total', type: 'counter', merge: 'sum', labels: ['type'], help: 'Packets to clients but PUBLISH.', samples: by(toClients, (m, type) => m.packetsSent[packetsToClients[type]]) },
  { name: 'dunlin_network_received_bytes_total', type: 'counter', merge: 'sum', labels: [], help: 'Bytes from clients.', samples: one((m) => m.bytesReceived) },
  { name: 'dunlin_network_sent_bytes_total', type: 'counter', merge: 'sum', labels: [], help: 'Bytes to clients.', samples: one((m) => m.bytesSent) },
  { name: 'dunlin_acknowledgement_seconds', type: 'histogram', merge: 'sum', labels: [], help: 'From reading a PUBLISH of QoS 1 or 2 to its PUBACK or PUBREC; what waits for nobody counts as none.', samples: () => histogram([], ({ broker }) => broker.acknowledgementSeconds) },
  // Queues and logs
  { name: 'dunlin_queue_messages', type: 'gauge', merge: 'sum', labels: ['queue'], help: 'What waits: for the window of a session, for a log, for the store, or as an acknowledgement for any of these.', samples: by(queueNames, (m, queue) => m[queues[queue]]) },
  { name: 'dunlin_log_appends_total', type: 'counter', merge: 'sum', labels: [], help: 'Messages that were added to logs.', samples: one((m) => m.logAppends) },
  { name: 'dunlin_log_gaps_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that a message of a log came before those before it, and these were read from the store.', samples: one((m) => m.logGaps) },
  { name: 'dunlin_logs_behind_total', type: 'counter', merge: 'sum', labels: [], help: 'Idle logs that turned out to go further than was heard.', samples: one((m) => m.logsBehind) },
  { name: 'dunlin_group_lag_messages', type: 'gauge', merge: 'sum', labels: [], help: 'Messages that wait in logs for shared groups; told by the one worker of the cluster that looks after them, 0 elsewhere.', samples: one((m) => m.groupLag) },
  { name: 'dunlin_group_lag_most_messages', type: 'gauge', merge: 'sum', labels: [], help: 'The same of the group with most.', samples: one((m) => m.groupLagMax) },
  { name: 'dunlin_group_returned_messages_total', type: 'counter', merge: 'sum', labels: [], help: 'Messages that a member of a shared group left unacknowledged and another gets.', samples: one((m) => m.groupGiveBacks) },
  { name: 'dunlin_dead_letters_total', type: 'counter', merge: 'sum', labels: [], help: 'Messages of shared groups that were delivered in vain too often.', samples: one((m) => m.deadLetters) },
  // Store
  { name: 'dunlin_store_connected', type: 'gauge', merge: 'least', labels: [], help: '1 while every worker reaches the store, else 0.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.storeConnected }] },
  { name: 'dunlin_store_noeviction', type: 'gauge', merge: 'least', labels: [], help: '1 while Redis evicts nothing, or there is none, else 0: with its maxmemory-policy a full memory would cost sessions and messages.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.storeNoeviction }] },
  { name: 'dunlin_store_writable', type: 'gauge', merge: 'least', labels: [], help: '1 while the store takes the writes of every worker, else 0: a full disk, a Redis that is full or refuses. Then publishes to durable sessions wait.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.storeWritable }] },
  { name: 'dunlin_store_seconds', type: 'histogram', merge: 'sum', labels: ['operation'], help: 'How long calls to the store took, those that failed too.', samples: () => storeOperations.flatMap((operation) => histogram([operation], ({ storeSeconds }) => storeSeconds[operation])) },
  { name: 'dunlin_store_errors_total', type: 'counter', merge: 'sum', labels: [], help: 'Calls to the store that failed.', samples: one((m) => m.storeErrors) },
  { name: 'dunlin_store_outages_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that a worker lost the store.', samples: one((m) => m.storeOutages) },
  { name: 'dunlin_store_setbacks_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that a worker found the store with less than it had: it came from an older copy, or empty. The durable sessions of that worker started over.', samples: one((m) => m.storeSetbacks) },
  // Backplane
  { name: 'dunlin_backplane_connected', type: 'gauge', merge: 'least', labels: [], help: '1 while every worker reaches the other nodes, else 0.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.backplaneConnected }] },
  { name: 'dunlin_endpoints', type: 'gauge', merge: 'least', labels: [], help: 'Other workers, of this node and of others, as the worker knows them that knows fewest.', samples: one((m) => m.endpoints) },
  { name: 'dunlin_links_full', type: 'gauge', merge: 'sum', labels: [], help: 'Links to other workers that have no room: publishers that feed them are not read.', samples: one((m) => m.linksFull) },
  { name: 'dunlin_link_unacknowledged_bytes', type: 'gauge', merge: 'sum', labels: [], help: 'Bytes sent to other workers that they have not acknowledged.', samples: one((m) => m.linkBytes) },
  { name: 'dunlin_link_seconds', type: 'histogram', merge: 'sum', labels: [], help: 'From sending a frame that must arrive at another worker to its acknowledgement.', samples: () => histogram([], ({ broker }) => broker.linkSeconds) },
  { name: 'dunlin_link_holds_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that a publisher was not read for a while since a link was full.', samples: one((m) => m.linkHolds) },
  { name: 'dunlin_frames_sent_total', type: 'counter', merge: 'sum', labels: [], help: 'Frames with messages to other workers.', samples: one((m) => m.framesSent) },
  { name: 'dunlin_frames_received_total', type: 'counter', merge: 'sum', labels: [], help: 'Frames with messages from other workers.', samples: one((m) => m.framesReceived) },
  { name: 'dunlin_frames_repeated_total', type: 'counter', merge: 'sum', labels: [], help: 'Frames that were sent again.', samples: one((m) => m.framesRepeated) },
  // Traces
  { name: 'dunlin_spans_total', type: 'counter', merge: 'sum', labels: ['result'], help: 'Spans of publishes and deliveries that are traced, and those that were left out since there were more than tracing.spansPerSecondMax.', samples: by(['started', 'skipped'], (m, result) => (result === 'started' ? m.spansStarted : m.spansSkipped)) },
  // Threads
  { name: 'dunlin_event_loop_delay_seconds', type: 'histogram', merge: 'each', labels: ['worker'], help: 'How late the event loop of a worker came to a timer that is due four times a second.', samples: () => histogram([], ({ delaySeconds }) => delaySeconds) },
  { name: 'dunlin_worker_active_seconds_total', type: 'counter', merge: 'each', labels: ['worker'], help: 'Time that the event loop of a worker was at work: its rate is the utilization of the worker.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.activeSeconds }] },
  { name: 'dunlin_worker_heap_bytes', type: 'gauge', merge: 'each', labels: ['worker'], help: 'Heap in use of a worker.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.heapBytes }] },
  { name: 'dunlin_worker_external_bytes', type: 'gauge', merge: 'each', labels: ['worker'], help: 'Buffers of a worker outside of its heap: messages that wait, and bytes on their way to clients.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.externalBytes }] },
  // Node
  { name: 'dunlin_workers_listening', type: 'gauge', merge: 'node', labels: [], help: 'Workers that accept connections.', samples: () => [{ labels: [], suffix: '', read: (node) => node.listening }] },
  { name: 'dunlin_workers_replaced_total', type: 'counter', merge: 'node', labels: [], help: 'Workers that died, and whose place another has taken.', samples: () => [{ labels: [], suffix: '', read: (node) => node.replaced }] },
  { name: 'dunlin_ready', type: 'gauge', merge: 'node', labels: [], help: '1 while the node is ready for clients, as /readyz says.', samples: () => [{ labels: [], suffix: '', read: (node) => (node.isReady ? 1 : 0) }] },
  { name: 'dunlin_not_ready', type: 'gauge', merge: 'node', labels: ['reason'], help: '1 for each reason why the node is not ready, else 0. A node that is told to end is draining until its process has ended.', samples: () => notReadyReasons.map((reason) => ({ labels: [reason], suffix: '', read: (node) => (node.notReady.includes(reason) ? 1 : 0) })) },
  { name: 'dunlin_connections_max', type: 'gauge', merge: 'node', labels: [], help: 'Connections that all workers of the node may have at once: what the configuration lets them, or what the limit of open files leaves room for when that is less.', samples: () => [{ labels: [], suffix: '', read: (node) => node.connectionsMax }] },
  { name: 'dunlin_certificate_end_time_seconds', type: 'gauge', merge: 'node', labels: ['listener'], help: 'When the first of the certificates that a listener shows to clients ends, those between it and its authority too, seconds since 1970; of listeners with TLS alone.', samples: ({ certificateEnds }) => certificateEnds.map(({ listener, endsAt }) => ({ labels: [listener], suffix: '', read: () => endsAt })) },
  { name: 'dunlin_memory_limit_bytes', type: 'gauge', merge: 'node', labels: [], help: 'What the process may use: the limit of its container, else the memory of the machine.', samples: () => [{ labels: [], suffix: '', read: (node) => node.memoryLimitBytes }] },
  { name: 'dunlin_memory_bytes', type: 'gauge', merge: 'node', labels: ['kind'], help: 'Memory of the process: resident; of all its threads together the heaps in use, and buffers outside of them, where messages wait.', samples: () => [{ labels: ['resident'], suffix: '', read: (node) => node.residentBytes }, { labels: ['heap'], suffix: '', read: (node) => node.heapBytes }, { labels: ['external'], suffix: '', read: (node) => node.externalBytes }] },
  { name: 'dunlin_cpu_seconds_total', type: 'counter', merge: 'node', labels: ['mode'], help: 'Time of the processor that the process has used.', samples: () => [{ labels: ['user'], suffix: '', read: (node) => node.cpuUserSeconds }, { labels: ['system'], suffix: '', read: (node) => node.cpuSystemSeconds }] },
  { name: 'process_open_fds', type: 'gauge', merge: 'node', labels: [], help: 'Files that the process has open, with its sockets: each connection is one. Linux alone.', samples: ({ openFiles }) => (openFiles === null ? [] : [{ labels: [], suffix: '', read: () => openFiles.open }]) },
  { name: 'process_max_fds', type: 'gauge', merge: 'node', labels: [], help: 'Files that the process may have open (ulimit -n, LimitNOFILE=). Linux alone.', samples: ({ openFiles }) => (openFiles === null ? [] : [{ labels: [], suffix: '', read: () => openFiles.max }]) },
  { name: 'dunlin_start_time_seconds', type: 'gauge', merge: 'node', labels: [], help: 'When the process started, seconds since 1970.', samples: () => [{ labels: [], suffix: '', read: (node) => node.startedAt }] },
  { name: 'dunlin_build_info', type: 'gauge', merge: 'node', labels: ['version', 'runtime'], help: '1, with what runs as labels.', samples: ({ version, runtime }) => [{ labels: [version, runtime], suffix: '', read: () => 1 }] },
];
