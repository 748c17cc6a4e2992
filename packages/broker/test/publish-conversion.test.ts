// Before the rooms: src/publish-conversion.test.ts
import { encodePublish } from '@dunlin/protocol';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ConversionSpace,
  convertedBytesMax,
  withEmptyProperties,
  withoutProperties,
} from '../src/message/publish-conversion.ts';

const message = fc.record({
  topic: fc.string({ minLength: 1, maxLength: 200 }).filter((topic) => !/[+#\0]/.test(topic) && topic.isWellFormed()),
  payload: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  userProperties: fc.array(fc.tuple(fc.constant('key'), fc.constant('x'.repeat(100))), { maxLength: 3 }),
});
type Message = typeof message extends fc.Arbitrary<infer M> ? M : never;

function packets(messages: Message[], qos: 0 | 1, version: 4 | 5, withProperties: boolean): Buffer {
  return Buffer.concat(
    messages.map(({ topic, payload, userProperties }, i) => {
      const properties = withProperties && userProperties.length > 0 ? { userProperties } : {};
      const packetId = qos * (0xfff0 + i);
      return encodePublish(
        { type: 'publish', dup: false, qos, retain: false, topic, packetId, properties, payload },
        version,
      );
    }),
  );
}

/** Places a batch among bytes of others, as in a chunk. */
function surrounded(batch: Buffer): { bytes: Buffer; start: number; end: number } {
  const bytes = Buffer.concat([Buffer.alloc(7, 0xff), batch, Buffer.alloc(7, 0xff)]);
  return { bytes, start: 7, end: 7 + batch.length };
}

/** No larger than the broker makes it. */
function space(bytes: Buffer, messages: Message[]): ConversionSpace {
  return new ConversionSpace(convertedBytesMax(bytes.length - 14, messages.length));
}

test.each([0, 1] as const)('a batch of MQTT 5 and QoS %i becomes what an encoder of MQTT 3.1.1 writes', (qos) => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), (messages) => {
      const { bytes, start, end } = surrounded(packets(messages, qos, 5, true));
      expect(withoutProperties(space(bytes, messages), bytes, start, end, qos)).toEqual(
        packets(messages, qos, 4, false),
      );
    }),
  );
});

test.each([0, 1] as const)('a batch of MQTT 3.1.1 and QoS %i becomes what an encoder of MQTT 5 writes', (qos) => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), (messages) => {
      const { bytes, start, end } = surrounded(packets(messages, qos, 4, false));
      expect(withEmptyProperties(space(bytes, messages), bytes, start, end, qos)).toEqual(
        packets(messages, qos, 5, false),
      );
    }),
  );
});
