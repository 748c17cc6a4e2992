/** Messages that a log drops by its limits while they are in flight: counted once, said when they would be sent again, and their handshakes are completed. */
import { expect, test } from 'vitest';
import { ack, type Client, publish } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

const durable = { cleanStart: false, expiry: 1000, properties: { receiveMaximum: 3 } } as const;
const goneLine = 'messages in flight are not sent again: their logs have dropped them';

/** Twenty messages; the log keeps five. Three were sent, and the connection is lost. */
async function trimmed(qos: 1 | 2): Promise<{ world: World; workers: Worker[]; client: Client }> {
  const { world, workers } = await World.of(2, { limits: { logMessagesMax: 5 } });
  const client = await workers[0].connect('d', durable);
  await client.subscribe('t', qos);
  const publisher = await workers[1].connect('p');
  for (let i = 1; i <= 20; i++)
    await publisher.send(publish('t', String(i), qos, i), ...(qos === 2 ? [ack('pubrel', i)] : []));
  expect(client.said()).toEqual([1, 2, 3].map((id) => `publish t ${id} q${qos} #${id}`));
  if (qos === 2) {
    await client.send(ack('pubrec', 1)); // those of the others do not arrive
    expect(client.said()).toEqual(['pubrel #1']);
  }
  await client.drop();
  await world.clock.pass(120_000);
  return { world, workers, client };
}

function dropped(workers: Worker[]): number {
  return workers.reduce((sum, { broker }) => sum + broker.metrics.dropped['log-limit'], 0);
}

const gone = (workers: Worker[]): number =>
  workers.flatMap(({ log }) => log).filter((line) => line.startsWith(goneLine)).length;

test.each([0, 1])('QoS 1: what is left comes, counted and said once (worker %i)', async (at) => {
  const { world, workers } = await trimmed(1);
  expect(dropped(workers)).toBe(15);
  const next = await workers[at].dial('d', durable);
  expect(next.said()).toEqual(['connack 0x00 present', ...[16, 17, 18].map((n, i) => `publish t ${n} q1 #${i + 4}`)]);
  await next.send(ack('puback', 4), ack('puback', 5), ack('puback', 6));
  expect(next.said()).toEqual(['publish t 19 q1 #7', 'publish t 20 q1 #8']);
  await next.send(ack('puback', 7), ack('puback', 8));
  await world.clock.pass(1000);
  expect(gone(workers)).toBe(1);
  await next.drop();
  const last = await workers[at].dial('d', durable);
  expect(last.said()).toEqual(['connack 0x00 present']);
  expect([dropped(workers), gone(workers)]).toEqual([15, 1]);
});

/** A client that has the message and whose PUBREC was lost would take the next message of that identifier for the same one. Seen to fail: the identifier was free at once. */
test.each([0, 1])(
  'QoS 2: the client may let go of their identifiers before others get them (worker %i)',
  async (at) => {
    const { world, workers } = await trimmed(2);
    let next = await workers[at].dial('d', durable);
    expect(next.said()).toEqual(['connack 0x00 present', 'pubrel #1', 'pubrel #2', 'pubrel #3']);
    await next.drop(); // and once more
    next = await workers[1 - at].dial('d', durable);
    expect(next.said()).toEqual(['connack 0x00 present', 'pubrel #1', 'pubrel #2', 'pubrel #3']);
    await next.send(ack('pubcomp', 1), ack('pubcomp', 2), ack('pubcomp', 3));
    expect(next.said()).toEqual([16, 17, 18].map((n, i) => `publish t ${n} q2 #${i + 4}`));
    await world.clock.pass(1000);
    expect([dropped(workers), gone(workers)]).toEqual([15, 1]);
  },
);
