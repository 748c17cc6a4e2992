/** Shared groups without durable members: a message on its way to an endpoint that leaves goes to another member (P3). */
import { expect, test } from 'vitest';
import { FrameType } from '../src/cluster/frames.ts';
import { publish } from './support/client.ts';
import { frameType } from './support/lossy-backplane.ts';
import { drain, lossy } from './support/lossy-world.ts';

test.each([1, 2] as const)(
  'QoS %i on a link whose endpoint left goes to another member, and is acknowledged when it is there',
  async (qos) => {
    const { world, workers, hub } = await lossy(3);
    const names = workers.map(({ broker }) => broker.self);
    const doomed = await workers[1].connect('doomed');
    await doomed.subscribe('$share/g/jobs', qos);
    const subscriber = await workers[1].connect('s');
    await subscriber.subscribe('jobs', qos);
    const publisher = await workers[0].connect('p');
    hub.loses = (from, to) => from === names[0] && to === names[1];
    await publisher.send(publish('jobs', 'a', qos, 1), publish('jobs', 'b', qos, 2));
    expect(publisher.said()).toEqual([]);
    const other = await workers[2].connect('other');
    await other.subscribe('$share/g/jobs', qos);
    await world.clock.pass(1000);
    expect(publisher.said()).toEqual([]);
    hub.loses = (from, to) => from === names[0] && (to === names[1] || to === names[2]);
    await workers[1].crash();
    // It waits for the member that has it now.
    expect(publisher.said()).toEqual([]);
    hub.loses = () => false;
    await world.clock.pass(1000);
    const what = qos === 1 ? 'puback' : 'pubrec';
    expect(publisher.said()).toEqual([`${what} #1`, `${what} #2`]);
    expect(await drain(other)).toEqual(['a', 'b']);
    expect(workers[0].broker.metrics.dropped['link-lost']).toBe(0);
  },
);

test('where no other member is left it is dropped and counted', async () => {
  const { workers, hub } = await lossy(2);
  const doomed = await workers[1].connect('doomed');
  await doomed.subscribe('$share/g/jobs', 1);
  const publisher = await workers[0].connect('p');
  hub.loses = () => true;
  await publisher.send(publish('jobs', 'a', 1, 1));
  await workers[1].crash();
  expect(publisher.said()).toEqual(['puback #1']);
  expect(workers[0].broker.metrics.dropped['link-lost']).toBe(1);
});

/** Passed to and fro without an end, had it no count of hops: the two would be busy with it until their routes are right. */
test('a message for a group without members is not passed to and fro', async () => {
  const { world, workers, hub } = await lossy(2);
  const members = [await workers[0].connect('m0'), await workers[1].connect('m1')];
  for (const member of members) await member.subscribe('$share/g/jobs', 0);
  const publisher = await workers[0].connect('p');
  hub.loses = (_from, _to, bytes) => frameType(bytes) === FrameType.routes;
  for (const member of members) await member.drop();
  await publisher.send(publish('jobs', 'a'));
  const lost = workers.map(({ broker }) => broker.metrics.dropped['no-subscriber']);
  expect(lost[0] + lost[1]).toBe(1);
  await world.clock.pass(1000);
});
