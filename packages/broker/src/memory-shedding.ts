/**
 * Memory that this worker gives up when the node comes near its limit (limits.memoryCriticalPercent), the largest
 * buffers first. QoS 0 to clients that do not read is dropped before it gets here (SessionDelivery.mayQueueQos0).
 *
 * 1. Queues of ephemeral sessions: dropped, or their clients disconnected, by `limits.queuePolicy`.
 * 2. Connections with the most bytes on their way out or in. A durable session loses nothing: what was on its way is in
 *    its log.
 */
import { ReasonCode } from '@dunlin/protocol';
import type { ClientLog } from './connection/client-log.ts';
import type { Connection } from './connection/connection.ts';
import type { Limits } from './ports/limits.ts';
import { events } from './ports/log-events.ts';
import type { Logger } from './ports/logger.ts';
import type { Metrics } from './ports/metrics.ts';
import type { Session } from './session/session.ts';

/** Buffers that are not worth the end of a connection. */
const smallBytes = 64 * 1024;

export interface MemorySheddingParts {
  limits: Limits;
  metrics: Metrics;
  logger: Logger;
  clientLog: ClientLog;
  sessions: { all(): Iterable<Session> };
  connections: ReadonlySet<Connection>;
}

/** Amount that was given up. */
interface Shed {
  bytes: number;
  messages: number;
  connections: number;
}

/** Gives up so many bytes, or as many as there are. */
export function shedMemory(parts: MemorySheddingParts, bytes: number): void {
  const shed: Shed = { bytes: 0, messages: 0, connections: 0 };
  shedQueues(parts, bytes, shed);
  if (shed.bytes < bytes) shedConnections(parts, bytes, shed);
  if (shed.bytes > 0) parts.logger.warn(events['memory.shed'], { ...shed });
}

function shedQueues({ limits, metrics, sessions }: MemorySheddingParts, bytes: number, shed: Shed): void {
  const queues: { session: Session; bytes: number; messages: number }[] = [];
  for (const session of sessions.all()) {
    const { waiting, isStored } = session;
    if (waiting === null || waiting.length === 0 || isStored) continue;
    queues.push({ session, bytes: waiting.bytes, messages: waiting.length });
  }
  queues.sort((a, b) => b.bytes - a.bytes);
  for (const queue of queues) {
    if (shed.bytes >= bytes) return;
    const { session } = queue;
    session.waiting = null;
    metrics.messagesWaiting -= queue.messages;
    metrics.dropped.memory += queue.messages;
    shed.bytes += queue.bytes;
    shed.messages += queue.messages;
    if (limits.queuePolicy === 'disconnect') session.connection.quotaExceeded();
  }
}

/** Bytes on their way to a client, and of its packets that are not complete or wait for their turn. */
function bufferedBytes({ outlet, decoder, holding }: Connection): number {
  return outlet.output.pendingBytes + decoder.partialBytes + holding.bytes;
}

function shedConnections({ limits, clientLog, connections }: MemorySheddingParts, bytes: number, shed: Shed): void {
  const large: { connection: Connection; bytes: number }[] = [];
  for (const connection of connections) {
    const held = bufferedBytes(connection);
    if (held >= smallBytes) large.push({ connection, bytes: held });
  }
  large.sort((a, b) => b.bytes - a.bytes);
  for (const { connection, bytes: held } of large) {
    if (shed.bytes >= bytes) return;
    const reason = `${held} bytes waited at limits.memoryCriticalPercent (${limits.memoryCriticalPercent})`;
    clientLog.refusedTo(connection, events['slow-reader.disconnected'], { reason, pendingBytes: held });
    connection.disconnect(ReasonCode.quotaExceeded, reason, '', 'memory');
    connection.transport.destroy(); // with all that waits
    shed.bytes += held;
    shed.connections++;
  }
}
