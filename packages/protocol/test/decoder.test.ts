import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Decoder, encodePacket, type PacketSink, ProtocolError } from '../src/index.ts';
import { packetOf } from './arbitraries.ts';

/** A sink that keeps a copy of every packet. */
class Collector implements PacketSink {
  packets: string[] = [];
  stopAfter = Number.POSITIVE_INFINITY;

  packet(header: number, bytes: Buffer, start: number, bodyStart: number, end: number): boolean {
    expect(bytes[start]).toBe(header);
    this.packets.push(`${bodyStart - start}:${bytes.toString('hex', start, end)}`);
    return this.packets.length < this.stopAfter;
  }
}

function decoderFor(maximumPacketSize = 1_000_000): { decoder: Decoder; sink: Collector } {
  const sink = new Collector();
  return { decoder: new Decoder(sink, maximumPacketSize), sink };
}

function reasonOf(run: () => void): number {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.reasonCode;
    throw error;
  }
  return 0;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('chunks', () => {
  it('give the same packets wherever they are split', () => {
    const streams = fc.array(packetOf(5), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(streams, fc.array(fc.nat(400), { maxLength: 12 }), (packets, cuts) => {
        const stream = Buffer.concat(packets.map((packet) => encodePacket(packet, 5)));
        const whole = decoderFor();
        whole.decoder.push(stream);
        expect(whole.sink.packets.length).toBe(packets.length);
        const split = decoderFor();
        const edges = [0, ...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
        for (let index = 1; index < edges.length; index++) {
          split.decoder.push(stream.subarray(edges[index - 1], edges[index]));
          expect(split.decoder.partialBytes).toBeLessThanOrEqual(edges[index]);
        }
        expect(split.sink.packets).toEqual(whole.sink.packets);
        expect(split.decoder.partialBytes).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  it('of one byte each give the same packets, also with every size of length', () => {
    const bodies = [0, 127, 128, 16_383, 16_384];
    const packets = bodies.map((size) =>
      encodePacket(
        {
          type: 'publish',
          dup: false,
          qos: 0,
          retain: false,
          topic: 't',
          packetId: 0,
          properties: {},
          payload: Buffer.alloc(size),
        },
        4,
      ),
    );
    const { decoder, sink } = decoderFor();
    const stream = Buffer.concat(packets);
    for (let at = 0; at < stream.length; at++) decoder.push(stream.subarray(at, at + 1));
    expect(sink.packets.map((packet) => packet.slice(2))).toEqual(packets.map((packet) => packet.toString('hex')));
  });

  it('are not copied when they hold whole packets', () => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafe');
    const copy = vi.spyOn(Buffer.prototype, 'copy');
    const { decoder, sink } = decoderFor();
    decoder.push(Buffer.from('c000c000d000', 'hex'));
    expect(sink.packets.length).toBe(3);
    expect(allocate).not.toHaveBeenCalled();
    expect(copy).not.toHaveBeenCalled();
  });
});

describe('a packet that is announced', () => {
  it('takes memory for what arrived, not for what was said', () => {
    const { decoder } = decoderFor(268_435_460);
    const allocate = vi.spyOn(Buffer, 'allocUnsafe');
    decoder.push(Buffer.from('30ffffff7f', 'hex'));
    expect(decoder.partialBytes).toBe(5);
    for (let piece = 0; piece < 10; piece++) decoder.push(Buffer.alloc(10));
    const sizes = allocate.mock.calls.map(([size]) => size);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4096);
    expect(decoder.partialBytes).toBe(105);
  });

  it('of a megabyte in a thousand pieces is copied a few times in all', () => {
    const body = 1_000_000;
    const stream = Buffer.concat([Buffer.from([0x30, 0xc0, 0x84, 0x3d]), Buffer.alloc(body)]);
    const { decoder, sink } = decoderFor(2_000_000);
    const allocate = vi.spyOn(Buffer, 'allocUnsafe');
    for (let at = 0; at < stream.length; at += 1000) decoder.push(stream.subarray(at, at + 1000));
    expect(sink.packets.length).toBe(1);
    const sizes = allocate.mock.calls.map(([size]) => size);
    expect(sizes.at(-1)).toBe(stream.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(4 * stream.length);
  });

  it('over the maximum packet size is refused as soon as its length is there, in one chunk or in pieces', () => {
    for (const pieces of [['30ff01'], ['30', 'ff', '01'], ['30ff', '01'], ['c000', '30ff01']]) {
      const { decoder } = decoderFor(257);
      const reasons = pieces.map((piece) => reasonOf(() => decoder.push(Buffer.from(piece, 'hex'))));
      expect(reasons.at(-1)).toBe(0x95);
      expect(reasons.slice(0, -1).every((reason) => reason === 0)).toBe(true);
      expect(decoder.partialBytes).toBe(0);
    }
    const { decoder } = decoderFor(258);
    decoder.push(Buffer.from('30ff01', 'hex'));
    expect(decoder.partialBytes).toBe(3);
  });

  it('obeys a maximum packet size that was changed', () => {
    const { decoder, sink } = decoderFor(10);
    decoder.push(Buffer.from('30080001610000000000', 'hex'));
    decoder.maximumPacketSize = 9;
    expect(reasonOf(() => decoder.push(Buffer.from('3008', 'hex')))).toBe(0x95);
    expect(sink.packets.length).toBe(1);
  });
});

describe('faults', () => {
  it.each([
    { name: 'a forbidden first byte before any length', pieces: ['00'] },
    { name: 'wrong flags before any length', pieces: ['c000', '80'] },
    { name: 'a fifth length byte in one chunk', pieces: ['30ffffffff'] },
    { name: 'a fifth length byte in pieces', pieces: ['30ff', 'ffff', 'ff'] },
    { name: 'a ping with a body in pieces', pieces: ['c0', '01'] },
  ])('$name is malformed at once', ({ pieces }) => {
    const { decoder, sink } = decoderFor(Number.POSITIVE_INFINITY);
    const reasons = pieces.map((piece) => reasonOf(() => decoder.push(Buffer.from(piece, 'hex'))));
    expect(reasons.at(-1)).toBe(0x81);
    const before = sink.packets.length;
    decoder.push(Buffer.from('c000', 'hex'));
    expect(sink.packets.length).toBe(before);
  });

  it('of a length longer than it need be count for MQTT 5.0 alone [MQTT-1.5.5-1]', () => {
    for (const pieces of [['c08000'], ['c0', '80', '00']]) {
      for (const version of [3, 4, 5] as const) {
        const { decoder, sink } = decoderFor();
        decoder.version = version;
        const reasons = pieces.map((piece) => reasonOf(() => decoder.push(Buffer.from(piece, 'hex'))));
        expect(reasons.at(-1)).toBe(version === 5 ? 0x81 : 0);
        expect(sink.packets).toEqual(version === 5 ? [] : ['3:c08000']);
      }
    }
  });

  it('let the packets before them through', () => {
    const { decoder, sink } = decoderFor();
    expect(reasonOf(() => decoder.push(Buffer.from('c000d00000', 'hex')))).toBe(0x81);
    expect(sink.packets).toEqual(['2:c000', '2:d000']);
  });
});

describe('a sink that returns false', () => {
  it.each([[['c000d000c000']], [['c0', '00d000c000', 'c000']]])('gets nothing more: %j', (pieces) => {
    const { decoder, sink } = decoderFor();
    sink.stopAfter = 1;
    for (const piece of pieces) decoder.push(Buffer.from(piece, 'hex'));
    expect(sink.packets).toEqual(['2:c000']);
    expect(decoder.partialBytes).toBe(0);
  });
});
