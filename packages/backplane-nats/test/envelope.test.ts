import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nameBytesMax } from '../src/bounds.ts';
import {
  EnvelopeError,
  EnvelopeWriter,
  envelopeVersions,
  Kind,
  newestVersion,
  readEnvelope,
  sentVersion,
} from '../src/envelope.ts';

const names = fc.string({ unit: 'binary', maxLength: 60 }).filter((name) => Buffer.byteLength(name) <= nameBytesMax);
const bytes = fc.uint8Array({ maxLength: 300 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

/** Every kind of message, with what is to be read from it. */
const messages = fc
  .record({ self: names, about: names, connection: u32, body: bytes, number: u32, flags: fc.nat(255), release: names })
  .map((given) => {
    const writer = new EnvelopeWriter(given.self, given.release);
    writer.connection = given.connection;
    const piece = Uint8Array.from([1, ...given.body]);
    return {
      given,
      all: [
        { kind: Kind.frame, message: writer.frame(given.body), read: { bytes: Buffer.from(given.body) } },
        {
          kind: Kind.piece,
          message: writer.piece(given.number, 2, 3, piece),
          read: { bytes: Buffer.from(piece), number: given.number, index: 2, count: 3 },
        },
        {
          kind: Kind.heartbeat,
          message: writer.heartbeat(given.flags),
          read: { flags: given.flags, newestVersion, release: given.release },
        },
        { kind: Kind.bye, message: writer.bye(given.about), read: { about: given.about } },
        { kind: Kind.evicted, message: writer.evicted(), read: {} },
      ],
    };
  });

/** Result of reading: the fields, or the error's message. */
function outcome(message: Uint8Array): unknown {
  try {
    const {
      kind,
      from,
      connection,
      flags,
      newestVersion: newest,
      number,
      index,
      count,
      about,
      bytes: body,
    } = readEnvelope(message);
    return { kind, from, connection, flags, newest, number, index, count, about, body: body.toString('hex') };
  } catch (error) {
    expect(error).toBeInstanceOf(EnvelopeError);
    return (error as EnvelopeError).message;
  }
}

describe('envelopes', () => {
  test('every kind is read as it was written', () => {
    fc.assert(
      fc.property(messages, ({ given, all }) => {
        for (const { kind, message, read } of all) {
          expect(readEnvelope(message)).toMatchObject({
            kind,
            from: given.self,
            connection: given.connection,
            ...read,
          });
        }
        expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(Object.values(Kind)));
      }),
    );
  });

  test('any bytes are read or refused with an EnvelopeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (message) => void outcome(message)),
      { numRuns: 2000 },
    );
  });

  test('damaged messages are read or refused, and nothing beyond their end is looked at', () => {
    const damage = fc.record({
      messages,
      at: fc.nat(),
      value: fc.nat(255),
      cut: fc.nat(),
      before: fc.nat(9),
      around: fc.nat(255),
    });
    fc.assert(
      fc.property(damage, ({ messages: { all }, at, value, cut, before, around }) => {
        for (const { message } of all) {
          const damaged = Buffer.from(
            message.subarray(0, message.length - (cut % 3 === 0 ? cut % (message.length + 1) : 0)),
          );
          if (damaged.length > 0) damaged[at % damaged.length] = value;
          // The same bytes inside a larger buffer, as the client library hands them over.
          const larger = Buffer.alloc(before + damaged.length + 300, around);
          larger.set(damaged, before);
          expect(outcome(larger.subarray(before, before + damaged.length))).toEqual(outcome(damaged));
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('the table of versions has the newest and the one before it, without a gap', () => {
    expect(envelopeVersions.length).toBeLessThanOrEqual(2);
    for (const [index, { version }] of envelopeVersions.entries()) expect(version).toBe(sentVersion + index);
    expect(envelopeVersions.at(-1)?.version).toBe(newestVersion);
    const writer = new EnvelopeWriter('n/0#1');
    for (const { version } of envelopeVersions) {
      const message = writer.frame(Buffer.from('x'));
      message[0] = version;
      expect(readEnvelope(message).bytes.toString()).toBe('x');
    }
  });

  test.each([0, newestVersion + 1, 255])('version %i is refused, with the name of the sender', (version) => {
    const message = new EnvelopeWriter('n/0#1').frame(Buffer.from('x'));
    message[0] = version;
    expect(() => readEnvelope(message)).toThrow(expect.objectContaining({ name: 'EnvelopeError', from: 'n/0#1' }));
  });

  test('what is added behind the fields of a later version is ignored', () => {
    const writer = new EnvelopeWriter('n/0#1');
    for (const message of [writer.heartbeat(1), writer.bye('m/0#1'), writer.evicted()]) {
      expect(readEnvelope(Buffer.concat([message, Buffer.from('more')])).kind).toBe(message[1]);
    }
  });

  test('a name that is too long is refused at the start', () => {
    expect(() => new EnvelopeWriter('n'.repeat(nameBytesMax + 1))).toThrow(RangeError);
  });
});
