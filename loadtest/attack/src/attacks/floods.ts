/** Attacks by packets without pause, and by handshakes that are never finished. */
import type { Packet } from '@dunlin/protocol';
import { ackPacket, publishPacket, subscribePacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { AttackSocket } from '../attack-socket.ts';
import type { Stage } from '../stage.ts';
import { powerless } from '../target.ts';

const pings = Buffer.alloc(4000, Buffer.from([0xc0, 0]));
/** Packets of a client that are under way at the same time; a broker may allow fewer. */
const atOnce = 100;

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Sends the same packet under the identifiers from 1 on and waits until the last is answered; false when the connection has ended. */
async function round<T extends 'puback' | 'pubrec' | 'pubcomp'>(
  socket: AttackSocket,
  answer: T,
  packet: (packetId: number) => Packet,
): Promise<boolean> {
  const answers = range(atOnce).map(() => socket.answer(answer));
  if (!(await socket.send(...range(atOnce).map((index) => packet(index + 1))))) return false;
  return (await answers[atOnce - 1]) !== null;
}

const message = (topic: string, qos: 1 | 2, packetId: number) =>
  publishPacket({ topic, qos, packetId, payload: Buffer.alloc(100) });

/** Publishes with QoS 1 without pause, so many messages under way. */
async function publishing(stage: Stage, clientId: string, topic: string, options = {}): Promise<void> {
  const socket = await stage.connect({ clientId, ...options });
  while (socket !== null && stage.goesOn)
    if (!(await round(socket, 'puback', (packetId) => message(topic, 1, packetId)))) return;
}

export const floods: readonly Attack[] = [
  {
    name: 'unreleased-messages',
    title: 'QoS 2 messages that are never released',
    details: '60 clients of MQTT 3.1.1, each with 65,000 QoS 2 messages that it never releases',
    seconds: 25,
    async run(stage) {
      const one = async (index: number) => {
        const socket = await stage.connect({ version: 4, clientId: `unreleased-${index}` });
        for (let packetId = 1; socket !== null && packetId <= 65_000 && stage.goesOn; packetId += 500) {
          const packets = Array.from({ length: 500 }, (_, offset) =>
            publishPacket({ topic: 'mallory/t', qos: 2, packetId: packetId + offset }),
          );
          if (!(await socket.send(...packets))) return;
        }
      };
      await Promise.all(Array.from({ length: 60 }, (_, index) => one(index)));
    },
  },
  {
    name: 'acknowledgements-of-nothing',
    title: 'Floods of PUBREL',
    details: '4 clients that send PUBREL for packet identifiers that are not in use, without pause',
    seconds: 6,
    async run(stage) {
      const one = async (index: number) => {
        const socket = await stage.connect({ version: 4, clientId: `pubrel-${index}` });
        const packets = Array.from({ length: 2000 }, (_, id) => ackPacket('pubrel', id + 1));
        while (socket !== null && stage.goesOn) if (!(await socket.send(...packets))) return;
      };
      await Promise.all([0, 1, 2, 3].map(one));
    },
  },
  {
    name: 'ping-floods',
    title: 'Floods of PINGREQ',
    details: '20 clients that send PINGREQ without pause and read what comes back',
    seconds: 6,
    async run(stage) {
      const one = async (index: number) => {
        const socket = await stage.connect({ clientId: `ping-${index}` });
        while (socket !== null && stage.goesOn) if (!(await socket.send(pings))) return;
      };
      await Promise.all(range(20).map(one));
    },
  },
  {
    name: 'refused-publishes',
    title: 'Publishing without a right to, without pause',
    details: '10 clients without any right that publish with QoS 1, each message answered with a reason',
    seconds: 6,
    isShort: true,
    async run(stage) {
      await Promise.all(range(10).map((index) => publishing(stage, `refused-${index}`, `mallory/${index}`, powerless)));
    },
  },
  {
    name: 'fan-out',
    title: 'Each message to 500 clients, without pause',
    details: '500 clients that subscribe to one topic, and 4 that publish to it with QoS 0 without pause',
    seconds: 8,
    async run(stage) {
      await stage.many(500, async (index) => {
        const socket = await stage.connect({ clientId: `fan-${index}` });
        const answer = socket?.answer('suback');
        await socket?.send(subscribePacket({ filter: 'mallory/fan', qos: 0 }));
        await answer;
        return socket;
      });
      const packets = range(50).map(() => publishPacket({ topic: 'mallory/fan', payload: Buffer.alloc(100) }));
      const flood = async (index: number) => {
        const socket = await stage.connect({ clientId: `publisher-${index}` });
        while (socket !== null && stage.goesOn) if (!(await socket.send(...packets))) return;
      };
      await Promise.all(range(4).map(flood));
    },
  },
  {
    name: 'flood-qos-1',
    title: 'Floods of QoS 1 for a session that is away',
    details:
      '20 clients that publish with QoS 1 without pause, 100 messages under way each, to a durable session that is away',
    seconds: 8,
    async run(stage) {
      const away = await stage.connect({
        clientId: 'away',
        cleanStart: false,
        properties: { sessionExpiryInterval: 3600 },
      });
      const answer = away?.answer('suback');
      await away?.send(subscribePacket({ filter: 'mallory/log', qos: 1 }));
      await answer;
      away?.drop();
      await Promise.all(range(20).map((index) => publishing(stage, `flood-${index}`, 'mallory/log')));
    },
  },
  {
    name: 'flood-qos-2',
    title: 'Floods of QoS 2',
    details: '20 clients that publish with QoS 2 without pause, 100 messages under way each, to nobody',
    seconds: 6,
    async run(stage) {
      const one = async (index: number) => {
        const socket = await stage.connect({ clientId: `flood-${index}` });
        while (socket !== null && stage.goesOn) {
          if (!(await round(socket, 'pubrec', (packetId) => message('mallory/flood', 2, packetId)))) return;
          if (!(await round(socket, 'pubcomp', (packetId) => ackPacket('pubrel', packetId)))) return;
        }
      };
      await Promise.all(range(20).map(one));
    },
  },
];
