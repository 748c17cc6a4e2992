import { describe, expect, it } from 'vitest';
import {
  connackReturnCode,
  connackReturnCodes,
  decodePublishProperties,
  encodeConnack,
  isReasonCodeOf,
  PacketType,
  ProtocolError,
  peekConnectVersion,
  reasonCodes,
} from '../src/index.ts';
import { decodeAll } from './decode-one.ts';
import { refusals } from './refusals.ts';

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function refusalOf(run: () => unknown): { reasonCode: number; statement: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return { reasonCode: error.reasonCode, statement: error.statement };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('refused packets', () => {
  it.each(refusals)('$name (level $version)', ({ version, hex, reasonCode, statement }) => {
    expect(refusalOf(() => decodeAll(bytesOf(hex), version))).toEqual({ reasonCode, statement });
  });
});

describe('refused properties of a PUBLISH from a client', () => {
  const table = [
    { name: 'subscription identifier', hex: '0b 01', reasonCode: 0x82, statement: 'MQTT-3.3.4-6' },
    { name: 'topic alias 0', hex: '23 0000', reasonCode: 0x94, statement: 'MQTT-3.3.2-8' },
    { name: 'topic alias twice', hex: '23 0001 23 0002', reasonCode: 0x82, statement: '' },
    { name: 'content type twice', hex: '03 0000 03 0000', reasonCode: 0x82, statement: '' },
    { name: 'message expiry twice', hex: '02 00000001 02 00000001', reasonCode: 0x82, statement: '' },
    { name: 'empty response topic', hex: '08 0000', reasonCode: 0x82, statement: 'MQTT-4.7.3-1' },
    { name: 'response topic with a wildcard', hex: '08 0001 2b', reasonCode: 0x82, statement: 'MQTT-3.3.2-14' },
    { name: 'payload format indicator 2', hex: '01 02', reasonCode: 0x82, statement: '' },
    { name: 'content type of bad UTF-8', hex: '03 0001 c0', reasonCode: 0x81, statement: 'MQTT-1.5.4-1' },
    { name: 'property of another packet', hex: '11 00000000', reasonCode: 0x81, statement: '' },
    { name: 'unknown property', hex: '50 00', reasonCode: 0x81, statement: '' },
    { name: 'a cut property', hex: '02 0000', reasonCode: 0x81, statement: '' },
  ];
  it.each(table)('$name', ({ hex, reasonCode, statement }) => {
    const bytes = bytesOf(hex);
    expect(refusalOf(() => decodePublishProperties(bytes, 0, bytes.length))).toEqual({ reasonCode, statement });
  });
});

describe('what a server passes on of a PUBLISH', () => {
  it('is everything but topic alias and message expiry, byte for byte and in order [MQTT-3.3.2-17] [MQTT-3.3.2-18]', () => {
    const parts = [
      '26 0001 61 0001 62',
      '02 00000009',
      '03 0001 74',
      '23 0005',
      '26 0001 61 0000',
      '01 01',
      '08 0001 72',
      '09 0002 00ff',
    ];
    const bytes = bytesOf(parts.join(''));
    const kept = bytesOf(parts.filter((part) => !part.startsWith('02') && !part.startsWith('23')).join(''));
    const found = decodePublishProperties(bytes, 0, bytes.length);
    expect(found.forwarded).toEqual(kept);
    expect(found).toMatchObject({ payloadFormatIndicator: 1, messageExpiryInterval: 9, topicAlias: 5 });
    expect(found.contentType).toBe('t');
    expect(found.responseTopic).toBe('r');
    expect(found.correlationData).toEqual(Buffer.from([0, 255]));
    expect(found.userProperties).toEqual([
      ['a', 'b'],
      ['a', ''],
    ]);
  });

  it('is a copy', () => {
    const bytes = bytesOf('01 01');
    const { forwarded } = decodePublishProperties(bytes, 0, 2);
    bytes.fill(0);
    expect(forwarded).toEqual(bytesOf('01 01'));
  });

  it('is nothing of nothing', () => {
    const found = decodePublishProperties(Buffer.alloc(0), 0, 0);
    expect(found).toMatchObject({ payloadFormatIndicator: -1, messageExpiryInterval: -1, topicAlias: 0 });
    expect(found.forwarded.length).toBe(0);
    expect(decodePublishProperties(bytesOf('02 00000000'), 0, 5)).toMatchObject({ messageExpiryInterval: 0 });
  });
});

describe('the answer to a refused CONNECT', () => {
  it.each([
    { hex: '0004 4d515454 05 03', version: 5 },
    { hex: '0004 4d515454 04', version: 4 },
    { hex: '0006 4d5149736470 03', version: 3 },
    { hex: '0004 4d515454 06', version: 0 },
    { hex: '0004 4d5154', version: 0 },
    { hex: '', version: 0 },
  ])('speaks version $version for $hex', ({ hex, version }) => {
    const bytes = bytesOf(hex);
    expect(peekConnectVersion(bytes, 0, bytes.length)).toBe(version);
  });

  it('has a return code for each reason code once, and is empty where none applies [MQTT-3.2.2-6]', () => {
    const listed = connackReturnCodes.flatMap((entry) => entry.reasonCodes);
    expect(new Set(listed).size).toBe(listed.length);
    for (const { value } of reasonCodes) {
      if (!isReasonCodeOf(PacketType.connack, value)) continue;
      const returnCode = connackReturnCode(value);
      const encoded = encodeConnack({ sessionPresent: true, reasonCode: value, properties: {} }, 4);
      expect(listed.includes(value)).toBe(returnCode >= 0);
      expect([...encoded]).toEqual(returnCode < 0 ? [] : [0x20, 2, returnCode === 0 ? 1 : 0, returnCode]);
    }
    expect(connackReturnCode(0x81)).toBe(-1);
  });
});
