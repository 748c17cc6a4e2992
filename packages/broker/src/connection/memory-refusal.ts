import { ReasonCode } from '@dunlin/protocol';
import type { MemoryLevel } from '../guards/memory-level.ts';
import { events } from '../ports/log-events.ts';
import { hex } from './client-log.ts';
import type { Connection } from './connection.ts';
import { sendRefusal } from './send-refusal.ts';

/**
 * Refuses CONNECT with 0x89, which MQTT 3 hears as 3, while memory of the node is scarce: the client may try again
 * later, or elsewhere. False: it is not.
 */
export function refuseForMemory(connection: Connection, memory: MemoryLevel): boolean {
  if (!memory.isHigh) return false;
  const { clientLog, limits } = connection.parts;
  const reason = memory.refusal('connections', limits.memoryHighPercent);
  clientLog.refusedTo(connection, events['connection.refused'], { reason, code: hex(ReasonCode.serverBusy) });
  sendRefusal(connection, ReasonCode.serverBusy, reason, 'memory');
  return true;
}
