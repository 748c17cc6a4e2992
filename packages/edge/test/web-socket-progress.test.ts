import { webSocketOpcode } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { WebSocketProgress } from '../src/listeners/web-socket-progress.ts';

const { binary, continuation, ping } = webSocketOpcode;
const whole = Buffer.concat([frame(binary, 2), Buffer.from([0xc0, 0])]);

/** The header of one frame, final or not, whose key is zero. */
function frame(opcode: number, length: number, isFinal = true): Buffer {
  const header = Buffer.alloc(14);
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

test('wherever the bytes are cut, what is partial is known, and since which of them', () => {
  const messages = Buffer.concat([
    whole,
    frame(ping, 0),
    frame(binary, 5, false),
    Buffer.alloc(5),
    frame(ping, 3),
    Buffer.alloc(3),
    frame(continuation, 0, false),
    frame(continuation, 7),
    Buffer.alloc(7),
    // A head of two bytes with a key, and one of four.
    Buffer.from([0x82, 0x82, 0, 0, 0, 0, 1, 2]),
    Buffer.concat([Buffer.from([0x82, 0xfe, 1, 0, 0, 0, 0, 0]), Buffer.alloc(256)]),
  ]);
  const ends = new Set<number>([0]);
  const first = whole.length;
  const fragmented = first + 14 + 14 + 5 + 14 + 3 + 14 + 14 + 7;
  for (const end of [first, first + 14, fragmented, fragmented + 8, messages.length]) ends.add(end);
  for (let cut = 0; cut <= messages.length; cut++) {
    const progress = new WebSocketProgress();
    progress.push(messages.subarray(0, cut));
    expect([cut, progress.isPartial]).toEqual([cut, !ends.has(cut)]);
    const isNew = progress.push(messages.subarray(cut));
    expect([cut, progress.isPartial, isNew]).toEqual([cut, false, true]);
  }
  const slow = new WebSocketProgress();
  let begun = 0;
  for (const byte of messages) if (slow.push(Uint8Array.of(byte)) && slow.isPartial) begun++;
  expect(begun).toBe(ends.size - 1);
});
