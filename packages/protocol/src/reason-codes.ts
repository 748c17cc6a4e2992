// Every reason code, with the packets that may carry it (MQTT 5.0, table 2-6 and the packet tables of chapter 3).
import { type PacketName, PacketType } from './packet-type.ts';

/** Reason code: its name, its value, the packets that may carry it and its meaning for the receiver. */
export interface ReasonCodeEntry {
  readonly name: string;
  readonly value: number;
  readonly packets: readonly PacketName[];
  readonly meaning: string;
}

/** Every reason code of MQTT 5.0 in order of value. 0x00 has three names in the text; here it is `success`. */
export const reasonCodes = [
  {
    name: 'success',
    value: 0x00,
    packets: ['connack', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback', 'disconnect', 'auth'],
    meaning: 'success; in SUBACK QoS 0 is granted, in DISCONNECT the connection ends normally',
  },
  { name: 'grantedQos1', value: 0x01, packets: ['suback'], meaning: 'QoS 1 is granted' },
  { name: 'grantedQos2', value: 0x02, packets: ['suback'], meaning: 'QoS 2 is granted' },
  {
    name: 'disconnectWithWillMessage',
    value: 0x04,
    packets: ['disconnect'],
    meaning: 'the client leaves and wants its will published',
  },
  {
    name: 'noMatchingSubscribers',
    value: 0x10,
    packets: ['puback', 'pubrec'],
    meaning: 'the message is accepted and nobody subscribes to it',
  },
  { name: 'noSubscriptionExisted', value: 0x11, packets: ['unsuback'], meaning: 'there was no such subscription' },
  { name: 'continueAuthentication', value: 0x18, packets: ['auth'], meaning: 'authentication takes another step' },
  { name: 'reAuthenticate', value: 0x19, packets: ['auth'], meaning: 'the client starts to authenticate again' },
  {
    name: 'unspecifiedError',
    value: 0x80,
    packets: ['connack', 'puback', 'pubrec', 'suback', 'unsuback', 'disconnect'],
    meaning: 'refused for a reason that is not told or that no other code fits',
  },
  {
    name: 'malformedPacket',
    value: 0x81,
    packets: ['connack', 'disconnect'],
    meaning: 'a packet could not be parsed by the specification',
  },
  {
    name: 'protocolError',
    value: 0x82,
    packets: ['connack', 'disconnect'],
    meaning: 'a packet could be parsed and is against the rules',
  },
  {
    name: 'implementationSpecificError',
    value: 0x83,
    packets: ['connack', 'puback', 'pubrec', 'suback', 'unsuback', 'disconnect'],
    meaning: 'valid, and not accepted by this implementation',
  },
  {
    name: 'unsupportedProtocolVersion',
    value: 0x84,
    packets: ['connack'],
    meaning: 'the server does not speak this protocol level',
  },
  {
    name: 'clientIdentifierNotValid',
    value: 0x85,
    packets: ['connack'],
    meaning: 'the client identifier is well-formed and not allowed',
  },
  {
    name: 'badUserNameOrPassword',
    value: 0x86,
    packets: ['connack'],
    meaning: 'the user name or the password is not accepted',
  },
  {
    name: 'notAuthorized',
    value: 0x87,
    packets: ['connack', 'puback', 'pubrec', 'suback', 'unsuback', 'disconnect'],
    meaning: 'the client may not do this',
  },
  { name: 'serverUnavailable', value: 0x88, packets: ['connack'], meaning: 'the server cannot serve now' },
  { name: 'serverBusy', value: 0x89, packets: ['connack', 'disconnect'], meaning: 'the server is busy, try later' },
  { name: 'banned', value: 0x8a, packets: ['connack'], meaning: 'the client has been banned' },
  { name: 'serverShuttingDown', value: 0x8b, packets: ['disconnect'], meaning: 'the server is going away' },
  {
    name: 'badAuthenticationMethod',
    value: 0x8c,
    packets: ['connack', 'disconnect'],
    meaning: 'the authentication method is unknown or is not the one in use',
  },
  {
    name: 'keepAliveTimeout',
    value: 0x8d,
    packets: ['disconnect'],
    meaning: 'nothing arrived for one and a half times the keep alive',
  },
  {
    name: 'sessionTakenOver',
    value: 0x8e,
    packets: ['disconnect'],
    meaning: 'another connection uses the same client identifier',
  },
  {
    name: 'topicFilterInvalid',
    value: 0x8f,
    packets: ['suback', 'unsuback', 'disconnect'],
    meaning: 'the topic filter is not allowed',
  },
  {
    name: 'topicNameInvalid',
    value: 0x90,
    packets: ['connack', 'puback', 'pubrec', 'disconnect'],
    meaning: 'the topic name is not allowed',
  },
  {
    name: 'packetIdentifierInUse',
    value: 0x91,
    packets: ['puback', 'pubrec', 'suback', 'unsuback'],
    meaning: 'the packet identifier is still in use',
  },
  {
    name: 'packetIdentifierNotFound',
    value: 0x92,
    packets: ['pubrel', 'pubcomp'],
    meaning: 'the packet identifier is not known',
  },
  {
    name: 'receiveMaximumExceeded',
    value: 0x93,
    packets: ['disconnect'],
    meaning: 'more unacknowledged messages than the receive maximum',
  },
  {
    name: 'topicAliasInvalid',
    value: 0x94,
    packets: ['disconnect'],
    meaning: 'a topic alias of 0 or above the topic alias maximum',
  },
  {
    name: 'packetTooLarge',
    value: 0x95,
    packets: ['connack', 'disconnect'],
    meaning: 'a packet is larger than the maximum packet size',
  },
  { name: 'messageRateTooHigh', value: 0x96, packets: ['disconnect'], meaning: 'messages arrive too fast' },
  {
    name: 'quotaExceeded',
    value: 0x97,
    packets: ['connack', 'puback', 'pubrec', 'suback', 'disconnect'],
    meaning: 'a limit set by the implementation or the operator is exceeded',
  },
  {
    name: 'administrativeAction',
    value: 0x98,
    packets: ['disconnect'],
    meaning: 'an operator closed the connection',
  },
  {
    name: 'payloadFormatInvalid',
    value: 0x99,
    packets: ['connack', 'puback', 'pubrec', 'disconnect'],
    meaning: 'the payload does not match its payload format indicator',
  },
  {
    name: 'retainNotSupported',
    value: 0x9a,
    packets: ['connack', 'disconnect'],
    meaning: 'the server keeps no retained messages',
  },
  {
    name: 'qosNotSupported',
    value: 0x9b,
    packets: ['connack', 'disconnect'],
    meaning: 'the QoS is above the maximum QoS of CONNACK',
  },
  {
    name: 'useAnotherServer',
    value: 0x9c,
    packets: ['connack', 'disconnect'],
    meaning: 'the client should use another server for now',
  },
  {
    name: 'serverMoved',
    value: 0x9d,
    packets: ['connack', 'disconnect'],
    meaning: 'the client should use another server from now on',
  },
  {
    name: 'sharedSubscriptionsNotSupported',
    value: 0x9e,
    packets: ['suback', 'disconnect'],
    meaning: 'the server has no shared subscriptions',
  },
  {
    name: 'connectionRateExceeded',
    value: 0x9f,
    packets: ['connack', 'disconnect'],
    meaning: 'connections arrive too fast',
  },
  {
    name: 'maximumConnectTime',
    value: 0xa0,
    packets: ['disconnect'],
    meaning: 'the time this connection was allowed is over',
  },
  {
    name: 'subscriptionIdentifiersNotSupported',
    value: 0xa1,
    packets: ['suback', 'disconnect'],
    meaning: 'the server has no subscription identifiers',
  },
  {
    name: 'wildcardSubscriptionsNotSupported',
    value: 0xa2,
    packets: ['suback', 'disconnect'],
    meaning: 'the server has no wildcard subscriptions',
  },
] as const satisfies readonly ReasonCodeEntry[];

type ReasonCodesByName = { readonly [Entry in (typeof reasonCodes)[number] as Entry['name']]: Entry['value'] };

/** Reason codes by name: `ReasonCode.malformedPacket` is 0x81. */
export const ReasonCode: ReasonCodesByName = Object.fromEntries(
  reasonCodes.map((entry) => [entry.name, entry.value]),
) as ReasonCodesByName;

// One bit per packet type for each value, so that a check is one load and one test.
const packetsByValue = new Uint16Array(256);
for (const entry of reasonCodes) {
  for (const packet of entry.packets) packetsByValue[entry.value] |= 1 << PacketType[packet];
}

/** True when a packet of the given type (1 to 15) may carry the reason code. */
export function isReasonCodeOf(packetType: number, reasonCode: number): boolean {
  return (packetsByValue[reasonCode] & (1 << packetType)) !== 0;
}

/** The name of a reason code, or `unknown`: for logs and metrics. */
export function reasonCodeName(reasonCode: number): string {
  const entry = reasonCodes.find((candidate) => candidate.value === reasonCode);
  return entry === undefined ? 'unknown' : entry.name;
}
