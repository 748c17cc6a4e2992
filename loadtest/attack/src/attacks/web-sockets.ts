/** Attacks through the frames of WebSocket, most of them before CONNECT is accepted. */
import { randomBytes } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { rawConnect, type WebSocketClient, webSocketOpcode } from '@dunlin/testkit';
import type { Attack } from '../attack.ts';
import type { Stage } from '../stage.ts';
import { wrongConnect } from './before-connect.ts';

const mebibyte = 1024 * 1024;

/** A frame of a client whose mask is 0, so that its payload stands in it as it is; any length. */
function frame(opcode: number, payload: Buffer, isFinal: boolean): Buffer {
  const first = (isFinal ? 0x80 : 0) | opcode;
  const mask = Buffer.alloc(4);
  if (payload.length < 126) return Buffer.concat([Buffer.from([first, 0x80 | payload.length]), mask, payload]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(payload.length));
  return Buffer.concat([Buffer.from([first, 0x80 | 127]), length, mask, payload]);
}

/** Opens WebSockets, sends each the same bytes of frames, and holds them until the time is over. */
async function holding(stage: Stage, count: number, bytes: Buffer): Promise<void> {
  await stage.many(count, async () => {
    const socket = await stage.openWebSocket();
    socket?.sendBytes(bytes);
    return socket;
  });
  await stage.hold();
}

const pings = Buffer.alloc(2 * 1_040_000, Buffer.from([0xc0, 0]));

export const webSockets: readonly Attack[] = [
  {
    name: 'most-of-a-web-socket-message',
    title: 'WebSocket messages that never end',
    details: '400 WebSockets, each with 99 % of a message of 2 MiB',
    seconds: 6,
    listener: 'web-socket',
    isShort: true,
    run: (stage) => {
      const whole = frame(webSocketOpcode.binary, Buffer.alloc(2 * mebibyte), true);
      return holding(stage, 400, whole.subarray(0, Math.floor(whole.length * 0.99)));
    },
  },
  {
    name: 'packets-behind-connect-in-one-message',
    title: 'A million packets in one WebSocket message',
    details: '8 WebSocket messages: CONNECT with a wrong password and 1,040,000 PINGREQ',
    seconds: 6,
    listener: 'web-socket',
    isShort: true,
    run: (stage) => holding(stage, 8, frame(webSocketOpcode.binary, Buffer.concat([wrongConnect, pings]), true)),
  },
  {
    name: 'web-socket-fragments',
    title: 'WebSocket messages in 65,001 pieces',
    details: '60 WebSocket messages of 65,001 fragments of one byte',
    seconds: 6,
    listener: 'web-socket',
    run: (stage) => {
      const part = frame(webSocketOpcode.continuation, Buffer.alloc(1), false);
      const parts = Array.from({ length: 65_000 }, () => part);
      return holding(stage, 60, Buffer.concat([frame(webSocketOpcode.binary, Buffer.alloc(1), false), ...parts]));
    },
  },
  {
    name: 'web-socket-byte-frames',
    title: 'WebSocket frames of one byte',
    details: '40 WebSockets that send a byte a frame and a frame a segment',
    seconds: 6,
    listener: 'web-socket',
    async run(stage) {
      const sockets = await stage.many(40, () => stage.openWebSocket());
      const bytes = rawConnect({ level: 5, payload: Buffer.alloc(60_000) });
      for (let index = 0; index < bytes.length && stage.goesOn; index++) {
        for (const socket of sockets) socket.sendFrame(webSocketOpcode.binary, bytes.subarray(index, index + 1));
        if (index % 10 === 0) await pause(1);
      }
    },
  },
  {
    name: 'web-socket-pings',
    title: 'Floods of WebSocket pings',
    details: '4 WebSockets that send ping frames without end',
    seconds: 4,
    listener: 'web-socket',
    async run(stage) {
      const ping = frame(webSocketOpcode.ping, randomBytes(100), true);
      const many = Buffer.concat(Array.from({ length: 500 }, () => ping));
      const flood = async (socket: WebSocketClient) => {
        while (stage.goesOn) {
          socket.sendBytes(many);
          await pause(5);
        }
      };
      await Promise.all((await stage.many(4, () => stage.openWebSocket())).map(flood));
    },
  },
  {
    name: 'web-socket-headers',
    title: 'WebSocket requests that never end',
    details: '2,000 requests for a WebSocket with 15.9 KiB of headers that do not end',
    seconds: 11,
    listener: 'web-socket',
    async run(stage) {
      const { host, webSocketPort: port } = stage.address;
      const request = `GET /mqtt HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'a'.repeat(15.9 * 1024)}`;
      for (let index = 0; index < 2000; index++) {
        const socket = connectTcp({ host, port });
        socket.on('error', () => stage.tally.add('refused'));
        socket.resume().write(request);
        if (index % 100 === 0) await pause(20);
      }
      await stage.hold();
    },
  },
];
