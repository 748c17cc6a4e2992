import { ReasonCode } from '@dunlin/protocol/reason-codes';
import type { CloseReason } from './close-reason.ts';

/** Reasons for which clients are not let in, as they are counted; `connect-timeout`: no CONNECT came. */
export const connectRefusals = [
  'bad-credentials',
  'not-authorized',
  'client-identifier',
  'authentication-method',
  'banned',
  'quota-exceeded',
  'packet-too-large',
  'server-busy',
  'server-unavailable',
  'memory',
  'unsigned-max',
  'connect-timeout',
  'protocol-error',
  'unspecified',
] as const;
export type ConnectRefusal = (typeof connectRefusals)[number];

const byReasonCode = new Map<number, ConnectRefusal>([
  [ReasonCode.badUserNameOrPassword, 'bad-credentials'],
  [ReasonCode.notAuthorized, 'not-authorized'],
  [ReasonCode.clientIdentifierNotValid, 'client-identifier'],
  [ReasonCode.badAuthenticationMethod, 'authentication-method'],
  [ReasonCode.banned, 'banned'],
  [ReasonCode.quotaExceeded, 'quota-exceeded'],
  [ReasonCode.packetTooLarge, 'packet-too-large'],
  [ReasonCode.serverBusy, 'server-busy'],
  [ReasonCode.connectionRateExceeded, 'server-busy'],
  [ReasonCode.serverUnavailable, 'server-unavailable'],
  [ReasonCode.unspecifiedError, 'unspecified'],
]);

/** Reason for the count of a refusal; a code of no own reason says that CONNECT broke a rule, or asks for something that is not there. */
export function connectRefusalOf(reasonCode: number, closeReason: CloseReason): ConnectRefusal {
  if (closeReason === 'memory' || closeReason === 'unsigned-max' || closeReason === 'connect-timeout')
    return closeReason;
  return byReasonCode.get(reasonCode) ?? 'protocol-error';
}
