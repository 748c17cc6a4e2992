/** Attacks on what a broker stores for those who are away. */
import { setTimeout as pause } from 'node:timers/promises';
import { disconnectPacket, publishPacket, subscribePacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';

const durable = { cleanStart: false, properties: { sessionExpiryInterval: 0xffffffff } };

export const stored: readonly Attack[] = [
  {
    name: 'sessions-for-ever',
    title: '2 processes, 10,000 durable sessions each that never end',
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
    title: 'a durable session away with 119 nested filters, and 60 messages of 64 KiB that match all of them',
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
];
