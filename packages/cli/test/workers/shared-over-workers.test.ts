import { type Conversation, type PacketOf, textsOf } from '@dunlin/testkit';
import { expect, test } from 'vitest';
import { WorkerNode, workerCount } from './worker-node.ts';

const messagesPerPublisher = 100;
const membersPerWorker = 2;

/** Members at every worker; each is subscribed to `end` too, which tells it that nothing more comes from a publisher. */
async function joinGroup(node: WorkerNode, qos: 0 | 1 | 2): Promise<Conversation[]> {
  const members: Conversation[] = [];
  for (let index = 0; index < membersPerWorker; index++) {
    const joined = await node.connectEverywhere((worker) => ({ clientId: `member-${index}-${worker}` }));
    for (const member of joined) {
      await member.subscribe('$share/group/work/#', qos);
      await member.subscribe('end', qos);
    }
    members.push(...joined);
  }
  return members;
}

function isOver(received: readonly PacketOf<'publish'>[]): boolean {
  return received.filter(({ topic }) => topic === 'end').length === workerCount;
}

test.each([0, 1, 2] as const)('a shared group over all workers at QoS %s: each message to one member', async (qos) => {
  await using node = await WorkerNode.start();
  const members = await joinGroup(node, qos);
  const publishers = await node.connectEverywhere((worker) => ({ clientId: `publisher-${worker}` }));
  const sent: string[] = [];
  const publishing = publishers.map(async (publisher, worker) => {
    for (let number = 0; number < messagesPerPublisher; number++) {
      const payload = `${worker} ${number}`;
      sent.push(payload);
      await publisher.publish({ topic: `work/${worker}`, payload, qos });
    }
    await publisher.publish({ topic: 'end', payload: 'end', qos });
  });
  const [shares] = await Promise.all([Promise.all(members.map((member) => member.receive(isOver))), ...publishing]);
  const work = shares.map((share) => textsOf(share.filter(({ topic }) => topic !== 'end')));
  expect(work.flat().sort()).toEqual(sent.sort());
  // Round-robin: publishers take turns of their own, so the shares are close to equal, not exactly.
  for (const share of work) expect(share.length).toBeGreaterThan(sent.length / members.length / 2);
});

test('what a member leaves unacknowledged goes to a member at another worker', async () => {
  await using node = await WorkerNode.start();
  const [leaving, staying] = [
    await node.connectAt(0, { clientId: 'leaving' }),
    await node.connectAt(1, { clientId: 'staying' }),
  ];
  await leaving.subscribe('$share/group/work', 1);
  const publisher = await node.connectAt(2, { clientId: 'publisher' });
  const texts = ['one', 'two', 'three'];
  for (const payload of texts) await publisher.publish({ topic: 'work', payload, qos: 1 });
  for (const text of texts) await leaving.expectPacket({ type: 'publish', payload: Buffer.from(text) });
  await staying.subscribe('$share/group/work', 1);
  await leaving.drop();
  const received = await staying.receive(({ length }) => length === texts.length);
  expect(textsOf(received)).toEqual(texts);
});
