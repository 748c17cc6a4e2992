import { expect, test } from 'vitest';
import { type Ask, Gathering, gatherMilliseconds } from '../src/api/gathering.ts';

function gathering(...answers: Awaited<ReturnType<Ask>>): Gathering {
  return new Gathering(async () => answers, 'a');
}

test('answers are told with node and worker; who gave none, or does not know the question, is named once', async () => {
  const { parts, incomplete } = await gathering(
    { endpoint: 'a/0#17', body: '{"value":1}' },
    { endpoint: 'a/1#18', body: '{"value":2}' },
    { endpoint: 'b/0#19', body: null },
    { endpoint: 'b/1#20', body: null },
    { endpoint: 'c/0#21', body: '{"unknown":"node"}' },
  ).all<number>({ kind: 'node' });
  expect(parts).toEqual([
    { node: 'a', worker: 0, value: 1 },
    { node: 'a', worker: 1, value: 2 },
  ]);
  expect(incomplete).toEqual([
    { node: 'b', reason: `no answer within ${gatherMilliseconds} ms` },
    { node: 'c', reason: 'it runs a release that does not know this question' },
  ]);
});

test('a question that is wrong is refused in the words of the worker', async () => {
  const wrong = gathering({ endpoint: 'a/0#17', body: '{"error":"topic: given \\"#\\", allowed: a topic name"}' });
  await expect(wrong.one({ kind: 'node' })).rejects.toMatchObject({
    status: 400,
    message: 'topic: given "#", allowed: a topic name',
  });
  await expect(wrong.all({ kind: 'node' })).rejects.toMatchObject({ status: 400 });
});

test('without a worker that answers, the whole node is missing, and what needs one is refused', async () => {
  const without = new Gathering(() => Promise.reject(new TypeError('worker 0 hangs')), 'a');
  expect(await without.all({ kind: 'node' })).toEqual({
    parts: [],
    incomplete: [{ node: 'a', reason: 'worker 0 hangs' }],
  });
  await expect(without.one({ kind: 'node' })).rejects.toMatchObject({ code: 'no-answer', message: 'worker 0 hangs' });
  await expect(gathering().all({ kind: 'node' }, 'z')).rejects.toMatchObject({ status: 404 });
});
