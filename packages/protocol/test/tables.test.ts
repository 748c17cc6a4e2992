import { describe, expect, it } from 'vitest';
import {
  decodeProperties,
  encodePacket,
  isReasonCodeOf,
  type Packet,
  type PacketName,
  PacketType,
  type Properties,
  type PropertyEntry,
  type PropertyHolder,
  ProtocolError,
  packetNames,
  propertyTable,
  ReasonCode,
  reasonCodeName,
  reasonCodes,
} from '../src/index.ts';
import { decodeAll } from './decode-one.ts';

/**
 * The reason codes of each packet, from the packet's own table in chapter 3 of MQTT 5.0: the other way round than the
 * table under test, so that a row that lacks a packet is found. DISCONNECT has 0x8C by table 2-6 alone.
 */
const reasonCodesByPacket: Partial<Record<PacketName, number[]>> = {
  connack: [
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b,
    0x9c, 0x9d, 0x9f,
  ],
  puback: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrec: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  pubrel: [0x00, 0x92],
  pubcomp: [0x00, 0x92],
  suback: [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  unsuback: [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  disconnect: [
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
    0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  auth: [0x00, 0x18, 0x19],
};

/** The property identifiers of each holder, from the sections of chapter 3 that describe its properties. */
const propertiesByHolder: Partial<Record<PropertyHolder, number[]>> = {
  connect: [0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27],
  will: [0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26],
  connack: [0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a],
  publish: [0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26],
  puback: [0x1f, 0x26],
  pubrec: [0x1f, 0x26],
  pubrel: [0x1f, 0x26],
  pubcomp: [0x1f, 0x26],
  subscribe: [0x0b, 0x26],
  suback: [0x1f, 0x26],
  unsubscribe: [0x26],
  unsuback: [0x1f, 0x26],
  disconnect: [0x11, 0x1c, 0x1f, 0x26],
  auth: [0x15, 0x16, 0x1f, 0x26],
};

const packetTypes = Object.keys(PacketType) as PacketName[];
const holders: PropertyHolder[] = [...packetTypes, 'will'];

describe('reason codes', () => {
  it('have each value and each name once, in order', () => {
    const values = reasonCodes.map((entry) => entry.value as number);
    expect(values).toEqual([...new Set(values)].sort((a, b) => a - b));
    expect(new Set(reasonCodes.map((entry) => entry.name)).size).toBe(reasonCodes.length);
    expect(Object.keys(ReasonCode).length).toBe(reasonCodes.length);
    expect(reasonCodes.length).toBe(43);
  });

  it.each(reasonCodes)('$name is carried by the packets of the table and no others', ({ name, value, packets }) => {
    expect(ReasonCode[name]).toBe(value);
    expect(reasonCodeName(value)).toBe(name);
    const carriers = packetTypes.filter((packet) => isReasonCodeOf(PacketType[packet], value));
    expect(carriers.toSorted()).toEqual([...packets].toSorted());
  });

  it.each(reasonCodes)('$name passes the decoder of each of its packets', ({ value, packets }) => {
    for (const packet of packets) {
      const sample = carrier(packet, value);
      expect(decodeAll(encodePacket(sample, 5), 5)).toEqual([sample]);
    }
  });

  it.each(packetTypes)('of %s are those of its own table in the text', (packet) => {
    const carried = Array.from({ length: 256 }, (_, value) => value).filter((value) =>
      isReasonCodeOf(PacketType[packet], value),
    );
    expect(carried).toEqual(reasonCodesByPacket[packet] ?? []);
  });

  it('that are unknown belong to no packet', () => {
    for (let value = 0; value < 256; value++) {
      if (reasonCodes.some((entry) => entry.value === value)) continue;
      expect(packetTypes.some((packet) => isReasonCodeOf(PacketType[packet], value))).toBe(false);
      expect(reasonCodeName(value)).toBe('unknown');
    }
  });
});

function carrier(type: PacketName, reasonCode: number): Packet {
  switch (type) {
    case 'connack':
      return { type, sessionPresent: false, reasonCode, properties: {} };
    case 'suback':
    case 'unsuback':
      return { type, packetId: 1, reasonCodes: [reasonCode], properties: {} };
    case 'disconnect':
    case 'auth':
      return { type, reasonCode, properties: {} };
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return { type, packetId: 1, reasonCode, properties: null };
    default:
      throw new Error(`${type} has no reason code`);
  }
}

/** Encoded value of a property, identifier included, and what it decodes to. */
function sampleOf(entry: PropertyEntry): { hex: string; value: unknown } {
  const id = entry.id.toString(16).padStart(2, '0');
  switch (entry.type) {
    case 'byte':
      return { hex: `${id}01`, value: 1 };
    case 'twoByteInteger':
      return { hex: `${id}fffe`, value: 65_534 };
    case 'fourByteInteger':
      return { hex: `${id}fffffffe`, value: 0xffff_fffe };
    case 'variableByteInteger':
      return { hex: `${id}ff01`, value: [255] };
    case 'string':
      return { hex: `${id}000161`, value: 'a' };
    case 'binary':
      return { hex: `${id}000161`, value: Buffer.from('a') };
    case 'stringPair':
      return { hex: `${id}000161000162`, value: [['a', 'b']] };
  }
}

/** Authentication data may not stand without its method. */
function companionOf(entry: PropertyEntry): { hex: string; properties: Properties } {
  if (entry.name !== 'authenticationData') return { hex: '', properties: {} };
  return { hex: '1500016d', properties: { authenticationMethod: 'm' } };
}

function refusalOf(hex: string, holder: PropertyHolder): number {
  const bytes = Buffer.from(hex, 'hex');
  try {
    decodeProperties(bytes, 0, bytes.length, holder);
  } catch (error) {
    if (error instanceof ProtocolError) return error.reasonCode;
    throw error;
  }
  return 0;
}

describe('properties', () => {
  it('have each identifier and each name once, in order', () => {
    const ids = propertyTable.map((entry) => entry.id);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    expect(new Set(propertyTable.map((entry) => entry.name)).size).toBe(27);
    expect(ids.length).toBe(27);
  });

  it.each(propertyTable)('$name is taken from its holders and refused from all others', (entry) => {
    const { hex, value } = sampleOf(entry);
    const companion = companionOf(entry);
    for (const holder of holders) {
      const bytes = Buffer.from(companion.hex + hex, 'hex');
      if (entry.holders.includes(holder)) {
        const expected = { ...companion.properties, [entry.name]: value };
        expect(decodeProperties(bytes, 0, bytes.length, holder)).toEqual(expected);
      } else {
        expect(refusalOf(hex, holder)).toBe(0x81);
      }
    }
  });

  it.each(holders)('of %s are those of its own section in the text', (holder) => {
    const carried = propertyTable.filter((entry) => entry.holders.includes(holder)).map((entry) => entry.id);
    expect(carried).toEqual(propertiesByHolder[holder] ?? []);
  });

  it.each(propertyTable)('$name stands once, unless it is repeatable', (entry) => {
    const { hex } = sampleOf(entry);
    for (const holder of entry.holders) {
      const repeatable = entry.repeatable?.includes(holder) ?? false;
      expect(refusalOf(companionOf(entry).hex + hex + hex, holder)).toBe(repeatable ? 0 : 0x82);
    }
  });

  it.each(propertyTable.filter((entry) => entry.lowest === 1))('$name may not be 0', (entry) => {
    const { hex } = sampleOf(entry);
    const zero = entry.type === 'variableByteInteger' ? '0b00' : hex.slice(0, 2) + '0'.repeat(hex.length - 2);
    for (const holder of entry.holders) expect(refusalOf(zero, holder)).toBe(entry.refusal ?? 0x82);
  });

  it.each(propertyTable.filter((entry) => entry.highest !== undefined))('$name may not be over $highest', (entry) => {
    const over = sampleOf(entry).hex.slice(0, 2) + ((entry.highest ?? 0) + 1).toString(16).padStart(2, '0');
    for (const holder of entry.holders) expect(refusalOf(over, holder)).toBe(0x82);
  });

  it.each(propertyTable)('$name is refused when it is cut short', (entry) => {
    const { hex } = sampleOf(entry);
    for (let length = 2; length < hex.length; length += 2) {
      expect(refusalOf(hex.slice(0, length), entry.holders[0])).toBe(0x81);
    }
  });
});

it('packet names follow packet types', () => {
  for (const name of packetTypes) expect(packetNames[PacketType[name]]).toBe(name);
});
