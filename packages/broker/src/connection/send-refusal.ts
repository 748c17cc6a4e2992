/**
 * Refusal of a CONNECT: CONNACK, log line, count and end; also the end of connections that send no CONNECT. Which
 * CONNECT is refused, and for what reason, is decided in handlers/connect.ts.
 */
import { type Properties, ReasonCode } from '@dunlin/protocol';
import type { UnsignedClients } from '../guards/unsigned-clients.ts';
import { ConnectionState } from '../output/connection-state.ts';
import { type CloseReason, closeReasonOf } from '../ports/close-reason.ts';
import { connectRefusalOf } from '../ports/connect-refusal.ts';
import { events } from '../ports/log-events.ts';
import { hex } from './client-log.ts';
import type { Connection } from './connection.ts';

/**
 * Ends a connection that has no session: with CONNACK if CONNECT was received and the version has a code for the reason
 * [MQTT-3.2.2-7].
 */
export function refuseConnect(connection: Connection, reasonCode: number, reason: string): void {
  const code = reasonCode >= 0x80 ? { code: hex(reasonCode) } : {};
  connection.parts.clientLog.refusedTo(connection, events['connection.refused'], { reason, ...code });
  sendRefusal(connection, reasonCode, reason);
}

/** Sends the same refusal where the log has a line for it already. */
export function sendRefusal(
  connection: Connection,
  reasonCode: number,
  reason: string,
  closeReason: CloseReason = closeReasonBefore(connection.state, reasonCode),
): void {
  connection.parts.metrics.connectsRefused[connectRefusalOf(reasonCode, closeReason)]++;
  connection.closeReason = closeReason;
  if (connection.state === ConnectionState.connecting && reasonCode >= 0x80) {
    const properties: Properties = connection.version5 && reason !== '' ? { reasonString: reason } : {};
    connection.outlet.send({ type: 'connack', sessionPresent: false, reasonCode, properties }); // [MQTT-3.2.2-6]
  }
  connection.end();
}

/** Before CONNECT no reason code means that none came in time. */
function closeReasonBefore(state: number, reasonCode: number): CloseReason {
  if (state !== ConnectionState.new) return 'connect-refused';
  return reasonCode < 0x80 ? 'connect-timeout' : closeReasonOf(reasonCode);
}

/** Ends a connection whose credentials are not valid any more. */
export function endWithdrawn(connection: Connection, reason: string): void {
  connection.parts.clientLog.withdrawn(connection, reason);
  if (connection.state === ConnectionState.connected) connection.disconnect(ReasonCode.notAuthorized, reason);
  else refuseConnect(connection, ReasonCode.notAuthorized, reason);
}

/** Memory of a connection over TCP that has sent nothing. */
const ownBytesUsual = 4 * 1024;

/** Counts a new connection until CONNACK; where there is no room it is closed at once. */
export function enterUnsigned(connection: Connection, unsigned: UnsignedClients): void {
  const { remoteAddress, ownBytes = ownBytesUsual } = connection.transport;
  const entered = unsigned.enter(remoteAddress, ownBytes, (reason) => endUnsigned(connection, reason));
  if (typeof entered === 'string') endUnsigned(connection, entered);
  else connection.unsigned = entered;
}

/** Ends a connection for which there is no room any more. A client that has sent CONNECT is told. */
function endUnsigned(connection: Connection, reason: string): void {
  connection.parts.clientLog.refusedTo(connection, events['connection.refused'], { reason });
  const isWaiting = connection.state === ConnectionState.connecting;
  sendRefusal(connection, ReasonCode.quotaExceeded, reason, 'unsigned-max');
  if (!isWaiting) connection.transport.destroy();
}
