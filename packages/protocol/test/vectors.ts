// At least one packet of every type in every version that has it, as bytes and as decoded.
import type { Packet, ProtocolVersion } from '../src/index.ts';

/** Packet as bytes (spaces are for the reader) and as decoded. */
export interface Vector {
  readonly name: string;
  readonly version: ProtocolVersion;
  readonly hex: string;
  readonly decoded: Packet;
  /** False where the bytes are a longer form than the encoder's. */
  readonly canonical?: false;
}

const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
const none = { will: null, userName: null, password: null, properties: {} } as const;

export const vectors: readonly Vector[] = [
  {
    name: 'connect, MQTT 3.1',
    version: 3,
    hex: '10 0f 0006 4d5149736470 03 02 003c 0001 61',
    decoded: { type: 'connect', version: 3, cleanStart: true, keepAliveSeconds: 60, clientId: 'a', ...none },
  },
  {
    name: 'connect, MQTT 3.1, user name flag without a user name',
    version: 3,
    hex: '10 0f 0006 4d5149736470 03 82 003c 0001 61',
    decoded: { type: 'connect', version: 3, cleanStart: true, keepAliveSeconds: 60, clientId: 'a', ...none },
    canonical: false,
  },
  {
    name: 'connect, MQTT 3.1.1, everything set',
    version: 4,
    hex: '10 1d 0004 4d515454 04 ec 000a 0001 61 0003 772f74 0002 0001 0001 75 0002 00ff',
    decoded: {
      type: 'connect',
      version: 4,
      cleanStart: false,
      keepAliveSeconds: 10,
      clientId: 'a',
      will: { topic: 'w/t', payload: Buffer.from([0, 1]), qos: 1, retain: true, properties: {} },
      userName: 'u',
      password: Buffer.from([0, 0xff]),
      properties: {},
    },
  },
  {
    name: 'connect, MQTT 3.1.1, empty client identifier',
    version: 4,
    hex: '10 0c 0004 4d515454 04 02 0000 0000',
    decoded: { type: 'connect', version: 4, cleanStart: true, keepAliveSeconds: 0, clientId: '', ...none },
  },
  {
    name: 'connect, MQTT 5.0, properties, will and a password without a user name',
    version: 5,
    hex: '10 23 0004 4d515454 05 56 ffff 08 11 0000000a 21 0014 0000 05 18 00000005 0001 77 0000 0001 70',
    decoded: {
      type: 'connect',
      version: 5,
      cleanStart: true,
      keepAliveSeconds: 65_535,
      clientId: '',
      will: { topic: 'w', payload: Buffer.alloc(0), qos: 2, retain: false, properties: { willDelayInterval: 5 } },
      userName: null,
      password: Buffer.from('p'),
      properties: { sessionExpiryInterval: 10, receiveMaximum: 20 },
    },
  },
  {
    name: 'connack, MQTT 3.1',
    version: 3,
    hex: '20 02 00 04',
    decoded: { type: 'connack', sessionPresent: false, reasonCode: 4, properties: {} },
  },
  {
    name: 'connack, MQTT 3.1.1',
    version: 4,
    hex: '20 02 01 00',
    decoded: { type: 'connack', sessionPresent: true, reasonCode: 0, properties: {} },
  },
  {
    name: 'connack, MQTT 5.0',
    version: 5,
    hex: '20 0e 00 87 0b 12 0002 6964 1f 0003 62757a',
    decoded: {
      type: 'connack',
      sessionPresent: false,
      reasonCode: 0x87,
      properties: { assignedClientIdentifier: 'id', reasonString: 'buz' },
    },
  },
  {
    name: 'publish QoS 0, MQTT 3.1',
    version: 3,
    hex: '31 05 0003 612f62',
    decoded: {
      type: 'publish',
      dup: false,
      qos: 0,
      retain: true,
      topic: 'a/b',
      packetId: 0,
      properties: {},
      payload: Buffer.alloc(0),
    },
  },
  {
    name: 'publish QoS 1, MQTT 3.1.1',
    version: 4,
    hex: '3a 07 0001 61 000a 6869',
    decoded: {
      type: 'publish',
      dup: true,
      qos: 1,
      retain: false,
      topic: 'a',
      packetId: 10,
      properties: {},
      payload: Buffer.from('hi'),
    },
  },
  {
    name: 'publish QoS 2, MQTT 5.0, properties',
    version: 5,
    hex: '34 15 0001 61 ffff 0d 01 01 23 0001 26 0001 6b 0002 7676 6869',
    decoded: {
      type: 'publish',
      dup: false,
      qos: 2,
      retain: false,
      topic: 'a',
      packetId: 65_535,
      properties: { payloadFormatIndicator: 1, topicAlias: 1, userProperties: [['k', 'vv']] },
      payload: Buffer.from('hi'),
    },
  },
  {
    name: 'publish, MQTT 5.0, topic alias instead of a topic, two subscription identifiers',
    version: 5,
    hex: '30 0b 0000 08 0b 01 0b 8001 23 0007',
    decoded: {
      type: 'publish',
      dup: false,
      qos: 0,
      retain: false,
      topic: '',
      packetId: 0,
      properties: { subscriptionIdentifier: [1, 128], topicAlias: 7 },
      payload: Buffer.alloc(0),
    },
  },
  {
    name: 'publish, byte order mark in the topic is kept [MQTT-1.5.4-3]',
    version: 4,
    hex: '30 06 0004 efbbbf 61',
    decoded: {
      type: 'publish',
      dup: false,
      qos: 0,
      retain: false,
      topic: '\ufeffa',
      packetId: 0,
      properties: {},
      payload: Buffer.alloc(0),
    },
  },
  {
    name: 'puback, MQTT 3.1.1',
    version: 4,
    hex: '40 02 0001',
    decoded: { type: 'puback', packetId: 1, reasonCode: 0, properties: null },
  },
  {
    name: 'puback, MQTT 5.0, reason',
    version: 5,
    hex: '40 03 0001 10',
    decoded: { type: 'puback', packetId: 1, reasonCode: 0x10, properties: null },
  },
  {
    name: 'puback, MQTT 5.0, long success form',
    version: 5,
    hex: '40 04 0001 00 00',
    decoded: { type: 'puback', packetId: 1, reasonCode: 0, properties: null },
    canonical: false,
  },
  {
    name: 'pubrec, MQTT 3.1',
    version: 3,
    hex: '50 02 0102',
    decoded: { type: 'pubrec', packetId: 258, reasonCode: 0, properties: null },
  },
  {
    name: 'pubrec, MQTT 5.0, reason string',
    version: 5,
    hex: '50 09 0102 97 05 1f 0002 6e6f',
    decoded: { type: 'pubrec', packetId: 258, reasonCode: 0x97, properties: { reasonString: 'no' } },
  },
  {
    name: 'pubrel, MQTT 3.1, sent again',
    version: 3,
    hex: '6a 02 0001',
    decoded: { type: 'pubrel', packetId: 1, reasonCode: 0, properties: null },
    canonical: false,
  },
  {
    name: 'pubrel, MQTT 3.1.1',
    version: 4,
    hex: '62 02 0001',
    decoded: { type: 'pubrel', packetId: 1, reasonCode: 0, properties: null },
  },
  {
    name: 'pubrel, MQTT 5.0, unknown identifier',
    version: 5,
    hex: '62 03 0001 92',
    decoded: { type: 'pubrel', packetId: 1, reasonCode: 0x92, properties: null },
  },
  {
    name: 'pubcomp, MQTT 3.1.1',
    version: 4,
    hex: '70 02 0001',
    decoded: { type: 'pubcomp', packetId: 1, reasonCode: 0, properties: null },
  },
  {
    name: 'pubcomp, MQTT 5.0',
    version: 5,
    hex: '70 02 0001',
    decoded: { type: 'pubcomp', packetId: 1, reasonCode: 0, properties: null },
  },
  {
    name: 'subscribe, MQTT 3.1, sent again',
    version: 3,
    hex: '8a 06 0001 0001 23 01',
    decoded: {
      type: 'subscribe',
      packetId: 1,
      subscriptionIdentifier: 0,
      properties: {},
      subscriptions: [{ filter: '#', qos: 1, ...plain }],
    },
    canonical: false,
  },
  {
    name: 'subscribe, MQTT 3.1.1, two filters',
    version: 4,
    hex: '82 0c 000a 0003 612f62 01 0001 2b 02',
    decoded: {
      type: 'subscribe',
      packetId: 10,
      subscriptionIdentifier: 0,
      properties: {},
      subscriptions: [
        { filter: 'a/b', qos: 1, ...plain },
        { filter: '+', qos: 2, ...plain },
      ],
    },
  },
  {
    name: 'subscribe, MQTT 5.0, every option and the largest identifier',
    version: 5,
    hex: '82 0c 000a 05 0b ffffff7f 0001 23 2e',
    decoded: {
      type: 'subscribe',
      packetId: 10,
      subscriptionIdentifier: 268_435_455,
      properties: {},
      subscriptions: [{ filter: '#', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 }],
    },
  },
  {
    name: 'suback, MQTT 3.1.1',
    version: 4,
    hex: '90 04 000a 01 80',
    decoded: { type: 'suback', packetId: 10, reasonCodes: [1, 0x80], properties: {} },
  },
  {
    name: 'suback, MQTT 5.0',
    version: 5,
    hex: '90 05 000a 00 02 8f',
    decoded: { type: 'suback', packetId: 10, reasonCodes: [2, 0x8f], properties: {} },
  },
  {
    name: 'unsubscribe, MQTT 3.1',
    version: 3,
    hex: 'a2 05 000a 0001 61',
    decoded: { type: 'unsubscribe', packetId: 10, filters: ['a'], properties: {} },
  },
  {
    name: 'unsubscribe, MQTT 5.0',
    version: 5,
    hex: 'a2 0a 000a 00 0001 61 0002 2b2f',
    decoded: { type: 'unsubscribe', packetId: 10, filters: ['a', '+/'], properties: {} },
  },
  {
    name: 'unsuback, MQTT 3.1.1',
    version: 4,
    hex: 'b0 02 000a',
    decoded: { type: 'unsuback', packetId: 10, reasonCodes: [], properties: {} },
  },
  {
    name: 'unsuback, MQTT 5.0',
    version: 5,
    hex: 'b0 05 000a 00 00 11',
    decoded: { type: 'unsuback', packetId: 10, reasonCodes: [0, 0x11], properties: {} },
  },
  { name: 'pingreq', version: 4, hex: 'c0 00', decoded: { type: 'pingreq' } },
  { name: 'pingresp', version: 4, hex: 'd0 00', decoded: { type: 'pingresp' } },
  {
    name: 'disconnect, MQTT 3.1.1',
    version: 4,
    hex: 'e0 00',
    decoded: { type: 'disconnect', reasonCode: 0, properties: {} },
  },
  {
    name: 'disconnect, MQTT 5.0, normal',
    version: 5,
    hex: 'e0 00',
    decoded: { type: 'disconnect', reasonCode: 0, properties: {} },
  },
  {
    name: 'disconnect, MQTT 5.0, reason alone',
    version: 5,
    hex: 'e0 01 8e',
    decoded: { type: 'disconnect', reasonCode: 0x8e, properties: {} },
  },
  {
    name: 'disconnect, MQTT 5.0, session expiry',
    version: 5,
    hex: 'e0 07 04 05 11 ffffffff',
    decoded: { type: 'disconnect', reasonCode: 4, properties: { sessionExpiryInterval: 0xffff_ffff } },
  },
  { name: 'auth, short form', version: 5, hex: 'f0 00', decoded: { type: 'auth', reasonCode: 0, properties: {} } },
  {
    name: 'auth',
    version: 5,
    hex: 'f0 0a 18 08 15 0001 6d 16 0001 64',
    decoded: {
      type: 'auth',
      reasonCode: 0x18,
      properties: { authenticationMethod: 'm', authenticationData: Buffer.from('d') },
    },
  },
];
