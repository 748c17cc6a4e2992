/** A message is stored once although its batch is given to the store again (P2, P4). */
import { expect, test } from 'vitest';
import { readRecord } from '../src/message/message-record.ts';
import { StoreError } from '../src/ports/store-error.ts';
import { ack, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000 } as const;
const retryMilliseconds = 1000;

async function logOf(world: World, filter: string): Promise<string[]> {
  const { entries } = await world.store.logs.read(filter, 1, 100, 1e6, world.clock.now());
  return entries.map(({ record }) => {
    const { bytes, payloadStart, payloadEnd } = readRecord(record);
    return bytes.toString('latin1', payloadStart, payloadEnd);
  });
}

/** Answers to `append` are lost until `heal` is called. */
function loseAnswers({ gate }: Worker): () => void {
  gate.failsAfter.add('logs.append');
  return () => gate.failsAfter.clear();
}

/**
 * The first attempt is on its way for long: its caller gives it up, and it has its effect when the returned function is called, which resolves with what
 * the store said to it.
 */
function delayFirst({ gate }: Worker): () => Promise<unknown> {
  let late: () => Promise<unknown> = () => Promise.reject(new Error('nothing was appended'));
  gate.intercept = (method, run) => {
    if (method !== 'logs.append') return null;
    gate.intercept = null;
    late = run;
    return Promise.reject(new StoreError('unavailable', 'no answer in time'));
  };
  return () => late();
}

/** Seen to fail with no origin given in AppendQueue.write. */
test.each([1, 2] as const)(
  'the answer is lost: QoS %i of an ephemeral publisher comes once to everybody',
  async (qos) => {
    const { world, workers } = await World.of(2);
    const subscribers = [
      await workers[0].connect('durable here', durable),
      await workers[1].connect('durable there', durable),
      await workers[0].connect('ephemeral here'),
      await workers[1].connect('ephemeral there'),
    ];
    for (const subscriber of subscribers) await subscriber.subscribe('t', qos);
    const publisher = await workers[0].connect('publisher');
    const heal = loseAnswers(workers[0]);
    await publisher.send(publish('t', 'a1', qos, 1), publish('t', 'a2', qos, 2));
    await publisher.send(publish('t', 'a3', qos, 3));
    await world.clock.pass(3 * retryMilliseconds);
    expect(publisher.said()).toEqual([]);
    heal();
    await world.clock.pass(retryMilliseconds);
    const answer = qos === 1 ? 'puback' : 'pubrec';
    expect(publisher.said()).toEqual([1, 2, 3].map((packetId) => `${answer} #${packetId}`));
    for (const subscriber of subscribers) {
      expect(subscriber.said()).toEqual([1, 2, 3].map((number) => `publish t a${number} q${qos} #${number}`));
    }
    expect(await logOf(world, 't')).toEqual(['a1', 'a2', 'a3']);
    // Nothing is left that comes later: not from the log, and not to those who come back.
    await world.clock.pass(60_000);
    for (const subscriber of subscribers) expect(subscriber.said()).toEqual([]);
  },
);

/** Seen to fail with no origin given in AppendQueue.write. */
test('a durable session that is away gets it once when it is back', async () => {
  const { world, worker } = await World.alone();
  const subscriber = await worker.connect('s', durable);
  await subscriber.subscribe('t', 2);
  await subscriber.drop();
  const publisher = await worker.connect('publisher');
  const heal = loseAnswers(worker);
  await publisher.send(publish('t', 'a1', 2, 1));
  heal();
  await world.clock.pass(retryMilliseconds);
  await publisher.send(ack('pubrel', 1));
  expect(publisher.said()).toEqual(['pubrec #1', 'pubcomp #1']);
  const back = await worker.dial('s', durable);
  expect(back.said()).toEqual(['connack 0x00 present', 'publish t a1 q2 #1']);
});

/** Seen to fail with LastBatches.find refusing nothing, and with no origin given in AppendQueue.write. */
test.each([
  ['before the next batch', 0],
  ['behind the next batch', 1],
])('the first attempt arrives behind its repetition, %s', async (_when, batches) => {
  const { world, worker } = await World.alone();
  const subscriber = await worker.connect('s', durable);
  await subscriber.subscribe('t', 1);
  const publisher = await worker.connect('publisher');
  const arrive = delayFirst(worker);
  await publisher.send(publish('t', 'a1', 1, 1));
  await world.clock.pass(retryMilliseconds);
  for (let i = 0; i < batches; i++) await publisher.send(publish('t', `a${2 + i}`, 1, 2 + i));
  const stored = await logOf(world, 't');
  expect(stored).toHaveLength(1 + batches);
  if (batches === 0) expect(await arrive()).toEqual([[-1]]);
  else await expect(arrive()).rejects.toMatchObject({ code: 'fenced' });
  await publisher.send(publish('t', 'b9', 1, 9));
  expect(await logOf(world, 't')).toEqual([...stored, 'b9']);
  expect(subscriber.said()).toHaveLength(stored.length + 1);
  expect(publisher.said()).toHaveLength(stored.length + 1);
});

test('brokers that follow each other under one name do not know each other’s batches', async () => {
  const { world, worker } = await World.alone();
  const subscriber = await worker.connect('s', durable);
  await subscriber.subscribe('t', 1);
  await (await worker.connect('p')).send(publish('t', 'a1', 1, 1), publish('t', 'a2', 1, 2));
  const next = await world.replace(worker);
  await (await next.connect('p')).send(publish('t', 'b1', 1, 1));
  expect(await logOf(world, 't')).toEqual(['a1', 'a2', 'b1']);
});
