import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InflightState, OutboundInflight } from '../src/session/inflight.ts';
import type { LogCursor } from '../src/session/log-cursor.ts';

const cursor = { name: 'a cursor' } as unknown as LogCursor;

describe('packet identifiers in use', () => {
  test('run from 1 to 65,535 and around, past one that is kept all the time [MQTT-2.2.1-3]', () => {
    const inflight = new OutboundInflight(1000);
    for (let id = 1; id <= 5; id++) expect(inflight.take(1, null, 0, 0)).toBe(id);
    for (const id of [1, 2, 4, 5]) inflight.release(id); // 3 stays
    const seen: number[] = [];
    for (let i = 0; i < 70_000; i++) {
      const id = inflight.take(2, cursor, i, 0);
      seen.push(id);
      inflight.release(id);
    }
    expect(Math.max(...seen.slice(0, 65_530))).toBe(65_535);
    expect(Math.min(...seen)).toBe(1);
    expect(seen).not.toContain(3);
    expect(inflight.stateOf(3)).toBe(InflightState.sent1);
    expect(inflight.count).toBe(1);
  });

  test('all 65,535 can be in use at once', () => {
    const inflight = new OutboundInflight(65_535);
    const ids = new Set<number>();
    while (!inflight.isFull) ids.add(inflight.take(1, null, 0, 0));
    expect(ids.size).toBe(65_535);
    expect(ids.has(0)).toBe(false);
    inflight.release(777);
    expect(inflight.take(1, null, 0, 0)).toBe(777);
  });

  test('every identifier keeps its state, cursor and number, whatever is taken, released and restored', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('take' as const),
        qos: fc.constantFrom(1 as const, 2 as const),
        logged: fc.boolean(),
      }),
      fc.record({ kind: fc.constant('release' as const), at: fc.nat() }),
      fc.record({ kind: fc.constant('pubrec' as const), at: fc.nat() }),
      fc.record({ kind: fc.constant('restore' as const), id: fc.integer({ min: 1, max: 65_535 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const inflight = new OutboundInflight(65_535);
        const model = new Map<number, { state: number; cursor: LogCursor | null; sequence: number }>();
        let sequence = 0;
        for (const one of steps) {
          const ids = [...model.keys()];
          if (one.kind === 'take') {
            const owner = one.logged ? cursor : null;
            const id = inflight.take(one.qos, owner, ++sequence, 0);
            expect(model.has(id)).toBe(false);
            model.set(id, { state: one.qos, cursor: owner, sequence });
          } else if (one.kind === 'restore') {
            if (model.has(one.id)) continue;
            inflight.restore(one.id, InflightState.released, cursor, ++sequence);
            model.set(one.id, { state: InflightState.released, cursor, sequence });
          } else if (ids.length > 0) {
            const id = ids[one.at % ids.length];
            if (one.kind === 'release') {
              inflight.release(id);
              model.delete(id);
            } else {
              inflight.setReleased(id);
              (model.get(id) as { state: number }).state = InflightState.released;
            }
          }
        }
        expect(inflight.count).toBe(model.size);
        expect(inflight.packetIdsInUse().sort((a, b) => a - b)).toEqual([...model.keys()].sort((a, b) => a - b));
        for (const [id, known] of model) {
          expect(inflight.stateOf(id)).toBe(known.state);
          expect(inflight.sourceOf(id)).toBe(known.cursor);
          if (known.cursor !== null) expect(inflight.sequenceOf(id)).toBe(known.sequence);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('are listed in the order they were given, also around the end of their range', () => {
    const inflight = new OutboundInflight(10);
    inflight.restore(65_534, InflightState.sent1, null, 0);
    const given = [65_534, ...[1, 2, 3].map(() => inflight.take(1, null, 0, 0))];
    expect(given).toEqual([65_534, 65_535, 1, 2]);
    expect(inflight.packetIdsInUse()).toEqual(given);
  });
});
