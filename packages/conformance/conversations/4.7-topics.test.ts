import { hex, prefixed, properties, rawPacket, uint16 } from '@dunlin/testkit';
import { expect } from 'vitest';
import {
  connected,
  expectDisconnected,
  expectOnlyMarker,
  publish,
  receive,
  subscribe,
  subscribed,
} from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { publishPacket, subscribePacket, uniqueName } from '../src/packets-to-send.ts';
import type { Level } from '../src/statement.ts';

/** A filter is refused: alone in SUBACK, or by the end of the connection. */
async function expectFilterRefused(level: Level, filter: string): Promise<void> {
  const client = await connected(level);
  client.send(subscribePacket([{ filter }]));
  const packet = await client.next().catch(() => undefined);
  if (packet?.type === 'suback') {
    expect([filter, packet.reasonCodes[0]]).toEqual([filter, level === 4 ? 0x80 : 0x8f]);
    return;
  }
  if (packet !== undefined) expect(packet.type).toBe('disconnect');
  await client.expectClosed();
}

conversation('# stands alone or after /, and last', { 4: '[MQTT-4.7.1-2]', 5: '[MQTT-4.7.1-1]' }, async (level) => {
  const topic = uniqueName();
  for (const filter of [`${topic}/#/a`, `${topic}#`, `${topic}/a#`, `#${topic}`, '##', `${topic}/+#`]) {
    await expectFilterRefused(level, filter);
  }
});

conversation('+ fills a whole level', { 4: '[MQTT-4.7.1-3]', 5: '[MQTT-4.7.1-2]' }, async (level) => {
  const topic = uniqueName();
  for (const filter of [`${topic}+`, `${topic}/+a`, `${topic}/a+/b`, `++/${topic}`]) {
    await expectFilterRefused(level, filter);
  }
});

conversation('an empty filter is refused', { 4: '[MQTT-4.7.3-1]', 5: '[MQTT-4.7.3-1]' }, async (level) => {
  await expectFilterRefused(level, '');
});

/** Filters under a common prefix, and which of the topics below them match. */
const matches: readonly { filter: string; matching: readonly string[]; others: readonly string[] }[] = [
  { filter: '/#', matching: ['', '/', '/a', '/a/b', '//'], others: [] },
  { filter: '/+', matching: ['/', '/a'], others: ['', '/a/b', '//'] },
  { filter: '/+/+', matching: ['//', '/a/', '/a/b', '//b'], others: ['/a', '/a/b/c'] },
  { filter: '/+/b/#', matching: ['/a/b', '/a/b/', '/a/b/c/d', '//b'], others: ['/a', '/a/c'] },
  { filter: '/a/', matching: ['/a/'], others: ['/a', '/a/b', '/A/'] },
  { filter: '/a/+/', matching: ['/a/b/', '/a//'], others: ['/a/b', '/a/'] },
  { filter: '//+', matching: ['//', '//a'], others: ['/', '/a'] },
];

for (const { filter, matching, others } of matches) {
  conversation(
    `the filter …${filter} matches ${matching.map((topic) => `…${topic}`).join(' ')} and nothing else`,
    { 4: '[MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-4.7.3-4]', 5: '[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-4]' },
    async (level) => {
      const prefix = uniqueName();
      const subscriber = await subscribed(level, `${prefix}${filter}`);
      const publisher = await connected(level);
      for (const topic of [...others, ...matching]) publisher.send(publishPacket({ topic: `${prefix}${topic}` }));
      for (const topic of matching) await receive(subscriber, { topic: `${prefix}${topic}` });
      await publisher.expectNothing();
      await subscriber.expectNothing();
    },
  );
}

conversation(
  'leading wildcards do not match topics that start with $',
  { 4: '[MQTT-4.7.2-1]', 5: '[MQTT-4.7.2-1]' },
  async (level) => {
    const name = uniqueName();
    const subscriber = await subscribed(level, `+/${name}`);
    const deep = await subscribed(level, `+/${name}/#`);
    const exact = await subscribed(level, `$test/${name}`);
    const publisher = await connected(level);
    publisher.send(publishPacket({ topic: `$test/${name}`, payload: 'hidden' }));
    await receive(exact, { topic: `$test/${name}`, payload: 'hidden' });
    await expectOnlyMarker(subscriber, publisher, `test/${name}`);
    await receive(deep, { topic: `test/${name}`, payload: 'marker' });
    await expectOnlyMarker(deep, publisher, `test/${name}/x`);
  },
);

conversation('# does not match $SYS, and $SYS/# does', { 4: '[MQTT-4.7.2-1]', 5: '[MQTT-4.7.2-1]' }, async (level) => {
  const name = uniqueName();
  const publisher = await connected(level);
  const all = await connected(level);
  await subscribe(all, '#');
  publisher.send(publishPacket({ topic: `$test/${name}`, payload: 'hidden' }));
  publisher.send(publishPacket({ topic: `${name}`, payload: 'marker' }));
  for (;;) {
    const packet = await all.next();
    if (packet.type !== 'publish') continue;
    expect(packet.topic.startsWith('$')).toBe(false);
    if (packet.topic === name) break;
  }
});

conversation(
  'topics differ in case, spaces and Unicode form',
  { 4: '[MQTT-4.7.3-4]', 5: '[MQTT-4.7.3-4]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, `${topic}/é`);
    const publisher = await connected(level);
    for (const other of [
      `${topic}/É`,
      `${topic}/e\u0301`,
      `${topic}/é `,
      ` ${topic}/é`,
      `${topic}//é`,
      `/${topic}/é`,
    ]) {
      await publish(publisher, { topic: other });
    }
    await expectOnlyMarker(subscriber, publisher, `${topic}/é`);
  },
);

conversation(
  'a topic of 65,535 bytes is served or refused, and does no harm',
  { 4: '[MQTT-4.7.3-3]', 5: '[MQTT-4.7.3-3]' },
  async (level) => {
    const topic = `${uniqueName()}/`.padEnd(65_535, 'x');
    const subscriber = await subscribed(level, `${topic.slice(0, topic.indexOf('/'))}/#`);
    const publisher = await connected(level);
    publisher.send(publishPacket({ topic, payload: 'long' }), hex('c0 00'));
    const answer = await publisher.next().catch(() => undefined);
    if (answer?.type === 'pingresp') {
      await receive(subscriber, { topic, payload: 'long' });
      return;
    }
    if (answer !== undefined) expect(answer).toMatchObject({ type: 'disconnect', reasonCode: 0x90 });
    await publisher.expectClosed();
    await subscriber.expectNothing();
  },
);

conversation('U+0000 in a topic filter is refused', { 4: '[MQTT-4.7.3-2]', 5: '[MQTT-4.7.3-2]' }, async (level) => {
  const none = level === 5 ? [properties()] : [];
  for (const packet of [
    rawPacket(0x82, uint16(1), ...none, prefixed('a\u0000'), hex('00')),
    rawPacket(0xa2, uint16(1), ...none, prefixed('a\u0000')),
  ]) {
    const client = await connected(level);
    client.send(packet);
    await expectDisconnected(client, 0x81, 0x82, 0x8f);
  }
});
