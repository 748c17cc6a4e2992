/** Deadlines of a connection: CONNECT, the rest of a partial packet, and the keep alive. */
import { ReasonCode } from '@dunlin/protocol';
import { ConnectionState } from '../output/connection-state.ts';
import type { Connection } from './connection.ts';
import { refuseConnect } from './send-refusal.ts';

/**
 * Silence allowed: one and a half times the keep alive after the last packet [MQTT-3.1.2-22], and a second, since the
 * time of the last one is known in whole seconds only.
 */
export function keepAliveDeadlineSecond(connection: Connection): number {
  return connection.lastReceivedSecond + Math.ceil(connection.keepAliveSeconds * 1.5) + 1;
}

/** Second in which the client's credentials expire, a certificate of TLS included; 0: never. Rounded up: no earlier than their last moment. */
function acceptanceDeadlineSecond(connection: Connection): number {
  const accepted = connection.signIn.acceptance?.expiresAt ?? 0;
  const certificate = connection.transport.clientCertificate?.expiresAt ?? 0;
  const expiresAt = accepted > 0 && certificate > 0 ? Math.min(accepted, certificate) : Math.max(accepted, certificate);
  return Math.ceil(expiresAt / 1000);
}

/** Second in which a connected client must be checked first; 0: never. */
export function firstDeadlineSecond(connection: Connection): number {
  if (connection.inputEnd.sinceSecond > 0) return connection.inputEnd.deadlineSecond;
  const keepAlive = connection.keepAliveSeconds > 0 ? keepAliveDeadlineSecond(connection) : 0;
  const acceptance = acceptanceDeadlineSecond(connection);
  return keepAlive === 0 || (acceptance > 0 && acceptance < keepAlive) ? acceptance : keepAlive;
}

/** The earlier of two times, where 0 is none. */
function earlier(first: number, second: number): number {
  return first === 0 || second === 0 ? first + second : Math.min(first, second);
}

/** Ends the connection if a deadline has passed. Returns the second of the next check; 0: none. */
export function checkDeadlines(connection: Connection, nowSecond: number): number {
  if (connection.state === ConnectionState.closed) return 0;
  const { limits } = connection.parts;
  if (connection.state !== ConnectionState.connected) {
    // A client that sent no CONNECT gets no answer; one that waits for the store or the authenticator gets CONNACK
    // [MQTT-3.1.4-1].
    const late = connection.state === ConnectionState.connecting ? ReasonCode.serverUnavailable : 0;
    refuseConnect(connection, late, 'CONNECT was not through in time');
    return 0;
  }
  if (connection.inputEnd.sinceSecond > 0) {
    const deadline = connection.inputEnd.deadlineSecond;
    if (deadline > nowSecond) return deadline;
    connection.disconnect(ReasonCode.serverBusy, 'what was sent before the end did not take effect in time');
    return 0;
  }
  // A paused socket says nothing about its client. A client that does not read is judged by what it sends.
  if (connection.reading.isHeldBack) {
    connection.lastReceivedSecond = nowSecond;
    if (connection.partialSinceSecond > 0) connection.partialSinceSecond = nowSecond;
    if (connection.carriedSinceSecond > 0) connection.carriedSinceSecond = nowSecond;
  }
  let next = 0;
  const partialSince = earlier(connection.partialSinceSecond, connection.carriedSinceSecond);
  if (partialSince > 0) {
    next = partialSince + limits.partialPacketTimeoutSeconds;
    if (next <= nowSecond) {
      connection.disconnect(ReasonCode.malformedPacket, 'a packet was begun and not completed in time');
      return 0;
    }
  }
  if (connection.keepAliveSeconds > 0) {
    const deadline = keepAliveDeadlineSecond(connection);
    if (deadline <= nowSecond) {
      connection.disconnect(ReasonCode.keepAliveTimeout, 'nothing came within 1.5 times the keep alive');
      return 0;
    }
    if (next === 0 || deadline < next) next = deadline;
  }
  const acceptedUntil = acceptanceDeadlineSecond(connection);
  if (acceptedUntil > 0) {
    if (acceptedUntil <= nowSecond) {
      const reason = 'what the client signed in with has expired';
      connection.parts.clientLog.withdrawn(connection, reason);
      connection.disconnect(ReasonCode.maximumConnectTime, reason);
      return 0;
    }
    if (next === 0 || acceptedUntil < next) next = acceptedUntil;
  }
  return next;
}
