import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InboundInflight } from '../src/session/inbound-inflight.ts';

interface Message {
  number: number;
  digest: number;
  isFormer: boolean;
  isDoubtful: boolean;
}

/** Few that differ, many that share their low bits, and any. */
const anyPacketId = fc.oneof(
  fc.integer({ min: 1, max: 20 }),
  fc.integer({ min: 0, max: 15 }).map((high) => (high << 12) | 7),
  fc.integer({ min: 1, max: 65_535 }),
);

function oldSpaceBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => name === 'old_space' || name === 'large_object_space')
    .reduce((sum, space) => sum + space.space_used_size, 0);
}

describe('QoS 2 messages that a client has not released', () => {
  test('are known by their packet identifier, whatever comes, is released and comes from the store', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), id: anyPacketId, number: fc.nat(3) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), id: anyPacketId }) },
      fc.record({ kind: fc.constant('restore' as const), id: anyPacketId, doubt: fc.boolean() }),
      fc.record({ kind: fc.constant('doubt' as const), id: anyPacketId }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const inflight = new InboundInflight();
        const model = new Map<number, Message>();
        let digest = 1;
        for (const one of steps) {
          const { id } = one;
          digest++;
          if (one.kind === 'add') {
            inflight.add(id, one.number, digest);
            model.set(id, { number: one.number, digest, isFormer: false, isDoubtful: false });
          } else if (one.kind === 'restore') {
            inflight.restore([{ packetId: id, producerNumber: digest, digest: -digest }], one.doubt);
            model.set(id, { number: digest, digest: -digest, isFormer: true, isDoubtful: one.doubt });
          } else if (one.kind === 'delete') {
            expect(inflight.delete(id)).toBe(model.delete(id));
          } else {
            const known = model.get(id);
            expect(inflight.takeDoubt(id)).toBe(known?.isDoubtful ? known.number : null);
            if (known) known.isDoubtful = false;
          }
        }
        expect(inflight.count).toBe(model.size);
        expect(inflight.countHere).toBe([...model.values()].filter(({ isFormer }) => !isFormer).length);
        for (let id = 1; id <= 65_535; id++) {
          const known = model.get(id);
          if (inflight.has(id) !== (known !== undefined)) expect.fail(`has(${id})`);
          if (known === undefined) continue;
          expect(inflight.isOther(id, known.digest)).toBe(false);
          expect(inflight.isOther(id, known.digest + 1)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('may be as many as there are packet identifiers, again and again', () => {
    const inflight = new InboundInflight();
    for (let turn = 1; turn <= 2; turn++) {
      for (let id = 1; id <= 65_535; id++) inflight.add(id, id, -id);
      expect(inflight.count).toBe(65_535);
      expect(inflight.isOther(65_535, -65_535)).toBe(false);
      let deleted = 0;
      for (let id = 65_535; id >= 1; id--) if (inflight.delete(id)) deleted++;
      expect(deleted).toBe(65_535);
      expect(inflight.count).toBe(0);
      expect(inflight.has(1)).toBe(false);
    }
  });

  test('leave nothing behind in the heap that only a full collection finds', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;
    const inflight = new InboundInflight();
    for (let id = 1; id <= 100; id++) inflight.add(id, 0, 1);
    collect(); // all that there is, is old now
    const before = oldSpaceBytes();
    for (let round = 0, id = 101; round < 100; round++) {
      for (let i = 0; i < 2000; i++, id = (id % 65_535) + 1) {
        inflight.add(id, 0, 1);
        inflight.delete(((id + 65_434) % 65_535) + 1);
      }
      collect({ type: 'minor' });
    }
    expect(inflight.count).toBe(100);
    // 200,000 messages in a Map: 25 MB of tables and messages, all of them dead.
    expect(oldSpaceBytes() - before).toBeLessThan(2_000_000);
  });
});
