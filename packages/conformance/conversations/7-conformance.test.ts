import { connected, publish, receive, subscribed } from '../src/connected-client.ts';
import { conversation } from '../src/conversation.ts';
import { uniqueName } from '../src/packets-to-send.ts';

conversation(
  'TCP carries a conversation both ways, whole and in order',
  { 4: '[MQTT-7.1.1-1]', 5: '[MQTT-4.2.0-1]' },
  async (level) => {
    const topic = uniqueName();
    const subscriber = await subscribed(level, { filter: topic, qos: 1 });
    const publisher = await connected(level);
    const payload = Buffer.alloc(500_000, 'the quick brown fox ');
    await publish(publisher, { topic, qos: 1, payload });
    await receive(subscriber, { topic, qos: 1, payload });
  },
);
