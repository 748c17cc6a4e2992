/** First packets of many connections in one moment: what a worker reads in one turn of its event loop. */
import { encodePacket } from '@dunlin/protocol';
import { connectPacket } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import { AttackSocket } from '../attack-socket.ts';
import type { Stage } from '../stage.ts';
import { attacker } from '../target.ts';
import { clientHello } from './before-connect.ts';

/** Connections that say their first word together. */
const atOnce = 400;
/** Time for the node to answer before the next ones come, in seconds. */
const answerSeconds = 0.5;

/** Opens connections, lets all of them speak in one turn of this process, leaves when they had time for an answer; again and again. */
async function wave(
  stage: Stage,
  open: () => Promise<AttackSocket | null>,
  word: (index: number) => Uint8Array,
): Promise<void> {
  for (let turn = 0; stage.goesOn; turn++) {
    const sockets = await stage.many(atOnce, open);
    const words = sockets.map((_, index) => word(turn * atOnce + index));
    for (const [index, socket] of sockets.entries()) void socket.send(words[index]);
    await stage.hold(answerSeconds);
    for (const socket of sockets) socket.drop();
  }
}

export const atOnceAttacks: readonly Attack[] = [
  {
    name: 'tls-hellos-at-once',
    title: 'TLS hellos at once',
    details: '400 connections that send their ClientHello in the same moment, again and again',
    seconds: 6,
    listener: 'tls',
    async run(stage) {
      const hello = await clientHello();
      const { host, tlsPort } = stage.address;
      const open = async () => {
        const socket = await AttackSocket.open(host, tlsPort, 5, stage.tally);
        // What comes back is TLS, not MQTT.
        socket?.stream
          .removeAllListeners('data')
          .once('data', () => stage.tally.add('ServerHello'))
          .resume();
        return socket;
      };
      await wave(stage, open, () => hello);
    },
  },
  {
    name: 'connects-at-once',
    title: 'CONNECTs at once',
    details: '400 connections that send CONNECT with the right password in the same moment, again and again',
    seconds: 6,
    isShort: true,
    run: (stage) =>
      wave(
        stage,
        () => stage.open(),
        (index) => encodePacket(connectPacket({ ...attacker, clientId: `at-once-${index}` }), 5),
      ),
  },
];
