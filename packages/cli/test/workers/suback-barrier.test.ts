import { expect, test } from 'vitest';
import { WorkerNode, workerCount } from './worker-node.ts';

const rounds = 1000;

test(`a publish anywhere after SUBACK arrives, ${rounds} fresh filters`, { timeout: 120_000 }, async () => {
  await using node = await WorkerNode.start();
  const subscribers = await node.connectEverywhere((worker) => ({ clientId: `subscriber-${worker}` }));
  const publishers = await node.connectEverywhere((worker) => ({ clientId: `publisher-${worker}` }));
  for (let round = 0; round < rounds; round++) {
    const home = round % workerCount;
    // Every other worker in turn.
    const away = (home + 1 + (Math.floor(round / workerCount) % (workerCount - 1))) % workerCount;
    const qos = (round % 3) as 0 | 1 | 2;
    const wildcard = round % 2 === 0;
    const topic = `fresh/${round}/x`;
    await subscribers[home].subscribe(wildcard ? `fresh/${round}/+` : topic, qos);
    // QoS 0: nothing is sent again, so it arrives only if the route was known at once.
    publishers[away].sendPublish({ topic, payload: `${round}`, qos: 0 }, 0);
    const message = await subscribers[home].expectPacket({ type: 'publish', topic }, 10_000);
    expect(message.payload.toString()).toBe(`${round}`);
  }
});

test('also for durable sessions, whose filter has a log from then on', { timeout: 120_000 }, async () => {
  await using node = await WorkerNode.start('lmdb');
  const session = { cleanStart: false, sessionExpirySeconds: 3600 };
  const subscribers = await node.connectEverywhere((worker) => ({ clientId: `subscriber-${worker}`, ...session }));
  const publishers = await node.connectEverywhere((worker) => ({ clientId: `publisher-${worker}` }));
  for (let round = 0; round < rounds / 4; round++) {
    const home = round % workerCount;
    const away = (home + 1 + (Math.floor(round / workerCount) % (workerCount - 1))) % workerCount;
    const topic = `durable/${round}`;
    await subscribers[home].subscribe(topic, 1);
    await publishers[away].publish({ topic, payload: `${round}`, qos: 1 });
    const { packetId } = await subscribers[home].expectPacket({ type: 'publish', topic, qos: 1 }, 10_000);
    subscribers[home].send({ type: 'puback', packetId, reasonCode: 0, properties: null });
  }
});
