/** Conversations by chance: packets as MQTT has them, with every field at the sizes where programs go wrong. */
import {
  prefixed,
  properties,
  rawPacket,
  type SeededRandom,
  uint16,
  uint32,
  variableByteInteger,
} from '@dunlin/testkit';

/**
 * Sizes of strings and binary data, in bytes: around the ends of one and of two bytes of a variable length, and the
 * most that a field can have.
 */
const sizes = [0, 1, 127, 128, 16_383, 65_534, 65_535] as const;

/** Beginnings of texts: topics that the broker treats in a way of their own. */
const beginnings = [
  '',
  '',
  '',
  'ok/',
  '$SYS/',
  '$delayed/',
  '$delayed/1/',
  '$delayed/9',
  '$share/',
  '$share/g/',
  '$dead-letter/',
  '/',
  '+/',
  '#',
];
const fillings = ['x', '0', '/', 'é', '+', '\u0001', '\u0000', '\ud83d\ude00'];

type Kind = 'byte' | 'two' | 'four' | 'variable' | 'string' | 'binary' | 'pair';

/** The properties of MQTT 5.0 (table 2-4) by identifier. */
const propertyKinds: Readonly<Record<number, Kind>> = {
  ...{
    1: 'byte',
    2: 'four',
    3: 'string',
    8: 'string',
    9: 'binary',
    11: 'variable',
    17: 'four',
    18: 'string',
    19: 'two',
  },
  ...{ 21: 'string', 22: 'binary', 23: 'byte', 24: 'four', 25: 'byte', 26: 'string', 28: 'string', 31: 'string' },
  ...{
    33: 'two',
    34: 'two',
    35: 'two',
    36: 'byte',
    37: 'byte',
    38: 'pair',
    39: 'four',
    40: 'byte',
    41: 'byte',
    42: 'byte',
  },
};
const ofConnect = [17, 21, 22, 23, 25, 33, 34, 38, 39];
const ofWill = [1, 2, 3, 8, 9, 24, 38];
const ofPublish = [1, 2, 3, 8, 9, 35, 38];
const ofSubscribe = [11, 38];
const ofDisconnect = [17, 28, 31, 38];
const ofAuth = [21, 22, 31, 38];
const ofAcknowledgement = [31, 38];

type Level = 3 | 4 | 5;

/** The bytes of one conversation, from the client's side. */
export class RandomConversation {
  readonly #random: SeededRandom;
  readonly #level: Level;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#level = this.#pick([3, 4, 5, 5, 5] as const);
  }

  /** Mostly a CONNECT and some packets behind it; now and then without. */
  bytes(): Buffer {
    const packets: Buffer[] = [];
    if (this.#chance(0.9)) packets.push(this.#connect());
    const count = this.#below(6);
    for (let i = 0; i < count; i++) packets.push(this.#packet());
    if (this.#chance(0.3)) packets.push(rawPacket(0xe0));
    const all = Buffer.concat(packets);
    // Cut off, or with a bit turned over.
    if (all.length > 0 && this.#chance(0.1)) return all.subarray(0, this.#below(all.length));
    if (all.length > 0 && this.#chance(0.1)) all[this.#below(Math.min(all.length, 64))] ^= 1 << this.#below(8);
    return all;
  }

  /** Draws a number from 0 up to, and without, `end`. */
  #below(end: number): number {
    return this.#random.between(0, end - 1);
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#below(items.length)];
  }

  #chance(share: number): boolean {
    return this.#below(1000) < share * 1000;
  }

  #size(): number {
    return this.#chance(0.5) ? this.#below(12) : this.#pick(sizes);
  }

  #text(): string {
    const size = this.#size();
    let text: string = this.#pick(beginnings);
    const filling = this.#chance(0.7) ? 'x' : this.#pick(fillings);
    const missing = size - Buffer.byteLength(text);
    if (missing < 0) return text.slice(0, size);
    text += filling.repeat(Math.floor(missing / Buffer.byteLength(filling)));
    return text;
  }

  #string(): Buffer {
    const text = this.#text();
    if (!this.#chance(0.02)) return prefixed(text);
    return prefixed(Buffer.alloc(this.#size(), 0xff)); // no UTF-8
  }

  #binary(): Buffer {
    return prefixed(Buffer.alloc(this.#size(), this.#below(256)));
  }

  #packetId(): Buffer {
    return uint16(this.#pick([0, 1, 1, 2, 3, 65_535]));
  }

  #properties(usual: readonly number[]): Buffer {
    if (this.#level < 5) return Buffer.alloc(0);
    if (this.#chance(0.4)) return properties();
    const fields: Buffer[] = [];
    const count = this.#below(4);
    for (let i = 0; i < count; i++) {
      const id = this.#chance(0.95) ? this.#pick(usual) : this.#below(48);
      fields.push(Buffer.concat([variableByteInteger(id), this.#value(propertyKinds[id] ?? 'byte')]));
    }
    return properties(...fields);
  }

  #value(kind: Kind): Buffer {
    switch (kind) {
      case 'byte':
        return Buffer.from([this.#pick([0, 1, 2, 255])]);
      case 'two':
        return uint16(this.#pick([0, 1, 10, 100, 65_535]));
      case 'four':
        return uint32(this.#pick([0, 1, 60, 0xffffffff]));
      case 'variable':
        return variableByteInteger(this.#pick([0, 1, 127, 128, 268_435_455]));
      case 'string':
        return this.#string();
      case 'binary':
        return this.#binary();
      case 'pair':
        return Buffer.concat([this.#string(), this.#string()]);
    }
  }

  #connect(): Buffer {
    const hasWill = this.#chance(0.4);
    const hasUser = this.#chance(0.3);
    const hasPassword = this.#chance(0.3);
    const isClean = this.#chance(0.7);
    let flags = (isClean ? 2 : 0) | (hasUser ? 0x80 : 0) | (hasPassword ? 0x40 : 0);
    if (hasWill) flags |= 4 | (this.#below(3) << 3) | (this.#chance(0.5) ? 0x20 : 0);
    if (this.#chance(0.03)) flags = this.#below(256);
    const level = this.#chance(0.97) ? this.#level : this.#below(256);
    const clientId = this.#chance(0.5) ? prefixed(`fuzz-${this.#below(50)}`) : this.#string();
    return rawPacket(
      0x10,
      prefixed(this.#level === 3 ? 'MQIsdp' : 'MQTT'),
      Buffer.from([level, flags]),
      uint16(this.#pick([0, 1, 60, 65_535])),
      this.#properties(ofConnect),
      clientId,
      ...(hasWill ? [this.#properties(ofWill), this.#string(), this.#binary()] : []),
      ...(hasUser ? [this.#string()] : []),
      ...(hasPassword ? [this.#binary()] : []),
    );
  }

  #packet(): Buffer {
    const type = this.#chance(0.4) ? 3 : this.#below(16);
    switch (type) {
      case 1:
        return this.#connect();
      case 3:
        return this.#publish();
      case 4:
      case 5:
      case 6:
      case 7:
        return this.#acknowledgement(type);
      case 8:
        return this.#subscribe();
      case 10:
        return rawPacket(0xa2, this.#packetId(), this.#properties([38]), ...this.#several(() => this.#string()));
      case 14:
        return rawPacket(0xe0, ...this.#reason(ofDisconnect));
      case 15:
        return rawPacket(0xf0, ...this.#reason(ofAuth));
      default:
        return rawPacket((type << 4) | this.#pick([0, 0, 2, 15]), ...this.#several(() => this.#binary()));
    }
  }

  #several(make: () => Buffer): Buffer[] {
    return Array.from({ length: this.#below(4) }, make);
  }

  #reason(usual: readonly number[]): Buffer[] {
    if (this.#chance(0.4)) return [];
    return [Buffer.from([this.#pick([0, 4, 24, 25, 0x80, 0x82, 0xff])]), this.#properties(usual)];
  }

  #publish(): Buffer {
    const qos = this.#pick([0, 1, 2, 2, this.#chance(0.1) ? 3 : 0]);
    const flags = (this.#chance(0.1) ? 8 : 0) | (qos << 1) | (this.#chance(0.2) ? 1 : 0);
    return rawPacket(
      0x30 | flags,
      this.#string(),
      qos > 0 ? this.#packetId() : Buffer.alloc(0),
      this.#properties(ofPublish),
      Buffer.alloc(this.#size(), 0x61),
    );
  }

  #acknowledgement(type: number): Buffer {
    const first = (type << 4) | (type === 6 ? 2 : 0);
    return rawPacket(first, this.#packetId(), ...(this.#level === 5 ? this.#reason(ofAcknowledgement) : []));
  }

  #subscribe(): Buffer {
    const options = () => Buffer.from([this.#chance(0.9) ? this.#below(3) : this.#below(256)]);
    const filters = this.#several(() => Buffer.concat([this.#string(), options()]));
    return rawPacket(0x82, this.#packetId(), this.#properties(ofSubscribe), ...filters);
  }
}
