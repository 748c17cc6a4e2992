import { setTimeout as pause } from 'node:timers/promises';
import type { ProtocolVersion } from '@dunlin/protocol';
import { type ConnectOptions, connectPacket, WebSocketClient } from '@dunlin/testkit';
import { AttackSocket } from './attack-socket.ts';
import { codeText, Tally } from './tally.ts';
import { type Address, attacker } from './target.ts';

/** Connections opened at once: the queue of a listener is bounded, and this is no test of that bound. */
const opensAtOnce = 100;

/** Stage of an attack: the broker's address, the time that is left, and the broker's answers. */
export class Stage {
  readonly address: Address;
  /** Index among several processes that do the same, from 0. */
  readonly index: number;
  readonly tally = new Tally();
  readonly #endsAt: number;

  constructor(address: Address, index: number, seconds: number) {
    this.address = address;
    this.index = index;
    this.#endsAt = performance.now() + seconds * 1000;
  }

  /** True until the time of the attack is over. */
  get goesOn(): boolean {
    return performance.now() < this.#endsAt;
  }

  /** Waits with open connections until the time of the attack is over, or for so many seconds. */
  async hold(seconds = Number.POSITIVE_INFINITY): Promise<void> {
    await pause(Math.max(0, Math.min(seconds * 1000, this.#endsAt - performance.now())));
  }

  /** Opens a connection and says nothing. */
  open(version: ProtocolVersion = 5): Promise<AttackSocket | null> {
    return AttackSocket.open(this.address.host, this.address.port, version, this.tally);
  }

  /** Opens a WebSocket; null, counted, where it is refused. */
  async openWebSocket(): Promise<WebSocketClient | null> {
    const { host, webSocketPort } = this.address;
    try {
      return await WebSocketClient.open(`ws://${host}:${webSocketPort}/mqtt`);
    } catch {
      this.tally.add('no WebSocket');
      return null;
    }
  }

  /** Opens a connection and signs in as the attacker, who may do everything below `mallory/`; null, counted, where it is refused. */
  async connect(options: ConnectOptions = {}): Promise<AttackSocket | null> {
    const socket = await this.open(options.version ?? 5);
    if (socket === null) return null;
    const answer = socket.answer('connack');
    await socket.send(connectPacket({ ...attacker, ...options }));
    const connack = await answer;
    if (connack?.reasonCode === 0) return socket;
    socket.drop();
    return null;
  }

  /** Opens this many connections, some at a time. Those that are refused are left out. */
  async many<T>(count: number, open: (index: number) => Promise<T | null>): Promise<T[]> {
    const all: T[] = [];
    for (let first = 0; first < count && this.goesOn; first += opensAtOnce) {
      const length = Math.min(opensAtOnce, count - first);
      const opened = await Promise.all(Array.from({ length }, (_, index) => open(first + index)));
      for (const socket of opened) if (socket !== null) all.push(socket);
    }
    return all;
  }

  /** Repeats something so often a second until the time is over, whether or not what was begun is through. */
  async repeat(perSecond: number, act: (index: number) => void): Promise<void> {
    const startedAt = performance.now();
    for (let index = 0; this.goesOn; ) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
      while (index <= due) act(index++);
      await pause(5);
    }
  }

  /** Counts a code that an attack has read itself. */
  refused(packet: string, code: number): void {
    this.tally.add(`${packet} ${codeText(code)}`);
  }
}
