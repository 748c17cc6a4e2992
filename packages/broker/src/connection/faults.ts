/** Ends of a connection by a fault: a rule that the client broke, or an error of this broker. */
import { type ProtocolError, ReasonCode } from '@dunlin/protocol';
import { ConnectionState } from '../output/connection-state.ts';
import type { Logger } from '../ports/logger.ts';
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

/**
 * The client broke a rule: it gets the reason if its version has a code for it, then the connection is closed
 * [MQTT-4.13.1-1].
 */
export function ruleBroken(connection: FaultyConnection, error: ProtocolError): void {
  const { metrics, clientLog } = connection.parts;
  const { message, reasonCode, statement } = error;
  metrics.protocolErrors++;
  clientLog.refusedTo(connection, 'protocol error', { error: message, code: hex(reasonCode), statement });
  if (connection.state === ConnectionState.connected) connection.disconnect(reasonCode, message);
  else connection.refuse(reasonCode, message);
}

/**
 * An error of this broker, not of the client and not of the store: the client gets a reason code, and the connection is
 * closed.
 */
export function faulty(connection: FaultyConnection, message: string, error: unknown): void {
  tellEscaped(connection, message, error);
  if (connection.state === ConnectionState.connecting) connection.refuse(ReasonCode.unspecifiedError, '');
  else connection.disconnect(ReasonCode.unspecifiedError);
}

export function tellEscaped(connection: FaultyConnection, message: string, error: unknown): void {
  const { metrics, logger } = connection.parts;
  metrics.errorsEscaped++;
  logger.error(message, {
    client: connection.session?.clientId ?? '',
    address: connection.transport.remoteAddress,
    error,
  });
}
