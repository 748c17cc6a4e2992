/** Attacks by PUBLISH. The attacker may publish below `mallory/` alone. */
import { setTimeout as pause } from 'node:timers/promises';
import { encodePacket } from '@dunlin/protocol';
import { prefixed, properties, publishPacket, rawPacket, subscribePacket, uint16 } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { Stage } from '../stage.ts';
import { powerless } from '../target.ts';
import { userProperties } from './before-connect.ts';

/** A topic of 65,535 bytes that no other number has. */
function longTopic(name: string): string {
  return `mallory/${name}/`.padEnd(65_535, 'x');
}

/** Publishes with QoS 0 as fast as the broker reads, to a topic of its own. */
async function flood(stage: Stage, clientId: string): Promise<void> {
  const socket = await stage.connect({ clientId });
  const packet = encodePacket(publishPacket({ topic: 'mallory/flood', payload: Buffer.alloc(100) }), 5);
  const many = Buffer.concat(Array.from({ length: 500 }, () => packet));
  while (socket !== null && stage.goesOn) {
    if (!(await socket.send(many))) return;
    await pause(0);
  }
}

/** Reads 50 KB a second of what the floods publish. */
async function slowReader(stage: Stage): Promise<void> {
  const socket = await stage.connect({ clientId: 'slow-reader' });
  await socket?.send(subscribePacket({ filter: 'mallory/#', qos: 0 }));
  while (socket !== null && stage.goesOn && !socket.isClosed) {
    const before = socket.received;
    socket.stream.resume();
    await pause(10);
    socket.stream.pause();
    await pause(Math.min(1000, (socket.received - before) / 50));
  }
}

/** Connects, and publishes to so many topics of 65,535 bytes with QoS 0. */
async function topics(stage: Stage, clientId: string, names: readonly string[], options = {}): Promise<void> {
  const socket = await stage.connect({ clientId, ...options });
  for (const name of names) {
    if (socket === null || !stage.goesOn) return;
    if (!(await socket.send(publishPacket({ topic: longTopic(name) })))) return;
  }
}

const numbers = (count: number, prefix = '') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

export const publishes: readonly Attack[] = [
  {
    name: 'flood',
    title: 'Floods of QoS 0 and a slow reader',
    details: '20 clients that publish with QoS 0 without pause, and one that reads 50 KB a second of it',
    seconds: 8,
    isShort: true,
    async run(stage) {
      await Promise.all([slowReader(stage), ...numbers(20).map((name) => flood(stage, `flood-${name}`))]);
    },
  },
  {
    name: 'flood-beside-pairs',
    title: 'The same beside more healthy clients',
    details:
      '20 clients that publish with QoS 0 without pause, one that reads 50 KB a second of it, 16 pairs of others',
    seconds: 8,
    pairs: 16,
    async run(stage) {
      await Promise.all([slowReader(stage), ...numbers(20).map((name) => flood(stage, `flood-${name}`))]);
    },
  },
  {
    name: 'long-topics',
    title: '8,000 of the longest topics',
    details: '8,000 topics of 65,535 bytes',
    seconds: 20,
    run: (stage) => topics(stage, 'topics', numbers(8000)),
  },
  {
    name: 'denied-topics',
    title: 'Long topics without a right to them',
    details: '40 clients without any right, each with 250 topics of 65,535 bytes',
    seconds: 20,
    async run(stage) {
      await Promise.all(
        numbers(40).map((name) => topics(stage, `denied-${name}`, numbers(250, `${name}-`), powerless)),
      );
    },
  },
  {
    name: 'same-long-topics',
    title: 'The same long topics from 60 clients',
    details: '60 clients that publish to the same 256 topics of 65,535 bytes',
    seconds: 20,
    async run(stage) {
      await Promise.all(numbers(60).map((name) => topics(stage, `same-${name}`, numbers(256))));
    },
  },
  {
    name: 'topic-aliases',
    title: 'Topic aliases of the longest topics',
    details: '100 clients, each with 100 topic aliases of 65,535 bytes',
    seconds: 20,
    async run(stage) {
      const one = async (name: string) => {
        const socket = await stage.connect({ clientId: `alias-${name}` });
        for (let topicAlias = 1; socket !== null && topicAlias <= 100 && stage.goesOn; topicAlias++) {
          const topic = longTopic(`${name}-${topicAlias}`);
          if (!(await socket.send(publishPacket({ topic, properties: { topicAlias } })))) return;
        }
      };
      await Promise.all(numbers(100).map(one));
      await stage.hold(2);
    },
  },
  {
    name: 'publish-user-properties',
    title: 'PUBLISH with 149,000 properties',
    details: '100 PUBLISH packets with 149,000 user properties each',
    seconds: 11,
    async run(stage) {
      const socket = await stage.connect({ clientId: 'properties' });
      const packet = rawPacket(0x32, prefixed('mallory/p'), uint16(1), properties(userProperties));
      for (let index = 0; socket !== null && index < 100 && stage.goesOn; index++) {
        const answer = socket.answer('puback');
        if (!(await socket.send(packet))) return;
        await answer;
      }
    },
  },
  {
    name: 'retained-messages',
    title: '200,000 retained messages',
    details: '200,000 retained topics',
    seconds: 25,
    async run(stage) {
      const socket = await stage.connect({ clientId: 'retained' });
      for (let index = 0; socket !== null && index < 200_000 && stage.goesOn; index += 500) {
        const packets = numbers(500).map((_, offset) =>
          publishPacket({ topic: `mallory/r/${index + offset}`, payload: 'x'.repeat(64), retain: true }),
        );
        if (!(await socket.send(...packets))) return;
      }
    },
  },
  {
    name: 'delayed-messages',
    title: '20,000 delayed messages due at once',
    details: '20,000 delayed messages that are due at the same time',
    seconds: 16,
    isDunlinAlone: true,
    async run(stage) {
      const socket = await stage.connect({ clientId: 'delayed' });
      for (let index = 0; socket !== null && index < 20_000 && stage.goesOn; index += 100) {
        const answer = socket.answer('puback');
        const packets = numbers(100).map((_, offset) =>
          publishPacket({
            topic: '$delayed/10/mallory/d',
            payload: 'x',
            qos: 1,
            packetId: 1 + ((index + offset) % 1000),
          }),
        );
        if (!(await socket.send(...packets))) return;
        await answer;
      }
      await stage.hold();
    },
  },
];
