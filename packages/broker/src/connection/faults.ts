/** Ends of a connection by a fault: a rule that the client broke, or an error of this broker. */
import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import { ConnectionState } from '../output/connection-state.ts';
import { events } from '../ports/log-events.ts';
import type { LogEvent, Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import { type ClientLog, hex, type LoggedClient } from './client-log.ts';

export interface FaultyConnection extends LoggedClient {
  readonly parts: { metrics: Metrics; logger: Logger; clientLog: ClientLog };
  readonly state: number;
  readonly session: { readonly clientId: string } | null;
  disconnect(reasonCode: number, reason?: string): void;
  /** Refuses the client while there is no session yet. */
  refuse(reasonCode: number, reason: string): void;
}

/** Log event of a fault of this broker. */
export type FaultEvent = LogEvent<'error', 'client' | 'address' | 'error'>;

/**
 * The client broke a rule: it gets the reason if its version has a code for it, then the connection is closed
 * [MQTT-4.13.1-1].
 */
export function ruleBroken(connection: FaultyConnection, error: ProtocolError): void {
  const { metrics, clientLog } = connection.parts;
  const { message, reasonCode, statement } = error;
  metrics.protocolErrors++;
  clientLog.refusedTo(connection, events['protocol.violated'], { error: message, code: hex(reasonCode), statement });
  if (connection.state === ConnectionState.connected) connection.disconnect(reasonCode, message);
  else connection.refuse(reasonCode, message);
}

/**
 * An error of this broker, not of the client and not of the store: the client gets a reason code, and the connection is
 * closed.
 */
export function faulty(connection: FaultyConnection, event: FaultEvent, error: unknown): void {
  tellEscaped(connection, event, error);
  if (connection.state === ConnectionState.connecting) connection.refuse(ReasonCode.unspecifiedError, '');
  else connection.disconnect(ReasonCode.unspecifiedError);
}

export function tellEscaped(connection: FaultyConnection, event: FaultEvent, error: unknown): void {
  const { metrics, logger } = connection.parts;
  metrics.errorsEscaped++;
  logger.error(event, {
    client: connection.session?.clientId ?? '',
    address: connection.transport.remoteAddress,
    error,
  });
}

/** The client has this many messages of QoS 2 that it does not release, and others need the room. */
export function neverReleased(connection: FaultyConnection, messages: number): void {
  if (connection.state !== ConnectionState.connected) return;
  ruleBroken(connection, new ProtocolError(ReasonCode.quotaExceeded, `${messages} messages of QoS 2 unreleased`));
}
