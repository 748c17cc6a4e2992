import { ReasonCode } from '@dunlin/protocol/reason-codes';

/** Reasons for the end of a connection, as they are counted. */
export const closeReasons = [
  'client-disconnect',
  'connection-lost',
  'connect-refused',
  'connect-timeout',
  'keep-alive-timeout',
  'session-taken-over',
  'quota-exceeded',
  'write-timeout',
  'memory',
  'not-authorized',
  'administrative',
  'server-shutting-down',
  'server-busy',
  'connections-max',
  'connections-per-address',
  'connect-rate',
  'banned',
  'unsigned-max',
  'protocol-error',
] as const;
export type CloseReason = (typeof closeReasons)[number];

const byReasonCode = new Map<number, CloseReason>([
  [ReasonCode.keepAliveTimeout, 'keep-alive-timeout'],
  [ReasonCode.sessionTakenOver, 'session-taken-over'],
  [ReasonCode.quotaExceeded, 'quota-exceeded'],
  [ReasonCode.notAuthorized, 'not-authorized'],
  [ReasonCode.maximumConnectTime, 'not-authorized'],
  [ReasonCode.administrativeAction, 'administrative'],
  [ReasonCode.serverShuttingDown, 'server-shutting-down'],
  [ReasonCode.useAnotherServer, 'server-shutting-down'],
  [ReasonCode.serverMoved, 'server-shutting-down'],
  [ReasonCode.serverBusy, 'server-busy'],
  [ReasonCode.serverUnavailable, 'server-busy'],
]);

/** Reason for the count of a DISCONNECT from our side; a code of no own reason says that the client broke a rule. */
export function closeReasonOf(reasonCode: number): CloseReason {
  return byReasonCode.get(reasonCode) ?? 'protocol-error';
}
