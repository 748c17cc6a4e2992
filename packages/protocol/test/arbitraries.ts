// Generators of valid packets, shared by the tests of this folder.
import fc from 'fast-check';
import {
  type Packet,
  type PacketName,
  type Properties,
  type PropertyEntry,
  type PropertyHolder,
  type ProtocolVersion,
  propertyTable,
  reasonCodes,
  validateTopic,
  validateTopicFilter,
} from '../src/index.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 12 });
/** Strings MQTT can carry: no U+0000, no lone surrogates. */
export const text: fc.Arbitrary<string> = anyText.map((value) => value.replaceAll('\u0000', ''));
const someText = text.filter((value) => value.length > 0);
const binary = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value));
const packetId = fc.integer({ min: 1, max: 65_535 });
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const level = fc.constantFrom('a', 'b', 'sensor', '', 'ü', '温度', '$x', '😀');
export const topic: fc.Arbitrary<string> = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join('/'))
  .filter((value) => validateTopic(value) === null);
export const filter: fc.Arbitrary<string> = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, rest]) => levels.join('/') + (rest ? '/#' : ''))
  .filter((value) => validateTopicFilter(value) === null);

function arbitraryOf(entry: PropertyEntry): fc.Arbitrary<unknown> {
  const lowest = entry.lowest ?? 0;
  switch (entry.type) {
    case 'byte':
      return fc.integer({ min: lowest, max: entry.highest ?? 255 });
    case 'twoByteInteger':
      return fc.integer({ min: lowest, max: 65_535 });
    case 'fourByteInteger':
      return fc.integer({ min: lowest, max: 0xffff_ffff });
    case 'variableByteInteger':
      return fc.array(fc.integer({ min: lowest, max: 268_435_455 }), { minLength: 1, maxLength: 3 });
    case 'string':
      return entry.name === 'responseTopic' ? topic : text;
    case 'binary':
      return binary;
    case 'stringPair':
      return fc.array(fc.tuple(someText, someText), { minLength: 1, maxLength: 3 });
  }
}

/** Any subset of the properties a holder may carry; none before MQTT 5.0. */
export function propertiesOf(holder: PropertyHolder, version: ProtocolVersion): fc.Arbitrary<Properties> {
  if (version !== 5) return fc.constant({});
  const entries = propertyTable.filter(
    (entry) => entry.holders.includes(holder) && entry.name !== 'subscriptionIdentifier',
  );
  const values = Object.fromEntries(entries.map((entry) => [entry.name, arbitraryOf(entry)]));
  if (holder === 'publish') {
    values.subscriptionIdentifier = fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 3 });
  }
  return fc.record(values, { requiredKeys: [] }).map((properties: Properties) => {
    if (properties.authenticationMethod === undefined) delete properties.authenticationData;
    return properties;
  });
}

function reasonOf(name: PacketName): fc.Arbitrary<number> {
  const packetsOf = (entry: { packets: readonly PacketName[] }) => entry.packets.includes(name);
  return fc.constantFrom(...reasonCodes.filter(packetsOf).map((entry) => entry.value as number));
}

function connectOf(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const will = fc.record({
    topic,
    payload: binary,
    qos,
    retain: fc.boolean(),
    properties: propertiesOf('will', version),
  });
  return fc
    .record({
      type: fc.constant('connect' as const),
      version: fc.constant(version),
      cleanStart: fc.boolean(),
      keepAliveSeconds: fc.integer({ min: 0, max: 65_535 }),
      clientId: version === 5 ? text : someText,
      will: fc.option(will),
      userName: fc.option(someText),
      password: fc.option(binary),
      properties: propertiesOf('connect', version),
    })
    .map((packet) => (packet.userName === null && version !== 5 ? { ...packet, password: null } : packet));
}

function publishOf(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc
    .record({
      type: fc.constant('publish' as const),
      dup: fc.boolean(),
      qos,
      retain: fc.boolean(),
      topic,
      packetId,
      properties: propertiesOf('publish', version),
      payload: binary,
    })
    .map((packet) => (packet.qos === 0 ? { ...packet, dup: false, packetId: 0 } : packet));
}

function ackOf(name: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc
    .record({
      type: fc.constant(name),
      packetId,
      reasonCode: version === 5 ? reasonOf(name) : fc.constant(0),
      properties: propertiesOf(name, version),
    })
    .map((packet) => ({
      ...packet,
      properties: Object.keys(packet.properties).length === 0 ? null : packet.properties,
    }));
}

function subscribeOf(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const five = version === 5;
  const subscription = fc.record({
    filter,
    qos,
    noLocal: five ? fc.boolean() : fc.constant(false),
    retainAsPublished: five ? fc.boolean() : fc.constant(false),
    retainHandling: five ? qos : fc.constant(0 as const),
  });
  return fc.record({
    type: fc.constant('subscribe' as const),
    packetId,
    subscriptionIdentifier: five ? fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 268_435_455 })) : fc.constant(0),
    properties: propertiesOf('subscribe', version),
    subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
  });
}

function answersOf(version: ProtocolVersion): fc.Arbitrary<Packet>[] {
  const five = version === 5;
  const granted = five ? reasonOf('suback') : fc.constantFrom(0, 1, 2, 0x80);
  const connack = fc
    .record({
      type: fc.constant('connack' as const),
      sessionPresent: version === 3 ? fc.constant(false) : fc.boolean(),
      reasonCode: five ? reasonOf('connack') : fc.integer({ min: 0, max: 5 }),
      properties: propertiesOf('connack', version),
    })
    .map((packet) => (packet.reasonCode === 0 ? packet : { ...packet, sessionPresent: false }));
  const suback = fc.record({
    type: fc.constant('suback' as const),
    packetId,
    reasonCodes: fc.array(granted, { minLength: 1, maxLength: 4 }),
    properties: propertiesOf('suback', version),
  });
  const unsuback = fc.record({
    type: fc.constant('unsuback' as const),
    packetId,
    reasonCodes: five ? fc.array(reasonOf('unsuback'), { minLength: 1, maxLength: 4 }) : fc.constant<number[]>([]),
    properties: propertiesOf('unsuback', version),
  });
  return [connack, suback, unsuback];
}

/** Any valid packet of a protocol version, of either direction. */
export function packetOf(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const five = version === 5;
  const unsubscribe = fc.record({
    type: fc.constant('unsubscribe' as const),
    packetId,
    filters: fc.array(filter, { minLength: 1, maxLength: 4 }),
    properties: propertiesOf('unsubscribe', version),
  });
  const disconnect = fc.record({
    type: fc.constant('disconnect' as const),
    reasonCode: five ? reasonOf('disconnect') : fc.constant(0),
    properties: propertiesOf('disconnect', version),
  });
  const auth = fc.record({
    type: fc.constant('auth' as const),
    reasonCode: reasonOf('auth'),
    properties: propertiesOf('auth', version),
  });
  const kinds: fc.Arbitrary<Packet>[] = [
    connectOf(version),
    publishOf(version),
    ackOf('puback', version),
    ackOf('pubrec', version),
    ackOf('pubrel', version),
    ackOf('pubcomp', version),
    subscribeOf(version),
    unsubscribe,
    disconnect,
    ...answersOf(version),
    fc.constant({ type: 'pingreq' as const }),
    fc.constant({ type: 'pingresp' as const }),
  ];
  if (five) kinds.push(auth);
  return fc.oneof(...kinds);
}
