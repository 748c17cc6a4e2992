import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ProxyHeader,
  parseProxyHeader,
  version1BytesMax,
  version2BytesMax,
} from '../src/listeners/proxy-header.ts';

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function tlv(type: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), uint16(value.length), value]);
}

interface Given {
  command?: number;
  family?: number;
  addresses?: Buffer;
  tlvs?: Buffer[];
}

const ipv4 = Buffer.from([203, 0, 113, 7, 192, 0, 2, 1, 0xc7, 0x5a, 0x22, 0xb3]);

function version2({ command = 1, family = 0x11, addresses = ipv4, tlvs = [] }: Given = {}): Buffer {
  const body = Buffer.concat([addresses, ...tlvs]);
  return Buffer.concat([signature, Buffer.from([0x20 | command, family]), uint16(body.length), body]);
}

/** PP2_TYPE_SSL: client bits, verification result, parts. */
function ssl(bits: number, verified: number, parts: Buffer[]): Buffer {
  return tlv(0x20, Buffer.concat([Buffer.from([bits, 0, 0, 0, verified]), ...parts]));
}

function header(bytes: Buffer): ProxyHeader {
  const parsed = parseProxyHeader(bytes);
  if (parsed.kind !== 'header') throw new TypeError(JSON.stringify(parsed));
  expect(parsed.length).toBe(bytes.length);
  return parsed.header;
}

const nobody = { address: '', serverName: '', commonName: null };

describe('version 1', () => {
  test.each([
    ['PROXY TCP4 203.0.113.7 192.0.2.1 51034 8883\r\n', '203.0.113.7:51034'],
    ['PROXY TCP6 2001:DB8::7 2001:db8::1 51034 8883\r\n', '[2001:db8::7]:51034'],
    ['PROXY UNKNOWN\r\n', ''],
    ['PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n', ''],
  ])('%j', (line, address) => {
    expect(header(Buffer.from(line))).toEqual({ ...nobody, address });
  });

  test.each([
    'PROXY TCP4 203.0.113.7 192.0.2.1 51034\r\n',
    'PROXY TCP4 203.0.113.700 192.0.2.1 51034 8883\r\n',
    'PROXY TCP4 2001:db8::7 192.0.2.1 51034 8883\r\n',
    'PROXY TCP6 203.0.113.7 192.0.2.1 51034 8883\r\n',
    'PROXY TCP4 203.0.113.7 192.0.2.1 65536 8883\r\n',
    'PROXY TCP4  203.0.113.7 192.0.2.1 1 2\r\n',
    'PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n',
    `PROXY UNKNOWN ${'x'.repeat(version1BytesMax)}\r\n`,
    'proxy TCP4 203.0.113.7 192.0.2.1 51034 8883\r\n',
    'GET / HTTP/1.1\r\n',
  ])('%j is refused', (line) => {
    expect(parseProxyHeader(Buffer.from(line)).kind).toBe('invalid');
  });
});

describe('version 2', () => {
  test('addresses', () => {
    expect(header(version2())).toEqual({ ...nobody, address: '203.0.113.7:51034' });
    const addresses = Buffer.concat([
      Buffer.from('20010db8000000000000000000000007', 'hex'),
      Buffer.alloc(16),
      uint16(51034),
      uint16(1),
    ]);
    expect(header(version2({ family: 0x21, addresses }))).toEqual({ ...nobody, address: '[2001:db8::7]:51034' });
    expect(header(version2({ family: 0x31, addresses: Buffer.alloc(216) }))).toEqual(nobody);
    expect(header(version2({ family: 0, addresses: Buffer.alloc(0) }))).toEqual(nobody);
  });

  test('LOCAL is the load balancer itself, whatever it says', () => {
    expect(header(version2({ command: 0, tlvs: [tlv(2, Buffer.from('a.example'))] }))).toEqual(nobody);
  });

  test('the host that was asked for, and the verified name of the client', () => {
    const tlvs = [
      tlv(0xee, Buffer.from('unknown')),
      tlv(0x02, Buffer.from('a.example')),
      ssl(0x07, 0, [tlv(0x21, Buffer.from('TLSv1.3')), tlv(0x22, Buffer.from('device-7'))]),
    ];
    expect(header(version2({ tlvs }))).toEqual({
      address: '203.0.113.7:51034',
      serverName: 'a.example',
      commonName: 'device-7',
    });
  });

  test.each([
    ['TLS without a certificate', ssl(0x01, 0, [tlv(0x22, Buffer.from('device-7'))])],
    ['a certificate that was not verified', ssl(0x07, 1, [tlv(0x22, Buffer.from('device-7'))])],
    ['a certificate without a name', ssl(0x07, 0, [])],
  ])('%s is no certificate', (_what, part) => {
    expect(header(version2({ tlvs: [part] })).commonName).toBeNull();
  });

  test.each([
    ['version 3', Buffer.concat([signature, Buffer.from([0x31, 0x11, 0, 12]), ipv4])],
    ['an unknown command', version2({ command: 2 })],
    ['an unknown family', version2({ family: 0x41 })],
    ['too few bytes for its addresses', version2({ addresses: ipv4.subarray(1) })],
    ['a TLV beyond the end', version2({ tlvs: [Buffer.from([2, 0, 9, 1])] })],
    ['half a TLV', version2({ tlvs: [Buffer.from([2, 0])] })],
    [
      'a part of PP2_TYPE_SSL beyond its end',
      version2({ tlvs: [tlv(0x20, Buffer.from([7, 0, 0, 0, 0, 0x22, 0, 1]))] }),
    ],
    ['PP2_TYPE_SSL cut off', version2({ tlvs: [tlv(0x20, Buffer.from([7]))] })],
    ['a header over the bound', version2({ tlvs: [tlv(4, Buffer.alloc(version2BytesMax))] })],
    ['the first bytes of one over the bound', Buffer.concat([signature, Buffer.from([0x21, 0x11, 0xff, 0xff])])],
  ])('%s is refused', (_what, bytes) => {
    expect(parseProxyHeader(bytes).kind).toBe('invalid');
  });
});

describe('any bytes', () => {
  const good = [
    Buffer.from('PROXY TCP4 203.0.113.7 192.0.2.1 51034 8883\r\n'),
    version2({ tlvs: [tlv(2, Buffer.from('a.example')), ssl(7, 0, [tlv(0x22, Buffer.from('device-7'))])] }),
  ];

  test('a header that has not come whole is waited for, whatever its split; what follows it is not looked at', () => {
    for (const bytes of good) {
      const whole = parseProxyHeader(bytes);
      for (let length = 0; length < bytes.length; length++)
        expect(parseProxyHeader(bytes.subarray(0, length)).kind).toBe('incomplete');
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => {
          expect(parseProxyHeader(Buffer.concat([bytes, rest]))).toEqual(whole);
        }),
      );
    }
  });

  test('every address comes out as it went in', () => {
    const port = fc.integer({ min: 0, max: 65_535 });
    fc.assert(
      fc.property(fc.ipV4(), port, (address, from) => {
        const octets = Buffer.from(address.split('.').map(Number));
        const addresses = Buffer.concat([octets, octets, uint16(from), uint16(1)]);
        expect(header(version2({ addresses })).address).toBe(`${address}:${from}`);
        expect(header(Buffer.from(`PROXY TCP4 ${address} ${address} ${from} 1\r\n`)).address).toBe(
          `${address}:${from}`,
        );
      }),
    );
  });

  test('nothing is thrown, nothing is read beyond the end, and no more is waited for than a header can be', () => {
    const start = fc.constantFrom(
      Buffer.alloc(0),
      signature,
      Buffer.concat([signature, Buffer.from([0x21, 0x11])]),
      Buffer.from('PROXY '),
      ...good,
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 600 }), fc.nat(), fc.nat(255), (first, rest, position, value) => {
        const bytes = Buffer.concat([first, rest]);
        if (bytes.length > 0) bytes[position % bytes.length] = value;
        const parsed = parseProxyHeader(bytes);
        if (parsed.kind === 'header') expect(parsed.length).toBeLessThanOrEqual(bytes.length);
        if (parsed.kind === 'incomplete') expect(bytes.length).toBeLessThan(version2BytesMax);
      }),
      { numRuns: Number(process.env.FUZZ_CASES ?? 5000) },
    );
  });
});
