/** Attacks by clients that subscribe and stop to read. */
import { publishPacket, subscribePacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { Stage } from '../stage.ts';

const readersCount = 10;
const payload = Buffer.alloc(1_000_000);

/** Ten clients subscribe and stop to read; another publishes so many messages of 1 MB to them all. */
async function stoppedReaders(stage: Stage, qos: 0 | 1 | 2, messages: number, isDurable: boolean): Promise<void> {
  const options = isDurable ? { cleanStart: false, properties: { sessionExpiryInterval: 3600 } } : {};
  await stage.many(readersCount, async (index) => {
    const socket = await stage.connect({ clientId: `reader-${index}`, ...options });
    const answer = socket?.answer('suback');
    await socket?.send(subscribePacket({ filter: 'mallory/#', qos }));
    await answer;
    socket?.stream.pause();
    return socket;
  });
  const publisher = await stage.connect({ clientId: 'publisher' });
  for (let index = 0; publisher !== null && index < messages && stage.goesOn; index++) {
    const answer = qos === 0 ? null : publisher.answer('puback');
    const publishQos = qos === 0 ? 0 : 1;
    const packetId = publishQos === 0 ? 0 : (index % 100) + 1;
    const message = { topic: 'mallory/m', payload, packetId };
    if (!(await publisher.send(publishPacket({ ...message, qos: qos === 2 ? 2 : publishQos })))) return;
    if (qos === 2) continue;
    await answer;
  }
  await stage.hold();
}

export const readers: readonly Attack[] = [
  {
    name: 'stopped-readers-qos-0',
    title: '10 clients that stop to read, 400 messages of 1 MB with QoS 0',
    seconds: 11,
    run: (stage) => stoppedReaders(stage, 0, 400, false),
  },
  {
    name: 'stopped-readers-qos-1',
    title: '10 clients that stop to read, 90 messages of 1 MB with QoS 1',
    seconds: 11,
    isShort: true,
    run: (stage) => stoppedReaders(stage, 1, 90, false),
  },
  {
    name: 'stopped-readers-qos-2',
    title: '10 clients that stop to read, 90 messages of 1 MB with QoS 2',
    seconds: 11,
    run: (stage) => stoppedReaders(stage, 2, 90, false),
  },
  {
    name: 'stopped-readers-durable',
    title: '10 clients with durable sessions that stop to read, 90 messages of 1 MB with QoS 1',
    seconds: 11,
    run: (stage) => stoppedReaders(stage, 1, 90, true),
  },
];
