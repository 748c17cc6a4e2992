// Mutated packets: whatever arrives, decoders throw a ProtocolError or nothing, and never look outside their bytes.
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Decoder,
  decodePacket,
  decodePublishProperties,
  encodePacket,
  ProtocolError,
  type ProtocolVersion,
  PublishView,
  peekConnectVersion,
  protocolVersions,
  readPublish,
  validateTopicName,
  variableByteIntegerSize,
  writeVariableByteInteger,
} from '../src/index.ts';
import { packetOf } from './arbitraries.ts';
import { refusals } from './refusals.ts';
import { vectors } from './vectors.ts';

/** `FUZZ_CASES=1000000 FUZZ_SEED=7 npx vitest run packages/protocol` for a longer search or another one. */
const cases = Number(process.env.FUZZ_CASES ?? 100_000);
const seed = Number(process.env.FUZZ_SEED ?? 1);
const casesPerVersion = Math.ceil(cases / protocolVersions.length);
const maximumPacketSize = 4096;

/** A small generator with a seed (mulberry32), so that a failing case can be had again. */
function randomFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function corpusOf(version: ProtocolVersion): Buffer[] {
  const generated = fc.sample(packetOf(version), { numRuns: 300, seed }).map((packet) => encodePacket(packet, version));
  const written = [...vectors, ...refusals].map(({ hex }) => Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  return [...generated, ...written].filter((bytes) => bytes.length >= 2);
}

const interesting = [0, 1, 2, 0x0b, 0x23, 0x26, 0x2b, 0x7f, 0x80, 0xc0, 0xed, 0xff];

/** Changes bytes in one to three ways: bits, bytes, cuts, insertions, pieces of other bytes. */
function mutate(original: Buffer, other: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(original);
  for (let change = random(3); change >= 0; change--) {
    if (bytes.length === 0) return bytes;
    const at = random(bytes.length);
    switch (random(6)) {
      case 0:
        bytes[at] ^= 1 << random(8);
        break;
      case 1:
        bytes[at] = random(256);
        break;
      case 2:
        bytes[at] = interesting[random(interesting.length)];
        break;
      case 3:
        bytes = bytes.subarray(0, at);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at)]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length + 1))]);
    }
  }
  return bytes;
}

/** A packet of a first byte and a body, with the length that belongs there. */
function framed(header: number, body: Buffer): Buffer {
  const bytes = Buffer.alloc(1 + variableByteIntegerSize(body.length) + body.length);
  bytes[0] = header;
  body.copy(bytes, writeVariableByteInteger(bytes, 1, body.length));
  return bytes;
}

/** Bytes behind the fixed header of a packet of the corpus. */
function bodyOf(bytes: Buffer): Buffer {
  let at = 1;
  while (bytes[at] > 0x7f) at++;
  return bytes.subarray(at + 1);
}

/** Result of a call, or the error it throws, if it may throw it. */
function outcomeOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof ProtocolError) return `${error.reasonCode} ${error.message}`;
    throw error;
  }
}

/** Reads the body with every reader that fits its type. */
function readEveryWay(
  header: number,
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): unknown[] {
  const outcomes = [outcomeOf(() => decodePacket(header, bytes, bodyStart, end, version))];
  if (header >> 4 === 1) outcomes.push(outcomeOf(() => peekConnectVersion(bytes, bodyStart, end)));
  if (header >> 4 === 3 && (header & 6) !== 6) outcomes.push(...readInPlace(header, bytes, bodyStart, end, version));
  return outcomes;
}

/** The way of a server: offsets first, then the topic and the properties. Offsets are told from the body's start. */
function readInPlace(
  header: number,
  bytes: Buffer,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): unknown[] {
  const view = new PublishView();
  const read = outcomeOf(() => readPublish(view, header, bytes, bodyStart, end, version));
  if (read !== undefined) return [read];
  const offsets = [
    view.topicStart,
    view.topicEnd,
    view.propertiesStart,
    view.propertiesEnd,
    view.payloadStart,
    view.end,
  ];
  const ordered = offsets.every(
    (offset, index) => offset >= (index === 0 ? bodyStart : offsets[index - 1]) && offset <= end,
  );
  if (!ordered) throw new Error(`offsets out of order: ${offsets.join(' ')}`);
  return [
    offsets.map((offset) => offset - bodyStart),
    view.packetId,
    outcomeOf(() => validateTopicName(bytes, view.topicStart, view.topicEnd)),
    outcomeOf(() => decodePublishProperties(bytes, view.propertiesStart, view.propertiesEnd)),
  ];
}

/** The body between bytes that are not its own: whoever reads past an end sees other ones in the other buffer. */
function surrounded(body: Buffer, poison: number): Buffer {
  return Buffer.concat([Buffer.alloc(9, poison), body, Buffer.alloc(9, poison)]);
}

function packetsOf(bytes: Buffer, version: ProtocolVersion, cut: number): unknown[] {
  const packets: unknown[] = [];
  const decoder = new Decoder(
    {
      packet(header, chunk, start, bodyStart, end) {
        packets.push([header, bodyStart - start, chunk.toString('latin1', start, end)]);
        return true;
      },
    },
    maximumPacketSize,
  );
  decoder.version = version;
  const outcome = outcomeOf(() => {
    decoder.push(bytes.subarray(0, cut));
    decoder.push(bytes.subarray(cut));
  });
  if (decoder.partialBytes > maximumPacketSize) throw new Error('the decoder holds more than one packet');
  return [...packets, outcome];
}

describe.each(protocolVersions)('mutated packets of protocol level %i', (version) => {
  it(`are decoded or refused, ${casesPerVersion} of them`, { timeout: 60_000 + casesPerVersion }, () => {
    const corpus = corpusOf(version);
    const random = randomFrom(seed * 31 + version);
    let refused = 0;
    let decoded = 0;
    for (let index = 0; index < casesPerVersion; index++) {
      const original = corpus[random(corpus.length)];
      const body = mutate(bodyOf(original), bodyOf(corpus[random(corpus.length)]), random);
      const header = random(8) === 0 ? random(256) : original[0];
      // Half of the time the length is right and the packet whole; else the fixed header is mutated with the rest.
      const bytes = random(2) === 0 ? framed(header, body) : mutate(original, corpus[random(corpus.length)], random);
      const one = surrounded(body, 0x00);
      const two = surrounded(body, 0xff);
      try {
        const first = readEveryWay(header, one, 9, 9 + body.length, version);
        const second = readEveryWay(header, two, 9, 9 + body.length, version);
        if (!isDeepStrictEqual(first, second)) throw new Error('bytes outside the packet were read');
        if (typeof first[0] === 'string') refused++;
        else decoded++;
        const whole = packetsOf(bytes, version, 0);
        const split = packetsOf(bytes, version, random(bytes.length + 1));
        if (!isDeepStrictEqual(whole, split)) throw new Error('a split chunk gave other packets');
      } catch (error) {
        const what = `header ${header} body ${body.toString('hex')} stream ${bytes.toString('hex')}`;
        throw new Error(`case ${index} of seed ${seed}: ${what}`, { cause: error });
      }
    }
    // Both ways must be taken often, or the mutations find nothing.
    expect(refused).toBeGreaterThan(casesPerVersion / 10);
    expect(decoded).toBeGreaterThan(casesPerVersion / 20);
  });
});
