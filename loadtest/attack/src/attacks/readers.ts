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
  await stage.hold(2);
}

export const readers: readonly Attack[] = [
  {
    name: 'stopped-readers-qos-0',
    title: 'Clients that stop reading, QoS 0',
    details: '10 clients that stop to read, 400 messages of 1 MB with QoS 0',
    seconds: 11,
    run: (stage) => stoppedReaders(stage, 0, 400, false),
  },
  {
    name: 'stopped-readers-qos-1',
    title: 'Clients that stop reading, QoS 1',
    details: '10 clients that stop to read, 90 messages of 1 MB with QoS 1',
    seconds: 11,
    isShort: true,
    run: (stage) => stoppedReaders(stage, 1, 90, false),
  },
  {
    name: 'stopped-readers-qos-2',
    title: 'Clients that stop reading, QoS 2',
    details: '10 clients that stop to read, 90 messages of 1 MB with QoS 2',
    seconds: 11,
    run: (stage) => stoppedReaders(stage, 2, 90, false),
  },
  {
    name: 'stopped-readers-durable',
    title: 'Durable clients that stop reading',
    details: '10 clients with durable sessions that stop to read, 90 messages of 1 MB with QoS 1',
    seconds: 11,
    run: (stage) => stoppedReaders(stage, 1, 90, true),
  },
  {
    name: 'window-of-65535',
    title: 'Receive Maximum 65,535 and no PUBACK',
    details: '20 clients that let 65,535 messages be sent and acknowledge none, 30,000 messages of 1 KB with QoS 1',
    seconds: 20,
    async run(stage) {
      await stage.many(20, async (index) => {
        const socket = await stage.connect({ clientId: `window-${index}`, properties: { receiveMaximum: 65_535 } });
        const answer = socket?.answer('suback');
        await socket?.send(subscribePacket({ filter: 'mallory/#', qos: 1 }));
        await answer;
        return socket;
      });
      const publisher = await stage.connect({ clientId: 'publisher' });
      const packets = Array.from({ length: 100 }, (_, index) =>
        publishPacket({ topic: 'mallory/m', payload: Buffer.alloc(1000), qos: 1, packetId: index + 1 }),
      );
      for (let sent = 0; publisher !== null && sent < 30_000 && stage.goesOn; sent += packets.length) {
        const answers = packets.map(() => publisher.answer('puback'));
        if (!(await publisher.send(...packets))) return;
        await answers.at(-1);
      }
      await stage.hold(2);
    },
  },
];
