/**
 * Cost of a frame: microseconds of processor per frame, of the sender and of the receiver, each in a process of its own
 * (the server's are not counted), with signatures and without, and what the client library costs alone with the same
 * bytes. It needs a nats-server:
 * the one at `NATS_URL`, or a local one.
 *
 *     nats-server & npx node --conditions=source packages/backplane-nats/bench/frames.ts [bytes] [frames] [rounds]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from '@nats-io/transport-node';
import { NatsBackplane } from '../src/index.ts';

/** Frames that are under way at most, as a link with its bound on unacknowledged bytes would have. */
const windowFrames = 256;

async function parent(bytes: number, frames: number, rounds: number): Promise<void> {
  const url = process.env.NATS_URL ?? 'nats://127.0.0.1:4222';
  console.log(`${frames} frames of ${bytes} bytes, one process to another; µs of processor per frame`);
  for (let round = 0; round < rounds; round++) {
    for (const kind of ['signed', 'backplane', 'library']) {
      const start = (side: string) =>
        fork(import.meta.filename, [kind, url, side, String(bytes), String(frames)], {
          execArgv: ['--conditions=source'],
        });
      const receiver = start('receiver');
      await once(receiver, 'message');
      const sender = start('sender');
      const [sent, received] = await Promise.all([result(sender), result(receiver)]);
      console.log(`${kind.padEnd(9)}  sender ${sent.toFixed(2)}  receiver ${received.toFixed(2)}`);
    }
  }
}

async function result(process: ChildProcess): Promise<number> {
  const ended = once(process, 'exit').then(([code]): never => {
    throw new Error(`a process ended with ${code} before it had measured`);
  });
  const [microseconds] = (await Promise.race([once(process, 'message'), ended])) as [number];
  ended.catch(quiet);
  process.disconnect();
  await once(process, 'exit');
  return microseconds;
}

/** Way in which one side sends and hears, through the backplane or without it. */
interface Way {
  send(bytes: Uint8Array): void;
  close(): Promise<void>;
}

const quiet = () => undefined;

const secrets = ['a secret of the cluster, thirty-two characters at least'];
const signing = { secrets, read: async () => secrets, allowUnsigned: false };

async function throughBackplane(
  url: string,
  side: string,
  heard: (bytes: Uint8Array) => void,
  isSigned: boolean,
): Promise<Way> {
  const [self, other] = side === 'sender' ? ['sender/0#1', 'receiver/0#1'] : ['receiver/0#1', 'sender/0#1'];
  const backplane = new NatsBackplane({
    self,
    servers: url,
    ...(isSigned ? { signing } : {}),
    leases: null,
    logger: { debug: quiet, info: quiet, warn: quiet, error: console.error },
    clock: {
      now: () => Date.now(),
      every(milliseconds, callback) {
        const timer = setInterval(callback, milliseconds);
        return () => clearInterval(timer);
      },
      nextTurn: (callback) => void setImmediate(callback),
    },
  });
  await backplane.start({
    endpointJoined: quiet,
    endpointLeft: quiet,
    received: (_from, bytes) => heard(bytes),
    reconnected: quiet,
  });
  return { send: (bytes) => backplane.send(other, bytes), close: () => backplane.stop() };
}

async function throughLibrary(url: string, side: string, heard: (bytes: Uint8Array) => void): Promise<Way> {
  const connection = await connect({ servers: url, noEcho: true });
  const [own, other] = side === 'sender' ? ['bench.sender', 'bench.receiver'] : ['bench.receiver', 'bench.sender'];
  connection.subscribe(own, { callback: (_error, message) => heard(message.data) });
  await connection.flush();
  return { send: (bytes) => connection.publish(other, bytes), close: () => connection.close() };
}

async function child(
  kind: 'signed' | 'backplane' | 'library',
  url: string,
  side: 'sender' | 'receiver',
  bytes: number,
  frames: number,
): Promise<void> {
  const warmUp = Math.floor(frames / 4);
  const done = Promise.withResolvers<void>();
  let count = 0;
  let begun = process.cpuUsage();
  const frame = new Uint8Array(bytes);
  const arrived = (): void => {
    count++;
    if (side === 'receiver') {
      if (count === warmUp) begun = process.cpuUsage();
      // One answer for half a window.
      if (count % (windowFrames / 2) === 0) way.send(new Uint8Array(1));
      if (count === warmUp + frames) done.resolve();
    } else {
      fill();
    }
  };
  const way =
    kind === 'library'
      ? await throughLibrary(url, side, arrived)
      : await throughBackplane(url, side, arrived, kind === 'signed');
  let sent = 0;
  const fill = () => {
    // A turn of the event loop sends a few frames, as links do.
    while (sent < warmUp + frames && sent - count * (windowFrames / 2) < windowFrames) {
      if (sent === warmUp) begun = process.cpuUsage();
      way.send(frame);
      sent++;
    }
    if (sent === warmUp + frames && sent - count * (windowFrames / 2) <= windowFrames / 2) done.resolve();
  };
  if (side === 'receiver') process.send?.('ready');
  else fill();
  await done.promise;
  const used = process.cpuUsage(begun);
  process.send?.((used.user + used.system) / frames);
  await way.close();
}

const [role, ...rest] = process.argv.slice(2);
if (role === 'signed' || role === 'backplane' || role === 'library')
  await child(role, rest[0], rest[1] as 'sender' | 'receiver', Number(rest[2]), Number(rest[3]));
else await parent(Number(role ?? 4096), Number(rest[0] ?? 100_000), Number(rest[1] ?? 3));
