import { expect } from 'vitest';
import { connected, publish, receive, subscribed } from '../src/connected-client.ts';
import { brokerUnderTest, conversation } from '../src/conversation.ts';
import { publishPacket, uniqueName } from '../src/packets-to-send.ts';

conversation('Dunlin publishes $delayed/1/topic a second later', { 4: '', 5: '' }, async (level, skip) => {
  if (brokerUnderTest().name !== 'dunlin') skip('only Dunlin has $delayed');
  const topic = uniqueName();
  const subscriber = await subscribed(level, { filter: `${topic}/#`, qos: 1 });
  const publisher = await connected(level);
  const started = performance.now();
  await publish(publisher, { topic: `$delayed/1/${topic}/late`, qos: 1, payload: 'late' });
  await publish(publisher, { topic: `${topic}/soon`, qos: 1, payload: 'soon' });
  await receive(subscriber, { topic: `${topic}/soon`, payload: 'soon' });
  await receive(subscriber, { topic: `${topic}/late`, payload: 'late' });
  expect(performance.now() - started).toBeGreaterThan(950);
});

conversation('$SYS takes no messages from clients', { 4: '', 5: '' }, async (level) => {
  const topic = uniqueName();
  const subscriber = await subscribed(level, [{ filter: `$SYS/${topic}` }, { filter: topic }]);
  const publisher = await connected(level);
  publisher.send(publishPacket({ topic: `$SYS/${topic}`, payload: 'never' }));
  const other = await connected(level);
  await publish(other, { topic, payload: 'marker' });
  await receive(subscriber, { topic, payload: 'marker' });
});
