/** Publisher of a run: keeps its window full with messages made from one template. */
import { encodePublish } from '@dunlin/protocol';
import type { BenchClient } from './bench-client.ts';
import type { BenchRow } from './bench-row.ts';

/** Time of sending (8 bytes), publisher (4), sequence number (4): what a payload cannot do without. */
export const payloadBytesMin = 16;
export const sequenceAt = 12;
export const publisherAt = 8;
/** Bytes waiting for one socket before its publisher pauses. */
const outBytesMax = 65_536;
const packetIdMax = 65_535;

export class MessagePublisher {
  readonly client: BenchClient;
  /** Messages of this publisher that all their subscribers have got. */
  through = 0;
  private readonly row: BenchRow;
  /** A whole PUBLISH; what differs between messages is written over it. */
  private readonly template: Buffer;
  private readonly payloadOffset: number;
  private readonly packetIdOffset: number;
  private packetId = 0;

  constructor(client: BenchClient, row: BenchRow, topic: string, payloadBytes: number) {
    this.client = client;
    this.row = row;
    const payload = Buffer.alloc(payloadBytes, 'x');
    payload.writeUInt32LE(client.index, publisherAt);
    const { version } = client;
    const packet = {
      type: 'publish' as const,
      dup: false,
      qos: row.qos,
      retain: false,
      topic,
      packetId: 1,
      properties: {},
      payload,
    };
    this.template = encodePublish(packet, version);
    this.payloadOffset = this.template.length - payloadBytes;
    this.packetIdOffset = this.payloadOffset - 2 - (version === 5 ? 1 : 0);
  }

  /** Publishes until the window, the broker's receive maximum or the socket is full. Returns how many. */
  fillWindow(): number {
    const { client, row } = this;
    const done = row.qos > 0 && client.acknowledged < this.through ? client.acknowledged : this.through;
    let room = row.window - (client.sent - done);
    if (row.qos > 0) room = Math.min(room, client.receiveMaximum - (client.sent - client.acknowledged)); // [MQTT-3.3.4-7]
    let count = 0;
    while (count < room && client.pendingBytes <= outBytesMax) {
      this.publish();
      count++;
    }
    if (count > 0) client.flush();
    return count;
  }

  private publish(): void {
    const { client, template } = this;
    const at = client.reserve(template.length);
    const out = client.buffer;
    template.copy(out, at);
    if (this.row.qos > 0) {
      this.packetId = this.packetId === packetIdMax ? 1 : this.packetId + 1;
      out[at + this.packetIdOffset] = this.packetId >> 8;
      out[at + this.packetIdOffset + 1] = this.packetId;
    }
    out.writeDoubleLE(performance.now(), at + this.payloadOffset);
    out.writeUInt32LE(client.sent, at + this.payloadOffset + sequenceAt);
    client.sent++;
  }
}
