/** Sign-ins over plain sockets, at a rate that does not depend on the answers. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { PacketFramer, prefixed, rawConnect, rawPacket, uint16 } from '@dunlin/testkit';

const PINGREQ = Buffer.from([0xc0, 0]);

export interface Account {
  readonly clientId: string;
  readonly userName: string;
  readonly password: string;
}

export interface SignedIn {
  /** Return code of CONNACK; -1: the connection ended instead. */
  readonly code: number;
  /** Time from opening the connection to CONNACK. */
  readonly milliseconds: number;
}

/** A client that speaks MQTT 3.1.1 and is asked one thing at a time. */
export class LoadClient {
  private readonly socket: Socket;
  private readonly framer = new PacketFramer();
  private answered: (firstByte: number, body: Buffer) => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const { firstByte, body } of this.framer.push(chunk)) this.answered(firstByte, body);
    });
    socket.on('close', () => this.answered(0, Buffer.alloc(0)));
    socket.on('error', () => {}); // followed by 'close'
  }

  static async open(port: number): Promise<LoadClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new LoadClient(socket);
  }

  /** Resolves to the body of the next packet; empty: the connection has ended. */
  ask(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      this.answered = (_, body) => resolve(body);
      this.socket.write(bytes);
    });
  }

  async signIn({ clientId, userName, password }: Account): Promise<number> {
    const payload = Buffer.concat([clientId, userName, password].map(prefixed));
    const body = await this.ask(rawConnect({ level: 4, flags: 0xc2, payload }));
    return body.length < 2 ? -1 : body[1];
  }

  /** Publishes nothing to a topic, with QoS 1. */
  publish(topic: string): Promise<Buffer> {
    return this.ask(rawPacket(0x32, prefixed(topic), uint16(1)));
  }

  subscribe(...filters: readonly string[]): Promise<Buffer> {
    return this.ask(rawPacket(0x82, uint16(1), ...filters.flatMap((filter) => [prefixed(filter), Buffer.from([0])])));
  }

  /** Longest time that a PINGREQ waited for its answer while `work` was done: no turn of the worker's event loop was longer. */
  async longestPingMilliseconds(work: () => Promise<unknown>): Promise<number> {
    let isDone = false;
    const done = work().finally(() => {
      isDone = true;
    });
    let longest = 0;
    while (!isDone) {
      const begun = performance.now();
      await this.ask(PINGREQ);
      longest = Math.max(longest, performance.now() - begun);
    }
    await done;
    return longest;
  }

  close(): void {
    this.socket.destroy();
  }
}

export async function signInOnce(port: number, account: Account): Promise<SignedIn> {
  const begun = performance.now();
  const client = await LoadClient.open(port);
  const code = await client.signIn(account);
  client.close();
  return { code, milliseconds: performance.now() - begun };
}

/** Signs accounts in, each at its moment, whether the ones before are answered or not. */
export async function signInAtRate(port: number, accounts: readonly Account[], perSecond: number): Promise<SignedIn[]> {
  const begun = performance.now();
  const under: Promise<SignedIn>[] = [];
  for (const [index, account] of accounts.entries()) {
    const early = (index * 1000) / perSecond - (performance.now() - begun);
    if (early > 1) await delay(early);
    under.push(signInOnce(port, account));
  }
  return Promise.all(under);
}

/** Longest wait in a queue that serves one sign-in after another, arriving at this rate: its own work. */
export function ownWorkMilliseconds(count: number, perSecond: number, eachMilliseconds: number): number {
  const gap = 1000 / perSecond;
  let wait = eachMilliseconds;
  for (let index = 1; index < count; index++) wait = Math.max(0, wait - gap) + eachMilliseconds;
  return Math.max(wait, eachMilliseconds);
}
