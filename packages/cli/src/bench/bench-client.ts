/**
 * Connection of the load generator. Packets are found in place in the chunks that arrive, answers are gathered and
 * written once per chunk; connecting and subscribing go through the ordinary codec, because they happen once.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import {
  decodeConnack,
  decodeSuback,
  encodeConnect,
  encodeDisconnect,
  encodeSubscribe,
  PacketType,
  type ProtocolVersion,
  reasonCodeName,
  writeAck,
} from '@dunlin/protocol';
import { BenchFailure } from './bench-failure.ts';
import { type BenchTarget, openStream } from './bench-target.ts';

/** No run is that long, and some brokers refuse 0. */
const keepAliveSeconds = 600;
/** Time-out of connecting or subscribing one client. */
const answerMilliseconds = 20_000;
/** Enough for the acknowledgements of one chunk; grows by doubling. */
const gatherBytes = 4096;
/** Acknowledgements are four bytes without a reason code [MQTT-3.4.2-1]. */
const acknowledgementBytes = 4;
/** Messages in flight when the broker does not say less (MQTT 5.0, 3.2.2.3.3). */
const receiveMaximumDefault = 65_535;

/** Receiver of a client's events: the run it belongs to. */
export interface ClientSink {
  /** A message whose payload is bytes[payloadStart, end). */
  onDelivery(client: BenchClient, bytes: Buffer, payloadStart: number, end: number): void;
  /** PUBACK, PUBCOMP, or room in the socket: the client may be able to publish more. */
  onRoom(client: BenchClient): void;
  onFailure(failure: BenchFailure): void;
}

export class BenchClient {
  readonly index: number;
  readonly version: ProtocolVersion;
  readonly socket: Socket;
  receiveMaximum = receiveMaximumDefault;
  sent = 0;
  acknowledged = 0;
  received = 0;
  /** Set by the run while the client waits for its turn to publish. */
  isQueued = false;
  private readonly sink: ClientSink;
  private readonly target: BenchTarget;
  private out: Buffer = Buffer.allocUnsafeSlow(gatherBytes);
  private outLength = 0;
  private rest: Buffer | null = null;
  private isConnected = false;
  private isClosing = false;
  private answer: PromiseWithResolvers<void> | null = null;

  constructor(target: BenchTarget, version: ProtocolVersion, index: number, sink: ClientSink) {
    this.index = index;
    this.version = version;
    this.sink = sink;
    this.target = target;
    this.socket = openStream(target);
    this.socket.on('data', (chunk: Buffer) => this.onData(chunk));
    this.socket.on('drain', () => sink.onRoom(this));
    this.socket.on('error', (cause) => this.onSocketError(cause));
    this.socket.on('close', () => this.fail('BENCH_CLOSED', 'the broker closed a connection'));
  }

  /** Resolves when CONNACK accepts the client. Throws a BenchFailure. */
  async connect(clientId: string): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.answer = answer;
    this.socket.once(this.target.isTls ? 'secureConnect' : 'connect', () => answer.resolve());
    await answer.promise;
    this.isConnected = true;
    const packet = {
      version: this.version,
      cleanStart: true,
      keepAliveSeconds,
      clientId,
      will: null,
      userName: this.target.userName,
      password: this.target.password === null ? null : Buffer.from(this.target.password),
      properties: {},
    };
    await this.ask(encodeConnect(packet), 'CONNACK');
  }

  /** Resolves when SUBACK grants the filter. Throws a BenchFailure. */
  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 0 as const };
    const packet = { packetId: 1, subscriptionIdentifier: 0, properties: {}, subscriptions: [request] };
    await this.ask(encodeSubscribe(packet, this.version), 'SUBACK');
  }

  private async ask(packet: Buffer, answerName: string): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.answer = answer;
    const timer = setTimeout(() => this.fail('BENCH_REFUSED', `no ${answerName} came`), answerMilliseconds);
    this.socket.write(packet);
    try {
      await answer.promise;
    } finally {
      clearTimeout(timer);
      this.answer = null;
    }
  }

  /** Says goodbye and resolves when the connection is gone. */
  async leave(): Promise<void> {
    if (this.socket.destroyed) return;
    this.isClosing = true;
    const closed = once(this.socket, 'close');
    this.socket.end(encodeDisconnect({ reasonCode: 0, properties: {} }, this.version));
    this.socket.resume();
    await closed;
  }

  /** Closes at once. */
  destroy(): void {
    this.isClosing = true;
    this.socket.destroy();
  }

  private onSocketError(cause: Error): void {
    const { host, port } = this.target;
    if (this.isConnected) this.fail('BENCH_CLOSED', `the connection failed: ${cause.message}`, cause);
    else this.fail('BENCH_CONNECT', `cannot connect to ${host}:${port}: ${cause.message}`, cause);
  }

  private fail(code: BenchFailure['code'], message: string, cause?: Error): void {
    if (this.isClosing) return;
    this.destroy();
    const failure = cause === undefined ? new BenchFailure(code, message) : new BenchFailure(code, message, { cause });
    this.answer?.reject(failure);
    this.sink.onFailure(failure);
  }

  /** Room for `length` bytes in the gathering buffer; the caller fills `buffer` from the returned position. */
  reserve(length: number): number {
    if (this.outLength + length > this.out.length) {
      const bigger = Buffer.allocUnsafeSlow((this.outLength + length) * 2);
      this.out.copy(bigger, 0, 0, this.outLength);
      this.out = bigger;
    }
    const at = this.outLength;
    this.outLength += length;
    return at;
  }

  get buffer(): Buffer {
    return this.out;
  }

  get pendingBytes(): number {
    return this.outLength + this.socket.writableLength;
  }

  /** The kernel usually takes all, and then the buffer is ours again. If not, the socket keeps it and we take another. */
  flush(): void {
    if (this.outLength === 0 || this.socket.destroyed) return;
    this.socket.write(this.out.subarray(0, this.outLength));
    if (this.socket.writableLength > 0) this.out = Buffer.allocUnsafeSlow(this.out.length);
    this.outLength = 0;
  }

  private onData(data: Buffer): void {
    const chunk = this.rest === null ? data : Buffer.concat([this.rest, data]);
    this.rest = null;
    let at = 0;
    while (at + 2 <= chunk.length) {
      let body = at + 1;
      let length = 0;
      let shift = 0;
      let byte = 0;
      do {
        byte = chunk[body++];
        length |= (byte & 127) << shift;
        shift += 7;
      } while (byte & 128 && body < chunk.length);
      const end = body + length;
      if (byte & 128 || end > chunk.length) break;
      if (chunk[at] >> 4 === PacketType.publish) this.onPublish(chunk[at], chunk, body, end);
      else this.onOtherPacket(chunk[at] >> 4, chunk, body, end);
      at = end;
    }
    if (at < chunk.length) this.rest = at === 0 ? chunk : chunk.subarray(at);
    this.flush();
  }

  private onPublish(header: number, bytes: Buffer, body: number, end: number): void {
    const qos = (header >> 1) & 3;
    let at = body + 2 + ((bytes[body] << 8) | bytes[body + 1]);
    if (qos > 0) {
      this.acknowledge(qos === 1 ? PacketType.puback : PacketType.pubrec, bytes, at);
      at += 2;
    }
    if (this.version === 5) {
      let length = 0;
      let shift = 0;
      let byte = 0;
      do {
        byte = bytes[at++];
        length |= (byte & 127) << shift;
        shift += 7;
      } while (byte & 128);
      at += length;
    }
    this.received++;
    this.sink.onDelivery(this, bytes, at, end);
  }

  private acknowledge(type: Parameters<typeof writeAck>[2], bytes: Buffer, packetIdAt: number): void {
    const at = this.reserve(acknowledgementBytes);
    writeAck(this.out, at, type, (bytes[packetIdAt] << 8) | bytes[packetIdAt + 1]);
  }

  private onOtherPacket(type: number, bytes: Buffer, body: number, end: number): void {
    switch (type) {
      case PacketType.puback:
      case PacketType.pubcomp:
        if (this.isRefused(bytes, body, end)) return;
        this.acknowledged++;
        this.sink.onRoom(this);
        return;
      case PacketType.pubrec:
        if (!this.isRefused(bytes, body, end)) this.acknowledge(PacketType.pubrel, bytes, body);
        return;
      case PacketType.pubrel:
        this.acknowledge(PacketType.pubcomp, bytes, body);
        return;
      case PacketType.connack:
        this.onConnack(bytes, body, end);
        return;
      case PacketType.suback:
        this.onSuback(bytes, body, end);
        return;
      case PacketType.disconnect:
        this.fail(
          'BENCH_CLOSED',
          `the broker sent DISCONNECT: ${end > body ? reasonCodeName(bytes[body]) : 'no reason'}`,
        );
    }
  }

  /** A reason code of 0x80 or more ends the exchange with the message refused (MQTT 5.0, 3.4.2.1). */
  private isRefused(bytes: Buffer, body: number, end: number): boolean {
    if (end - body < 3 || bytes[body + 2] < 0x80) return false;
    this.fail('BENCH_REFUSED', `the broker refused a message: ${reasonCodeName(bytes[body + 2])}`);
    return true;
  }

  private onConnack(bytes: Buffer, body: number, end: number): void {
    const { reasonCode, properties } = decodeConnack(bytes, body, end, this.version);
    if (reasonCode !== 0) {
      this.fail('BENCH_REFUSED', `the broker refused a client with code ${reasonCode}`);
      return;
    }
    this.receiveMaximum = properties.receiveMaximum ?? receiveMaximumDefault; // [MQTT-3.3.4-7]
    this.answer?.resolve();
  }

  private onSuback(bytes: Buffer, body: number, end: number): void {
    const [reasonCode] = decodeSuback(bytes, body, end, this.version).reasonCodes;
    if (reasonCode >= 0x80) this.fail('BENCH_REFUSED', `the broker refused a subscription with code ${reasonCode}`);
    else this.answer?.resolve();
  }
}
