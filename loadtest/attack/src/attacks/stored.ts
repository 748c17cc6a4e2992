/** Attacks on what a broker stores for those who are away. */
import { setTimeout as pause } from 'node:timers/promises';
import { disconnectPacket, publishPacket, subscribePacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { AttackSocket } from '../attack-socket.ts';
import type { Stage } from '../stage.ts';

const durable = { cleanStart: false, properties: { sessionExpiryInterval: 0xffffffff } };
const retainedAtOnce = 10;

/** Publishes so many retained messages with QoS 1, ten under way at a time. */
async function retain(stage: Stage, publisher: AttackSocket | null, count: number, bytes: number): Promise<void> {
  for (let first = 0; publisher !== null && first < count && stage.goesOn; first += retainedAtOnce) {
    const packets = Array.from({ length: Math.min(retainedAtOnce, count - first) }, (_, index) =>
      publishPacket({
        topic: `mallory/r/${first + index}`,
        payload: Buffer.alloc(bytes, 'x'),
        qos: 1,
        packetId: index + 1,
        retain: true,
      }),
    );
    const answers = packets.map(() => publisher.answer('puback'));
    if (!(await publisher.send(...packets))) return;
    await answers.at(-1);
  }
}

export const stored: readonly Attack[] = [
  {
    name: 'sessions-for-ever',
    title: '20,000 sessions that never end',
    details: '2 processes, 10,000 durable sessions each that never end',
    seconds: 25,
    processes: 2,
    async run(stage) {
      const one = async (lane: number) => {
        for (let index = lane; index < 10_000 && stage.goesOn; index += 20) {
          const socket = await stage.connect({ clientId: `session-${stage.index}-${index}`, ...durable });
          await socket?.send(disconnectPacket());
          socket?.drop();
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, lane) => one(lane)));
    },
  },
  {
    name: 'nested-durable-filters',
    title: 'Messages stored for 119 filters at once',
    details: 'a durable session away with 119 nested filters, and 60 messages of 64 KiB that match all of them',
    seconds: 20,
    isShort: true,
    async run(stage) {
      const away = await stage.connect({ clientId: 'nested', ...durable });
      const levels = Array.from({ length: 119 }, (_, index) => `mallory${'/n'.repeat(index)}`);
      const answer = away?.answer('suback');
      await away?.send(subscribePacket(levels.map((stem) => ({ filter: `${stem}/#`, qos: 1 as const }))));
      await answer;
      away?.drop();
      const publisher = await stage.connect({ clientId: 'publisher' });
      const topic = `mallory${'/n'.repeat(120)}`;
      for (let index = 0; publisher !== null && index < 60 && stage.goesOn; index++) {
        const acknowledged = publisher.answer('puback');
        await publisher.send(publishPacket({ topic, payload: Buffer.alloc(65_536), qos: 1 }));
        await acknowledged;
        await pause(0);
      }
    },
  },
  {
    name: 'short-sessions',
    title: 'Sessions that end after a second',
    details: '10,000 durable sessions with an expiry interval of one second',
    seconds: 15,
    async run(stage) {
      const one = async (lane: number) => {
        for (let index = lane; index < 10_000 && stage.goesOn; index += 20) {
          const socket = await stage.connect({
            clientId: `short-${index}`,
            cleanStart: false,
            properties: { sessionExpiryInterval: 1 },
          });
          socket?.drop();
        }
      };
      await Promise.all(Array.from({ length: 20 }, (_, lane) => one(lane)));
      await stage.hold(2);
    },
  },
  {
    name: 'retained-for-many',
    title: '200 clients that ask for 20,000 retained messages',
    details: '20,000 retained messages of 64 bytes, and 200 clients that subscribe to all of them at the same time',
    seconds: 20,
    async run(stage) {
      const publisher = await stage.connect({ clientId: 'publisher' });
      await retain(stage, publisher, 20_000, 64);
      await stage.many(200, async (index) => {
        const socket = await stage.connect({ clientId: `reader-${index}` });
        await socket?.send(subscribePacket({ filter: 'mallory/r/#', qos: 0 }));
        return socket;
      });
      await stage.hold(4);
    },
  },
  {
    name: 'large-retained-messages',
    title: 'Retained messages of 1 MB for clients that do not read',
    details: '200 retained messages of 1 MB, and 20 clients that subscribe to all of them and read nothing',
    seconds: 20,
    async run(stage) {
      const publisher = await stage.connect({ clientId: 'publisher' });
      await retain(stage, publisher, 200, 1_000_000);
      await stage.many(20, async (index) => {
        const socket = await stage.connect({ clientId: `reader-${index}` });
        socket?.stream.pause();
        await socket?.send(subscribePacket({ filter: 'mallory/r/#', qos: 1 }));
        return socket;
      });
      await stage.hold(4);
    },
  },
];
