import { describe, expect, test } from 'vitest';
import { framesOf, keepFrames } from '../src/listeners/web-socket-frame.ts';

/** A PUBLISH of so many bytes, its header among them. */
function packet(bytes: number, fill = 'x'): Buffer {
  const lengthBytes = [1, 2, 3, 4].find((count) => bytes - 1 - count < 128 ** count) as number;
  const whole = Buffer.alloc(bytes, fill);
  whole[0] = 0x30;
  for (let at = 0, left = bytes - 1 - lengthBytes; at < lengthBytes; at++, left >>= 7)
    whole[1 + at] = (left & 0x7f) | (at < lengthBytes - 1 ? 0x80 : 0);
  return whole;
}

/** The payloads of frames, one after the other. */
function read(frames: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < frames.length; ) {
    expect(frames[at]).toBe(0x82);
    const short = frames[at + 1];
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const length =
      short < 126 ? short : short === 126 ? frames.readUInt16BE(at + 2) : Number(frames.readBigUInt64BE(at + 2));
    found.push(frames.subarray(start, start + length));
    at = start + length;
    expect(at).toBeLessThanOrEqual(frames.length);
  }
  return found;
}

describe('frames', () => {
  test.each([2, 125, 126, 127, 255, 256, 257, 65_535, 65_536, 262_144, 262_145, 1_000_000])(
    'of a packet of %i bytes',
    (length) => {
      const [payload, ...others] = read(framesOf(packet(length)));
      expect(others).toEqual([]);
      expect(payload.equals(packet(length))).toBe(true);
    },
  );

  test('of several packets: one each', () => {
    const packets = [2, 4, 300, 126, 70_000, 2, 125, 16_384, 129, 130, 131].map((length) => packet(length));
    expect(read(framesOf(Buffer.concat(packets)))).toEqual(packets);
    const many = Array.from({ length: 1000 }, () => packet(4));
    expect(read(framesOf(Buffer.concat(many)))).toEqual(many);
  });

  test.each(['30', '30 80', '30 05 00', '30 ff ff ff ff 01', '40 02 00 01 30 05 00'])(
    'of what is no whole packet, %s, lose nothing',
    (hex) => {
      const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
      expect(Buffer.concat(read(framesOf(bytes)))).toEqual(bytes);
    },
  );

  test('that are kept are not written over; those that are not make room for the next', () => {
    for (const length of [10, 1000, 100_000]) {
      const kept = framesOf(packet(length, 'a'));
      keepFrames(kept);
      const next = framesOf(packet(length, 'b'));
      expect(read(kept)).toEqual([packet(length, 'a')]);
      const again = framesOf(packet(length, 'c'));
      expect(again.buffer).toBe(next.buffer);
    }
  });

  test('that are kept hold at most four times their bytes', () => {
    for (const length of [300, 1025, 5000, 70_000, 300_000]) {
      const frames = framesOf(packet(length));
      expect(frames.buffer.byteLength).toBeLessThan(4 * frames.length + 16);
    }
  });
});
