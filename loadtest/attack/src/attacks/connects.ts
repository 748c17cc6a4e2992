/** Attacks by signing in, or trying to. */
import { encodePacket } from '@dunlin/protocol';
import { connectPacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { AttackSocket } from '../attack-socket.ts';
import type { Stage } from '../stage.ts';

/** U+0001 is allowed in MQTT, and takes six bytes in JSON. */
const longName = '\u0001'.repeat(65_535);

/** CONNECT with a wrong password for this user; waits for the answer, or for the end. */
export async function guess(stage: Stage, userName: string, clientId: string): Promise<void> {
  const socket = await stage.open();
  if (socket === null) return;
  const answer = socket.answer('connack');
  await socket.send(connectPacket({ clientId, userName, password: `wrong-${clientId}` }));
  await answer;
  socket.drop();
}

/** A connection that connects and leaves again and again. */
async function comeAndGo(stage: Stage, clientId: string): Promise<void> {
  while (stage.goesOn) {
    const socket = await stage.connect({ clientId });
    socket?.drop();
  }
}

export const connects: readonly Attack[] = [
  {
    name: 'guesses-that-wait',
    title: 'Password guessing by 2,200 clients',
    details: '2,200 connections that guess passwords',
    seconds: 15,
    async run(stage) {
      const guesser = async (index: number) => {
        for (let turn = 0; stage.goesOn; turn++) await guess(stage, `user-${index}`, `guess-${index}-${turn}`);
      };
      await Promise.all(Array.from({ length: 2200 }, (_, index) => guesser(index)));
    },
  },
  {
    name: 'guesses-that-leave',
    title: 'Password guessing without waiting',
    details: '200 CONNECT a second with a wrong password, closed at once',
    seconds: 12,
    isShort: true,
    async run(stage) {
      await stage.repeat(200, async (index) => {
        const socket = await stage.open();
        await socket?.send(connectPacket({ clientId: `g${index}`, userName: `u${index}`, password: 'wrong' }));
        socket?.drop();
      });
    },
  },
  {
    name: 'long-names',
    title: 'Refused CONNECT with the longest names',
    details: 'CONNECT with a client identifier and a user name of 65,535 control characters, refused, over and over',
    seconds: 5,
    async run(stage) {
      const bytes = encodePacket(connectPacket({ clientId: longName, userName: longName }), 5);
      const refused = async () => {
        while (stage.goesOn) {
          const socket = await stage.open();
          const answer = socket?.answer('connack');
          await socket?.send(bytes);
          await answer;
          socket?.drop();
        }
      };
      await Promise.all([refused(), refused()]);
    },
  },
  {
    name: 'connect-and-leave',
    title: 'Connecting and leaving without pause',
    details: '4 processes that connect and leave without pause',
    seconds: 6,
    processes: 4,
    isShort: true,
    async run(stage) {
      const one = (index: number) => comeAndGo(stage, `come-${stage.index}-${index}`);
      await Promise.all(Array.from({ length: 8 }, (_, index) => one(index)));
    },
  },
  {
    name: 'one-client-identifier',
    title: '2,000 clients with one identifier',
    details: 'one client identifier, 2,000 connections at once, durable',
    seconds: 11,
    async run(stage) {
      const open: Promise<AttackSocket | null>[] = [];
      for (let index = 0; index < 2000 && stage.goesOn; index++) {
        open.push(
          stage.connect({ clientId: 'mallory', cleanStart: false, properties: { sessionExpiryInterval: 3600 } }),
        );
        if (index % 100 === 99) await Promise.all(open.slice(-100));
      }
      await Promise.all(open);
    },
  },
  {
    name: 'large-wills',
    title: 'The largest wills',
    details: '2,000 clients that leave a will of 60 KB each',
    seconds: 15,
    async run(stage) {
      const will = {
        topic: 'mallory/will',
        payload: Buffer.alloc(60_000),
        qos: 1 as const,
        retain: false,
        properties: {},
      };
      await stage.many(2000, (index) => stage.connect({ clientId: `will-${index}`, will }));
    },
  },
  {
    name: 'long-reasons',
    title: 'Names too long for a reason string',
    details: 'packets whose names would not fit into a reason string, ten a second',
    seconds: 4,
    isDunlinAlone: true,
    async run(stage) {
      const will = { payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
      await stage.repeat(10, async (index) => {
        const topic = `$SYS/${'x'.repeat(65_525)}`;
        await stage.connect({ clientId: `reason-${index}`, will: { ...will, topic } });
      });
    },
  },
];
