import { encodePublish } from '@dunlin/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ConversionSpace, convertedBytesMax, withEmptyProperties, withoutProperties } from './publish-conversion.ts';

const message = fc.record({
  topic: fc.string({ minLength: 1, maxLength: 200 }).filter((topic) => !/[+#\0]/.test(topic) && topic.isWellFormed()),
  payload: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  userProperties: fc.array(fc.tuple(fc.constant('key'), fc.constant('x'.repeat(100))), { maxLength: 3 }),
});
type Message = typeof message extends fc.Arbitrary<infer M> ? M : never;

function packets(messages: Message[], version: 4 | 5, withProperties: boolean): Buffer {
  return Buffer.concat(
    messages.map(({ topic, payload, userProperties }) => {
      const properties = withProperties && userProperties.length > 0 ? { userProperties } : {};
      return encodePublish(
        { type: 'publish', dup: false, qos: 0, retain: false, topic, packetId: 0, properties, payload },
        version,
      );
    }),
  );
}

/** With bytes of others around it, as in a chunk. */
function surrounded(run: Buffer): { bytes: Buffer; start: number; end: number } {
  const bytes = Buffer.concat([Buffer.alloc(7, 0xff), run, Buffer.alloc(7, 0xff)]);
  return { bytes, start: 7, end: 7 + run.length };
}

/** No larger than the broker makes it. */
function space(bytes: Buffer, messages: Message[]): ConversionSpace {
  return new ConversionSpace(convertedBytesMax(bytes.length - 14, messages.length));
}

test('a run of MQTT 5 becomes what an encoder of MQTT 3.1.1 writes', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), (messages) => {
      const { bytes, start, end } = surrounded(packets(messages, 5, true));
      expect(withoutProperties(space(bytes, messages), bytes, start, end)).toEqual(packets(messages, 4, false));
    }),
  );
});

test('a run of MQTT 3.1.1 becomes what an encoder of MQTT 5 writes', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), (messages) => {
      const { bytes, start, end } = surrounded(packets(messages, 4, false));
      expect(withEmptyProperties(space(bytes, messages), bytes, start, end)).toEqual(packets(messages, 5, false));
    }),
  );
});
