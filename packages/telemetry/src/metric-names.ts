// The table of all metrics: name, type, help, labels, and where each is counted. docs/metrics.md is made of it.
import {
  closeReasons,
  connectRefusals,
  dropReasons,
  questionKinds,
  questionResults,
  subscriptionRefusals,
} from '@dunlin/broker/ports';
import { by, byListener, histogram, type MetricRow, one } from './metric-rows.ts';
import { notReadyReasons } from './node-figures.ts';
import { backplaneRefusals, storeOperations } from './worker-figures.ts';

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

const authenticationFields = {
  accepted: 'authenticationsAccepted',
  refused: 'authenticationsRefused',
  gone: 'authenticationsGone',
  overloaded: 'authenticationsOverloaded',
} as const;
const authenticationResults = Object.keys(authenticationFields) as (keyof typeof authenticationFields)[];

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
  { name: 'dunlin_connects_refused_total', type: 'counter', merge: 'sum', labels: ['reason'], help: 'CONNECT packets that were refused, and connections on which none came, by reason.', samples: by(connectRefusals, (m, reason) => m.connectsRefused[reason]) },
  { name: 'dunlin_authentications_total', type: 'counter', merge: 'sum', labels: ['result'], help: 'Attempts of clients to authenticate: accepted, refused, gone (the connection had closed before its turn came) and overloaded (too many waited, or had failed at this address or account).', samples: by(authenticationResults, (m, result) => m[authenticationFields[result]]) },
  { name: 'dunlin_http_auth_questions_total', type: 'counter', merge: 'sum', labels: ['question', 'result'], help: 'Questions to the HTTP service for sign-in and rights: answered, failed (not in time, or with a status that says nothing) and not-asked (too many were under way, or the service was left alone because it had failed).', samples: () => questionKinds.flatMap((kind) => questionResults.map((result) => ({ labels: [kind, result], suffix: '', read: ({ httpQuestions }) => httpQuestions[kind].results[result] }))) },
  { name: 'dunlin_http_auth_seconds', type: 'histogram', merge: 'sum', labels: ['question'], help: 'Duration of questions to the HTTP service, including failed ones.', samples: () => questionKinds.flatMap((kind) => histogram([kind], ({ httpQuestions }) => httpQuestions[kind].seconds)) },
  { name: 'dunlin_http_auth_circuits_open', type: 'gauge', merge: 'sum', labels: ['question'], help: 'Workers that leave the HTTP service alone because it failed five times in a row, until it answers again.', samples: () => questionKinds.map((kind) => ({ labels: [kind], suffix: '', read: ({ httpQuestions }) => httpQuestions[kind].circuitOpen })) },
  { name: 'dunlin_protocol_errors_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that were ended because the client broke a rule of MQTT.', samples: one((m) => m.protocolErrors) },
  { name: 'dunlin_errors_escaped_total', type: 'counter', merge: 'sum', labels: [], help: 'Unexpected errors: each ended at most one connection, and the log has its stack trace.', samples: one((m) => m.errorsEscaped) },
  { name: 'dunlin_sessions', type: 'gauge', merge: 'sum', labels: [], help: 'Sessions of connected clients.', samples: one((m) => m.sessions) },
  { name: 'dunlin_sessions_stored', type: 'gauge', merge: 'sum', labels: [], help: 'Durable sessions in the store, connected or not; reported by one worker of the cluster, 0 elsewhere.', samples: one((m) => m.sessionsStored) },
  { name: 'dunlin_sessions_expired_total', type: 'counter', merge: 'sum', labels: [], help: 'Durable sessions that expired because their client did not reconnect in time.', samples: one((m) => m.sessionsExpired) },
  { name: 'dunlin_takeovers_total', type: 'counter', merge: 'sum', labels: [], help: 'Sessions that were taken over from another worker or node.', samples: one((m) => m.takeovers) },
  { name: 'dunlin_contested_takeovers_total', type: 'counter', merge: 'sum', labels: [], help: 'Takeovers of client identifiers that had been taken over more than ten times in a minute: several clients use the same one.', samples: one((m) => m.contestedTakeovers) },
  { name: 'dunlin_fatal_messages_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that ended after the same message had been sent, from the third in a row on: the client possibly cannot handle that message, and receives it again each time.', samples: one((m) => m.fatalMessages) },
  { name: 'dunlin_wills_published_total', type: 'counter', merge: 'sum', labels: [], help: 'Wills that were published.', samples: one((m) => m.willsPublished) },
  { name: 'dunlin_wills_late_total', type: 'counter', merge: 'sum', labels: [], help: 'Wills that were not delivered to all workers three seconds after the end of their connection: their client may reconnect and publish its state before them.', samples: one((m) => m.willsLate) },
  // Subscriptions and routes
  { name: 'dunlin_subscriptions', type: 'gauge', merge: 'sum', labels: [], help: 'Subscriptions of connected clients.', samples: one((m) => m.subscriptions) },
  { name: 'dunlin_shared_subscriptions', type: 'gauge', merge: 'sum', labels: [], help: 'Subscriptions of connected clients that are members of shared groups.', samples: one((m) => m.sharedSubscriptions) },
  { name: 'dunlin_subscriptions_added_total', type: 'counter', merge: 'sum', labels: [], help: 'Subscriptions that were activated, including those activated again after a reconnect.', samples: one((m) => m.subscriptionsAdded) },
  { name: 'dunlin_subscriptions_refused_total', type: 'counter', merge: 'sum', labels: ['reason'], help: 'Filters that SUBACK refused, by the rules or a limit.', samples: by(subscriptionRefusals, (m, reason) => m.subscriptionsRefused[reason]) },
  { name: 'dunlin_subscriptions_removed_total', type: 'counter', merge: 'sum', labels: [], help: 'Subscriptions that ended, including those that ended with the connection of their client.', samples: one((m) => m.subscriptionsRemoved) },
  { name: 'dunlin_routes', type: 'gauge', merge: 'sum', labels: [], help: 'Filters and shared groups that the workers have announced to other workers.', samples: one((m) => m.routes) },
  { name: 'dunlin_durable_filters', type: 'gauge', merge: 'least', labels: [], help: 'Filters with a log; the lowest number that a worker knows.', samples: one((m) => m.durableFilters) },
  { name: 'dunlin_route_repairs_total', type: 'counter', merge: 'sum', labels: [], help: 'Complete sets of routes that were requested because an update was lost.', samples: one((m) => m.routeRepairs) },
  { name: 'dunlin_route_confirm_timeouts_total', type: 'counter', merge: 'sum', labels: [], help: 'Subscriptions that were acknowledged although another worker had not confirmed the route in time.', samples: one((m) => m.barrierTimeouts) },
  { name: 'dunlin_handshakes_failed_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that ended before their first MQTT byte: TLS or WebSocket handshakes that failed or took too long.', samples: one((m) => m.handshakesFailed) },
  { name: 'dunlin_proxy_headers_refused_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections without the PROXY header that their listener requires, with a wrong one, or from an address that is not trusted.', samples: one((m) => m.proxyHeadersRefused) },
  { name: 'dunlin_listener_full_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that were closed because their listener had reached its limit.', samples: one((m) => m.listenerFull) },
  { name: 'dunlin_open_files_full_total', type: 'counter', merge: 'sum', labels: [], help: 'Connections that were closed at once because the process may open no more files.', samples: one((m) => m.openFilesFull) },
  { name: 'dunlin_drained_connections_total', type: 'counter', merge: 'sum', labels: [], help: 'Clients that were disconnected because the node is being drained.', samples: one((m) => m.drained) },
  // Messages and bytes
  { name: 'dunlin_messages_received_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'PUBLISH packets from clients.', samples: by(qosLevels, (m, qos) => split(qos, m.publishesReceived, m.publishesReceived1, m.publishesReceived2)) },
  { name: 'dunlin_messages_sent_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'PUBLISH packets to clients, including repeated ones.', samples: by(qosLevels, (m, qos) => split(qos, m.publishesSent, m.publishesSent1, m.publishesSent2)) },
  { name: 'dunlin_message_received_bytes_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'Whole PUBLISH packets from clients, in bytes.', samples: by(qosLevels, (m, qos) => split(qos, m.publishBytesReceived, m.publishBytesReceived1, m.publishBytesReceived2)) },
  { name: 'dunlin_message_sent_bytes_total', type: 'counter', merge: 'sum', labels: ['qos'], help: 'Whole PUBLISH packets to clients, in bytes.', samples: by(qosLevels, (m, qos) => split(qos, m.publishBytesSent, m.publishBytesSent1, m.publishBytesSent2)) },
  { name: 'dunlin_messages_dropped_total', type: 'counter', merge: 'sum', labels: ['reason'], help: 'Messages, or single deliveries of a message, that did not arrive.', samples: by(dropReasons, (m, reason) => m.dropped[reason]) },
  { name: 'dunlin_messages_retained', type: 'gauge', merge: 'sum', labels: [], help: 'Retained messages in the store; reported by one worker of the cluster, 0 elsewhere.', samples: one((m) => m.messagesRetained) },
  { name: 'dunlin_packets_received_total', type: 'counter', merge: 'sum', labels: ['type'], help: 'Packets from clients, except PUBLISH.', samples: by(fromClients, (m, type) => m.packetsReceived[packetsFromClients[type]]) },
  { name: 'dunlin_rate_limited_total', type: 'counter', merge: 'sum', labels: ['direction'], help: 'Times that a client came over a rate of its own or of its user (limits): `in`: it was not read for a while; `out`: it was sent no messages.', samples: by(['in', 'out'], (m, direction) => (direction === 'in' ? m.rateLimitedIn : m.rateLimitedOut)) },
  { name: 'dunlin_packets_given_up_total', type: 'counter', merge: 'sum', labels: [], help: 'Packets that were read and never took effect: their connection was reset, or closed by the broker, while they waited for their turn.', samples: one((m) => m.packetsGivenUp) },
  { name: 'dunlin_packets_sent_total', type: 'counter', merge: 'sum', labels: ['type'], help: 'Packets to clients, except PUBLISH.', samples: by(toClients, (m, type) => m.packetsSent[packetsToClients[type]]) },
  { name: 'dunlin_network_received_bytes_total', type: 'counter', merge: 'sum', labels: [], help: 'Bytes from clients.', samples: one((m) => m.bytesReceived) },
  { name: 'dunlin_network_sent_bytes_total', type: 'counter', merge: 'sum', labels: [], help: 'Bytes to clients.', samples: one((m) => m.bytesSent) },
  { name: 'dunlin_acknowledgement_seconds', type: 'histogram', merge: 'sum', labels: [], help: 'Time from reading a PUBLISH of QoS 1 or 2 to its PUBACK or PUBREC; 0 if it did not have to wait.', samples: () => histogram([], ({ broker }) => broker.acknowledgementSeconds) },
  // Queues and logs
  { name: 'dunlin_queue_messages', type: 'gauge', merge: 'sum', labels: ['queue'], help: 'Messages that wait for the window of a session, for a log or for the store, and acknowledgements that wait for any of these.', samples: by(queueNames, (m, queue) => m[queues[queue]]) },
  { name: 'dunlin_log_appends_total', type: 'counter', merge: 'sum', labels: [], help: 'Messages that were added to logs.', samples: one((m) => m.logAppends) },
  { name: 'dunlin_log_gaps_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that a message of a log arrived before an earlier one, so that the missing ones were read from the store.', samples: one((m) => m.logGaps) },
  { name: 'dunlin_logs_behind_total', type: 'counter', merge: 'sum', labels: [], help: 'Idle logs that turned out to have messages which the worker had not received.', samples: one((m) => m.logsBehind) },
  { name: 'dunlin_group_lag_messages', type: 'gauge', merge: 'sum', labels: [], help: 'Messages that wait in logs for shared groups; reported by one worker of the cluster, 0 elsewhere.', samples: one((m) => m.groupLag) },
  { name: 'dunlin_group_lag_most_messages', type: 'gauge', merge: 'sum', labels: [], help: 'Messages that wait for the shared group with the most waiting messages.', samples: one((m) => m.groupLagMax) },
  { name: 'dunlin_group_returned_messages_total', type: 'counter', merge: 'sum', labels: [], help: 'Messages that a member of a shared group left unacknowledged and that go to another member.', samples: one((m) => m.groupGiveBacks) },
  { name: 'dunlin_dead_letters_total', type: 'counter', merge: 'sum', labels: [], help: 'Messages of shared groups that reached the limit of failed deliveries.', samples: one((m) => m.deadLetters) },
  // Store
  { name: 'dunlin_store_connected', type: 'gauge', merge: 'least', labels: [], help: '1 while every worker can reach the store, else 0.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.storeConnected }] },
  { name: 'dunlin_store_noeviction', type: 'gauge', merge: 'least', labels: [], help: '1 while Redis does not evict, or no Redis is used, else 0: with its maxmemory-policy a full memory would delete sessions and messages.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.storeNoeviction }] },
  { name: 'dunlin_store_writable', type: 'gauge', merge: 'least', labels: [], help: '1 while the store accepts the writes of every worker, else 0: the disk is full, or Redis is full or refuses writes. Publishes to durable sessions then wait.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.storeWritable }] },
  { name: 'dunlin_store_seconds', type: 'histogram', merge: 'sum', labels: ['operation'], help: 'Duration of calls to the store, including failed ones.', samples: () => storeOperations.flatMap((operation) => histogram([operation], ({ storeSeconds }) => storeSeconds[operation])) },
  { name: 'dunlin_store_errors_total', type: 'counter', merge: 'sum', labels: [], help: 'Calls to the store that failed.', samples: one((m) => m.storeErrors) },
  { name: 'dunlin_store_outages_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that a worker lost the store.', samples: one((m) => m.storeOutages) },
  { name: 'dunlin_store_setbacks_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that a worker found less data in the store than before: the store was restored from an older copy, or is empty. The durable sessions of that worker were reset.', samples: one((m) => m.storeSetbacks) },
  // Backplane
  { name: 'dunlin_backplane_connected', type: 'gauge', merge: 'least', labels: [], help: '1 while every worker can reach the other nodes, else 0.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.backplaneConnected }] },
  { name: 'dunlin_backplane_refused_total', type: 'counter', merge: 'sum', labels: ['reason'], help: 'Messages of other nodes that were not used: without a signature, with a wrong one, heard before, or not readable.', samples: () => backplaneRefusals.map((reason) => ({ labels: [reason], suffix: '', read: (figures) => figures.backplaneRefused[reason] })) },
  { name: 'dunlin_endpoints', type: 'gauge', merge: 'least', labels: [], help: 'Other workers, of this node and of other nodes; the lowest number that a worker knows.', samples: one((m) => m.endpoints) },
  { name: 'dunlin_links_full', type: 'gauge', merge: 'sum', labels: [], help: 'Links to other workers that are full: the sockets of publishers that feed them are not read.', samples: one((m) => m.linksFull) },
  { name: 'dunlin_link_unacknowledged_bytes', type: 'gauge', merge: 'sum', labels: [], help: 'Bytes sent to other workers that they have not acknowledged.', samples: one((m) => m.linkBytes) },
  { name: 'dunlin_link_seconds', type: 'histogram', merge: 'sum', labels: [], help: 'Time from sending a frame that must arrive at another worker to its acknowledgement.', samples: () => histogram([], ({ broker }) => broker.linkSeconds) },
  { name: 'dunlin_link_holds_total', type: 'counter', merge: 'sum', labels: [], help: 'Times that the socket of a publisher was not read for a while because a link was full.', samples: one((m) => m.linkHolds) },
  { name: 'dunlin_frames_sent_total', type: 'counter', merge: 'sum', labels: [], help: 'Frames with messages to other workers.', samples: one((m) => m.framesSent) },
  { name: 'dunlin_frames_received_total', type: 'counter', merge: 'sum', labels: [], help: 'Frames with messages from other workers.', samples: one((m) => m.framesReceived) },
  { name: 'dunlin_frames_repeated_total', type: 'counter', merge: 'sum', labels: [], help: 'Frames that were sent again.', samples: one((m) => m.framesRepeated) },
  // Traces
  { name: 'dunlin_spans_total', type: 'counter', merge: 'sum', labels: ['result'], help: 'Spans of traced publishes and deliveries, and spans that were omitted because there were more than tracing.spansPerSecondMax.', samples: by(['started', 'skipped'], (m, result) => (result === 'started' ? m.spansStarted : m.spansSkipped)) },
  // Threads
  { name: 'dunlin_event_loop_delay_seconds', type: 'histogram', merge: 'each', labels: ['worker'], help: 'Delay of the event loop of a worker, measured by a timer that is due four times a second.', samples: () => histogram([], ({ delaySeconds }) => delaySeconds) },
  { name: 'dunlin_worker_active_seconds_total', type: 'counter', merge: 'each', labels: ['worker'], help: 'Time that the event loop of a worker was active; its rate is the utilization of the worker.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.activeSeconds }] },
  { name: 'dunlin_worker_heap_bytes', type: 'gauge', merge: 'each', labels: ['worker'], help: 'Used heap of a worker.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.heapBytes }] },
  { name: 'dunlin_worker_external_bytes', type: 'gauge', merge: 'each', labels: ['worker'], help: 'Buffers of a worker outside of its heap: waiting messages, and bytes that are being sent to clients.', samples: () => [{ labels: [], suffix: '', read: (figures) => figures.externalBytes }] },
  // Node
  { name: 'dunlin_workers_listening', type: 'gauge', merge: 'node', labels: [], help: 'Workers that accept connections.', samples: () => [{ labels: [], suffix: '', read: (node) => node.listening }] },
  { name: 'dunlin_workers_replaced_total', type: 'counter', merge: 'node', labels: [], help: 'Workers that died and were replaced.', samples: () => [{ labels: [], suffix: '', read: (node) => node.replaced }] },
  { name: 'dunlin_ready', type: 'gauge', merge: 'node', labels: [], help: '1 while the node is ready for clients, like /readyz.', samples: () => [{ labels: [], suffix: '', read: (node) => (node.isReady ? 1 : 0) }] },
  { name: 'dunlin_not_ready', type: 'gauge', merge: 'node', labels: ['reason'], help: '1 for each reason why the node is not ready, else 0. A node that has received SIGTERM is draining until its process ends.', samples: () => notReadyReasons.map((reason) => ({ labels: [reason], suffix: '', read: (node) => (node.notReady.includes(reason) ? 1 : 0) })) },
  { name: 'dunlin_connections_max', type: 'gauge', merge: 'node', labels: [], help: 'Connections that all workers of the node together may have: the limit of the configuration, or the limit of open files if that allows fewer.', samples: () => [{ labels: [], suffix: '', read: (node) => node.connectionsMax }] },
  { name: 'dunlin_certificate_end_time_seconds', type: 'gauge', merge: 'node', labels: ['listener'], help: 'Time at which the first certificate of a listener expires, including intermediate certificates, in seconds since 1970; only for listeners with TLS.', samples: ({ certificateEnds }) => certificateEnds.map(({ listener, endsAt }) => ({ labels: [listener], suffix: '', read: () => endsAt })) },
  { name: 'dunlin_audit_dropped_total', type: 'counter', merge: 'node', labels: [], help: 'Records of the audit log that were not written: its disk is slow or full.', samples: () => [{ labels: [], suffix: '', read: (node) => node.auditDropped }] },
  { name: 'dunlin_admin_keys_refused_total', type: 'counter', merge: 'node', labels: [], help: 'Requests to the administration API that came with a wrong key.', samples: () => [{ labels: [], suffix: '', read: (node) => node.adminKeysRefused }] },
  { name: 'dunlin_memory_limit_bytes', type: 'gauge', merge: 'node', labels: [], help: 'Memory that the process may use: limits.memoryBytesMax, or else the limit of its container or the memory of the machine.', samples: () => [{ labels: [], suffix: '', read: (node) => node.memoryLimitBytes }] },
  { name: 'dunlin_memory_bytes', type: 'gauge', merge: 'node', labels: ['kind'], help: 'Memory of the process: resident memory, the part of it that is no mapped file (limits.memoryHighPercent looks at that), and for all its threads together the used heaps and the buffers outside of them, which hold waiting messages.', samples: () => [{ labels: ['resident'], suffix: '', read: (node) => node.residentBytes }, { labels: ['anonymous'], suffix: '', read: (node) => node.anonymousBytes }, { labels: ['heap'], suffix: '', read: (node) => node.heapBytes }, { labels: ['external'], suffix: '', read: (node) => node.externalBytes }] },
  { name: 'dunlin_cpu_seconds_total', type: 'counter', merge: 'node', labels: ['mode'], help: 'CPU time that the process has used.', samples: () => [{ labels: ['user'], suffix: '', read: (node) => node.cpuUserSeconds }, { labels: ['system'], suffix: '', read: (node) => node.cpuSystemSeconds }] },
  { name: 'process_open_fds', type: 'gauge', merge: 'node', labels: [], help: 'Open files of the process, including sockets: each connection is one. Linux only.', samples: ({ openFiles }) => (openFiles === null ? [] : [{ labels: [], suffix: '', read: () => openFiles.open }]) },
  { name: 'process_max_fds', type: 'gauge', merge: 'node', labels: [], help: 'Files that the process may have open (ulimit -n, LimitNOFILE=). Linux only.', samples: ({ openFiles }) => (openFiles === null ? [] : [{ labels: [], suffix: '', read: () => openFiles.max }]) },
  { name: 'dunlin_start_time_seconds', type: 'gauge', merge: 'node', labels: [], help: 'Start time of the process, in seconds since 1970.', samples: () => [{ labels: [], suffix: '', read: (node) => node.startedAt }] },
  { name: 'dunlin_build_info', type: 'gauge', merge: 'node', labels: ['version', 'runtime'], help: '1, with the versions of Dunlin and Node as labels.', samples: ({ version, runtime }) => [{ labels: [version, runtime], suffix: '', read: () => 1 }] },
];
