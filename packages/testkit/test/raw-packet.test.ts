import { encodePacket, variableByteIntegerSize } from '@dunlin/protocol';
import { expect, test } from 'vitest';
import { PacketFramer } from '../src/packet-framer.ts';
import {
  hex,
  prefixed,
  properties,
  rawConnect,
  rawPacket,
  uint16,
  uint32,
  variableByteInteger,
} from '../src/raw-packet.ts';

test('fields have the bytes of the text', () => {
  expect(hex('00 ff\n1A')).toEqual(Buffer.from([0, 255, 26]));
  expect(() => hex('0')).toThrow('not hexadecimal');
  expect(uint16(0x1234)).toEqual(hex('12 34'));
  expect(uint32(0xfedcba98)).toEqual(hex('fe dc ba 98'));
  expect(prefixed('MQTT')).toEqual(hex('00 04 4d 51 54 54'));
  expect(properties()).toEqual(hex('00'));
  expect(properties(hex('21 00 0a'))).toEqual(hex('03 21 00 0a'));
});

test('variable byte integers have the bytes of table 1-1', () => {
  const table: readonly [number, string][] = [
    [0, '00'],
    [127, '7f'],
    [128, '80 01'],
    [16_383, 'ff 7f'],
    [16_384, '80 80 01'],
    [2_097_151, 'ff ff 7f'],
    [2_097_152, '80 80 80 01'],
    [268_435_455, 'ff ff ff 7f'],
  ];
  for (const [value, bytes] of table) {
    expect(variableByteInteger(value)).toEqual(hex(bytes));
    expect(variableByteInteger(value).length).toBe(variableByteIntegerSize(value));
  }
});

test('a CONNECT by hand is a CONNECT by the encoder', () => {
  for (const level of [4, 5] as const) {
    const encoded = encodePacket(
      {
        type: 'connect',
        version: level,
        cleanStart: true,
        keepAliveSeconds: 10,
        clientId: 'me',
        will: null,
        userName: null,
        password: null,
        properties: {},
      },
      level,
    );
    expect(rawConnect({ level, keepAliveSeconds: 10, payload: prefixed('me') })).toEqual(encoded);
  }
});

test('the framer cuts packets wherever chunks end', () => {
  const packets = [hex('c0 00'), rawPacket(0x30, prefixed('a'), Buffer.alloc(200)), hex('d0 00')];
  const bytes = Buffer.concat(packets);
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const framer = new PacketFramer();
    const frames = [...framer.push(bytes.subarray(0, cut)), ...framer.push(bytes.subarray(cut))];
    expect(frames.map((frame) => frame.bytes)).toEqual(packets);
    expect(framer.rest().length).toBe(0);
  }
  expect(() => new PacketFramer().push(hex('30 ff ff ff ff 01'))).toThrow(/four bytes/);
});
