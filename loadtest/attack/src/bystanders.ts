import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { encodePacket } from '@dunlin/protocol';
import { ackPacket, connectPacket, type Frame, PacketFramer, publishPacket, subscribePacket } from '@dunlin/testkit';
import { decoded } from './attack-socket.ts';
import { quantile } from './quantile.ts';
import type { Losses, PhaseFigures } from './row-result.ts';
import { type Address, healthyTopics, healthyUsers } from './target.ts';

/** Healthy clients of each QoS: as many messages as a few devices send, spread over all workers. */
const clientsPerQos = 4;
/** 20 messages a second each. */
const everyMilliseconds = 50;
const payloadBytes = 64;
const answerMilliseconds = 10_000;
/** Users of healthy clients; the others are those of newcomers. */
const pairUsers = 10;

/** A message on its way: when it was due, and in which phase. */
interface Pending {
  readonly dueAt: number;
  readonly phase: string;
}

/** Healthy client, which sends itself messages and notes how long each took. */
class Bystander {
  readonly qos: 0 | 1;
  readonly pending = new Map<number, Pending>();
  readonly #socket: Socket;
  readonly #topic: string;
  readonly #arrived: (pending: Pending) => void;
  #sequence = 0;
  isConnected = true;

  constructor(socket: Socket, qos: 0 | 1, topic: string, arrived: (pending: Pending) => void) {
    this.#socket = socket;
    this.qos = qos;
    this.#topic = topic;
    this.#arrived = arrived;
    socket.on('close', () => {
      this.isConnected = false;
    });
  }

  /** Takes a whole packet: messages are acknowledged and noted, all else is an acknowledgement. */
  take(frame: Frame): void {
    const packet = decoded(frame, 5);
    if (packet.type !== 'publish') return;
    if (packet.qos === 1) this.#socket.write(encodePacket(ackPacket('puback', packet.packetId), 5));
    const sequence = packet.payload.readUInt32BE(0);
    const pending = this.pending.get(sequence);
    if (pending === undefined) return;
    this.pending.delete(sequence);
    this.#arrived(pending);
  }

  send(dueAt: number, phase: string): void {
    const sequence = this.#sequence++;
    const payload = Buffer.alloc(payloadBytes);
    payload.writeUInt32BE(sequence);
    this.pending.set(sequence, { dueAt, phase });
    const packetId = this.qos === 0 ? 0 : (sequence % 0xffff) + 1;
    this.#socket.write(encodePacket(publishPacket({ topic: this.#topic, qos: this.qos, packetId, payload }), 5));
  }

  leave(): void {
    this.#socket.destroy();
  }
}

async function dial({ host, port }: Address): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, 'connect', { signal: AbortSignal.timeout(answerMilliseconds) });
  socket.on('error', () => {});
  return socket;
}

/** Healthy clients beside an attack: each publishes to itself at a steady rate, half of them with QoS 0 and half with QoS 1. */
export class Bystanders {
  readonly #clients: Bystander[] = [];
  readonly #latencies = new Map<string, number[]>();
  readonly #sent = new Map<string, number>();
  #phase = '';
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #rounds = 0;
  #sentQos0 = 0;

  /** Connects them; each gets its first message back before this resolves. */
  static async join(address: Address, pairs = 0): Promise<Bystanders> {
    const all = new Bystanders();
    for (let index = 0; index < 2 * clientsPerQos; index++) await all.#join(address, index, index % 2 === 0 ? 1 : 0);
    for (let index = 0; index < pairs; index++) await all.#join(address, 2 * clientsPerQos + index, 0, true);
    return all;
  }

  /** Begins a phase, or begins it anew: messages are counted under its name. The first call begins to send. */
  begin(phase: string): void {
    this.#phase = phase;
    this.#latencies.set(phase, []);
    this.#sent.set(phase, 0);
    if (this.#timer !== undefined) return;
    this.#startedAt = performance.now();
    this.#timer = setInterval(() => this.#round(), everyMilliseconds / 5);
  }

  /** Sends nothing more. */
  stopSending(): void {
    clearInterval(this.#timer);
  }

  figures(phase: string): PhaseFigures {
    const latencies = this.#latencies.get(phase) ?? [];
    // What has not come yet has waited until now.
    const now = performance.now();
    const waiting = this.#clients.flatMap((client) =>
      [...client.pending.values()].filter((one) => one.phase === phase).map((one) => now - one.dueAt),
    );
    const all = [...latencies, ...waiting];
    return { sent: this.#sent.get(phase) ?? 0, p50: quantile(all, 0.5), p99: quantile(all, 0.99) };
  }

  /** Waits until all messages have come, at most so long. Those that have not come by then are lost. */
  async settle(milliseconds: number): Promise<void> {
    const until = performance.now() + milliseconds;
    const isWaiting = () => this.#clients.some(({ isConnected, pending }) => isConnected && pending.size > 0);
    while (isWaiting() && performance.now() < until) await pause(20);
  }

  losses(): Losses {
    const lost = (qos: 0 | 1) =>
      this.#clients.filter((client) => client.qos === qos).reduce((sum, { pending }) => sum + pending.size, 0);
    const disconnected = this.#clients.filter((client) => !client.isConnected).length;
    return { qos0: lost(0), qos1: lost(1), sentQos0: this.#sentQos0, disconnected };
  }

  leave(): void {
    this.stopSending();
    for (const client of this.#clients) client.leave();
  }

  /** `isPair`: another connection publishes what this one subscribes to. */
  async #join(address: Address, index: number, qos: 0 | 1, isPair = false): Promise<void> {
    const socket = await dial(address);
    const user = healthyUsers[index % pairUsers];
    const sender = isPair ? await dial(address) : socket;
    if (isPair)
      sender.write(encodePacket(connectPacket({ clientId: `sender-${index}`, userName: user, password: user }), 5));
    const topic = `${healthyTopics}/${index}`;
    const client = new Bystander(sender, qos, topic, (pending) => {
      this.#latencies.get(pending.phase)?.push(performance.now() - pending.dueAt);
    });
    const framer = new PacketFramer();
    const subscribed = Promise.withResolvers<void>();
    socket.on('data', (chunk: Buffer) => {
      for (const frame of framer.push(chunk)) {
        if (frame.firstByte >> 4 === 9) subscribed.resolve();
        client.take(frame);
      }
    });
    socket.on('close', () => subscribed.reject(new Error(`healthy client ${index} was not let in`)));
    const introduction = connectPacket({ clientId: `healthy-${index}`, userName: user, password: user });
    socket.write(Buffer.concat([introduction, subscribePacket({ filter: topic, qos })].map((p) => encodePacket(p, 5))));
    await subscribed.promise;
    this.#clients.push(client);
  }

  /** Sends what is due, each client's a little after the one before: late where this process was late, and counted from when it was due. */
  #round(): void {
    const elapsed = performance.now() - this.#startedAt;
    const step = everyMilliseconds / this.#clients.length;
    for (; this.#rounds * step <= elapsed; this.#rounds++) {
      const client = this.#clients[this.#rounds % this.#clients.length];
      if (!client.isConnected) continue;
      client.send(this.#startedAt + this.#rounds * step, this.#phase);
      this.#sent.set(this.#phase, (this.#sent.get(this.#phase) ?? 0) + 1);
      if (client.qos === 0) this.#sentQos0++;
    }
  }
}
