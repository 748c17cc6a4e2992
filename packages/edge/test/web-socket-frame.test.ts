import { describe, expect, test } from 'vitest';
import { frameOf, keepFrame } from '../src/listeners/web-socket-frame.ts';

/** Header and payload of a server's frame. */
function read(frame: Buffer): { first: number; payload: Buffer } {
  const short = frame[1];
  if (short < 126) return { first: frame[0], payload: frame.subarray(2) };
  const start = short === 126 ? 4 : 10;
  const length = short === 126 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
  expect(frame.length).toBe(start + length);
  return { first: frame[0], payload: frame.subarray(start) };
}

describe('a frame', () => {
  test.each([1, 125, 126, 127, 256, 257, 65_535, 65_536, 262_144, 262_145, 1_000_000])('of %i bytes', (length) => {
    const payload = Buffer.alloc(length, 'x');
    const { first, payload: carried } = read(frameOf(payload));
    expect(first).toBe(0x82);
    expect(carried.equals(payload)).toBe(true);
    expect(carried.length).toBe(length);
  });

  test('that is kept is not written over; one that is not makes room for the next', () => {
    for (const length of [10, 1000, 100_000]) {
      const kept = frameOf(Buffer.alloc(length, 'a'));
      keepFrame(kept);
      const next = frameOf(Buffer.alloc(length, 'b'));
      expect(read(kept).payload.equals(Buffer.alloc(length, 'a'))).toBe(true);
      const again = frameOf(Buffer.alloc(length, 'c'));
      expect(again.buffer).toBe(next.buffer);
    }
  });

  test('that is kept holds at most four times its bytes', () => {
    for (const length of [300, 1025, 5000, 70_000, 300_000]) {
      expect(frameOf(Buffer.alloc(length)).buffer.byteLength).toBeLessThan(4 * length + 16);
    }
  });
});
