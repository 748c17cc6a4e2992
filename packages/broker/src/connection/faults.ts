/** Ends of a connection that has done wrong, or that this broker has: a rule that the client broke, a fault of ours. */
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

/** The client broke a rule: told why if its version has words for it, then closed [MQTT-4.13.1-1]. */
export function ruleBroken(connection: FaultyConnection, error: ProtocolError): void {
  const { metrics, clientLog } = connection.parts;
  const { message, reasonCode, statement } = error;
  metrics.protocolErrors++;
  clientLog.refusedTo(connection, 'protocol error', { error: message, code: hex(reasonCode), statement });
  if (connection.state === ConnectionState.connected) connection.disconnect(reasonCode, message);
  else connection.refuse(reasonCode, message);
}

/** A fault of this broker, and none of the client's or of the store's: the client is told so, and goes. */
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
