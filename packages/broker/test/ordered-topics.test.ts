import { expect, test } from 'vitest';
import { OrderedTopics } from '../src/memory/ordered-topics.ts';

test('whatever is added and removed, the rest is there in its order, from any topic on', () => {
  const topics = new OrderedTopics();
  const model = new Set<string>();
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % below;
  };
  for (let step = 0; step < 20_000; step++) {
    const topic = `t/${random(3000)}`;
    // Grows first, then shrinks to nothing.
    if (model.has(topic) && (step > 10_000 || random(3) === 0)) {
      topics.remove(topic);
      model.delete(topic);
    } else if (!model.has(topic) && step < 10_000) {
      topics.add(topic);
      model.add(topic);
    }
    if (step % 500 !== 0) continue;
    const from = `t/${random(3000)}`;
    expect([...topics.from(from)]).toEqual([...model].filter((each) => each >= from).sort());
  }
  expect(model.size).toBeLessThan(100);
});
