/** Attacks on signing in that go on after they were refused, or leave in the middle. */
import { connectPacket, publishPacket, subscribePacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { Stage } from '../stage.ts';
import { guess } from './connects.ts';

const durable = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };
/** First message of SCRAM-SHA-256 (RFC 5802, section 3). */
const scramFirst = Buffer.from('n,,n=scarlett,r=rOprNGfwEbeRWgbNEkqO');

/** Does something over and over in so many lanes until the time is over. */
async function lanes(stage: Stage, count: number, act: (lane: number, turn: number) => Promise<void>): Promise<void> {
  const lane = async (index: number) => {
    for (let turn = 0; stage.goesOn; turn++) await act(index, turn);
  };
  await Promise.all(Array.from({ length: count }, (_, index) => lane(index)));
}

export const signIns: readonly Attack[] = [
  {
    name: 'guesses-of-one-device',
    title: 'A banned device that goes on',
    details:
      'one client identifier with a wrong password, 40 connections at a time without pause: banned after 20 of them',
    seconds: 6,
    run: (stage) => lanes(stage, 40, () => guess(stage, 'mallory', 'device')),
  },
  {
    name: 'guesses-of-one-address',
    title: 'A banned address that goes on',
    details:
      'wrong passwords of ever new devices, 40 connections at a time without pause: the address is banned after 100 of them (`limits.signInFailuresPerAddressMax`)',
    seconds: 6,
    isDunlinAlone: true,
    settings: { 'limits.signInFailuresPerAddressMax': 100 },
    run: (stage) => lanes(stage, 40, (lane, turn) => guess(stage, `user-${lane}`, `device-${lane}-${turn}`)),
  },
  {
    name: 'scram-begun',
    title: 'SCRAM sign-ins that are never finished',
    details: '40 connections at a time that begin SCRAM-SHA-256 and leave at the first answer',
    seconds: 6,
    isDunlinAlone: true,
    async run(stage) {
      await lanes(stage, 40, async (lane) => {
        const socket = await stage.open();
        const answer = socket?.answer('auth');
        const properties = { authenticationMethod: 'SCRAM-SHA-256', authenticationData: scramFirst };
        await socket?.send(connectPacket({ clientId: `scram-${lane}`, properties }));
        await answer;
        socket?.drop();
      });
    },
  },
  {
    name: 'slow-sign-in-service',
    title: 'A slow sign-in service',
    details: '500 clients that guess passwords; an HTTP service signs everybody in and takes 0.3 s for each',
    seconds: 10,
    isDunlinAlone: true,
    hasSlowSignInService: true,
    run: (stage) => lanes(stage, 500, (lane, turn) => guess(stage, `user-${lane}`, `guess-${lane}-${turn}`)),
  },
  {
    name: 'flapping-sessions',
    title: 'Durable sessions that come and go',
    details:
      '40 durable sessions that connect, subscribe to 20 filters and break off, without pause, and a client that publishes to them',
    seconds: 8,
    async run(stage) {
      const publisher = await stage.connect({ clientId: 'publisher' });
      const publish = async () => {
        for (let turn = 0; publisher !== null && stage.goesOn; turn++) {
          const answer = publisher.answer('puback');
          await publisher.send(publishPacket({ topic: `mallory/${turn % 40}/1`, qos: 1, payload: 'x' }));
          await answer;
        }
      };
      const flap = lanes(stage, 40, async (lane) => {
        const socket = await stage.connect({ clientId: `flapping-${lane}`, ...durable });
        const filters = Array.from({ length: 20 }, (_, index) => ({
          filter: `mallory/${lane}/${index}`,
          qos: 1 as const,
        }));
        const answer = socket?.answer('suback');
        await socket?.send(subscribePacket(filters));
        await answer;
        socket?.drop();
      });
      await Promise.all([flap, publish()]);
    },
  },
  {
    name: 'will-storm',
    title: '2,000 wills at once',
    details:
      '2,000 clients with a will of 1 KB and QoS 1 that break off at the same time, and 10 that subscribe to the wills',
    seconds: 15,
    async run(stage) {
      await stage.many(10, async (index) => {
        const socket = await stage.connect({ clientId: `heir-${index}` });
        await socket?.send(subscribePacket({ filter: 'mallory/will', qos: 1 }));
        return socket;
      });
      const will = {
        topic: 'mallory/will',
        payload: Buffer.alloc(1000),
        qos: 1 as const,
        retain: false,
        properties: {},
      };
      const sockets = await stage.many(2000, (index) => stage.connect({ clientId: `will-${index}`, will }));
      for (const socket of sockets) socket.drop();
      await stage.hold(3);
    },
  },
];
