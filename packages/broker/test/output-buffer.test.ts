/** The order of bytes towards one client, whichever way they take to its socket (output-buffer.ts). */
import { expect, test } from 'vitest';
import { type Client, publish, subscribe } from './support/client.ts';
import { type Worker, World } from './support/world.ts';

/** A client that had one QoS 0 message a turn lately: what comes alone is written to its socket at once, before the turn ends. */
async function eager(): Promise<{ world: World; worker: Worker; subscriber: Client; publisher: Client }> {
  const { world, worker } = await World.alone();
  const subscriber = await worker.connect('s');
  await subscriber.subscribe('t', 1);
  const publisher = await worker.connect('p');
  for (let turn = 1; turn <= 4; turn++) {
    publisher.put(publish('t', `${turn}`));
    expect(subscriber.said()).toEqual([]);
    await world.clock.settle();
    expect(subscriber.said()).toEqual([`publish t ${turn} q0`]);
  }
  publisher.put(publish('t', 'at once'));
  expect(subscriber.said()).toEqual(['publish t at once q0']);
  await world.clock.settle();
  return { world, worker, subscriber, publisher };
}

/** Seen to fail with `this.length > 0` taken out of OutputBuffer.sendThrough. */
test.each([
  ['PINGRESP', 'pingresp', ({ subscriber }) => subscriber.put({ type: 'pingreq' })],
  ['PUBACK', 'puback #7 0x10', ({ subscriber }) => subscriber.put(publish('nobody', 'x', 1, 7))],
  ['PUBREC', 'pubrec #7 0x10', ({ subscriber }) => subscriber.put(publish('nobody', 'x', 2, 7))],
  ['SUBACK', 'suback 0x00', ({ subscriber }) => subscriber.put(subscribe('other', 0, { retainHandling: 2 }))],
  ['a message of QoS 1', 'publish t x q1 #1', ({ publisher }) => publisher.put(publish('t', 'x', 1, 7))],
  [
    'a message kept for its topic',
    'publish t x q0',
    ({ publisher }) => publisher.put(publish('t', 'x', 0, 0, { retain: true })),
  ],
] as const satisfies [string, string, (clients: { subscriber: Client; publisher: Client }) => void][])(
  '%s gathered in a turn is not overtaken by a message of QoS 0 that comes later in it',
  async (_what, first, say) => {
    const { world, subscriber, publisher } = await eager();
    say({ subscriber, publisher });
    // SUBACK is put in the output buffer some promises later, and still in this turn of the broker's clock.
    await new Promise((resolve) => setImmediate(resolve));
    expect(subscriber.said()).toEqual([]);
    publisher.put(publish('t', 'later'));
    await world.clock.settle();
    expect(subscriber.said()).toEqual([first, 'publish t later q0']);
  },
);

test('one publisher’s messages of both kinds in one chunk arrive in the order they were sent', async () => {
  const { subscriber, publisher } = await eager();
  await publisher.send(publish('t', 'a', 1, 1), publish('t', 'b'), publish('t', 'c', 1, 2), publish('t', 'd'));
  expect(subscriber.said()).toEqual(['publish t a q1 #1', 'publish t b q0', 'publish t c q1 #2', 'publish t d q0']);
});
