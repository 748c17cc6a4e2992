import { listen, settle } from '../audience.ts';
import type { MqttClient } from '../client.ts';
import { utf8 } from '../codec.ts';
import type { Group } from '../group.ts';
import { Publisher, UnacknowledgedError } from '../publisher.ts';
import { Run } from '../run.ts';
import { qosOf } from '../settings.ts';
import { Tally } from '../tally.ts';
import { numbered } from '../traffic.ts';

/**
 * Rounds: every topic gets a new retained message; when all are acknowledged, the subscribers connect and subscribe at once, and each must
 * get every topic with the number of the round. One of an earlier round counts as doubled, and the one it should have been as lost.
 */
async function retainedStorm(group: Group): Promise<void> {
  const { settings, clock, prefix } = group;
  const client = await group.connect({ name: 'p', broker: 0 });
  const tally = new Tally(settings.subscribers, () => true);
  const streams = numbered(settings.topics, (index) => ({ index, topic: `${prefix}/retained/${index}` }));
  const publisher = new Publisher(group, client, tally, streams, true);
  const end = clock.now() + settings.durationSeconds * 1000;
  let isComplete = true;
  for (let round = 0; isComplete && (round === 0 || clock.now() < end); round++) {
    await publisher.sendAll(settings.topics);
    const complete = (round + 1) * settings.topics;
    const clients = await Promise.all(
      numbered(settings.subscribers, (index) => subscribe(group, tally, index, complete)),
    );
    isComplete = await settle(group, tally);
    await Promise.all(clients.map((subscriber) => group.end(subscriber)));
  }
  await clear(
    group,
    client,
    streams.map(({ topic }) => topic),
  );
}

/** Connects a subscriber to all topics. It has caught up when it has got `complete` messages, of all rounds together. */
async function subscribe(group: Group, tally: Tally, index: number, complete: number): Promise<MqttClient> {
  const { clock } = group;
  let asked = 0;
  const heard = (count: number, arrivedAt: number) => {
    if (count === complete) group.add('mqtt_catch_up_time', Math.max(0, arrivedAt - asked));
  };
  const message = listen(group, tally, index, { isTimed: false, isOrdered: false, heard });
  const client = await group.connect({ name: `s${index}`, broker: index + 1, message });
  asked = clock.now();
  await client.subscribe(`${group.prefix}/retained/+`, qosOf(group.settings));
  return client;
}

/** Takes the retained messages away from the broker: an empty one does [MQTT-3.3.1-6]. */
async function clear(group: Group, client: MqttClient, topics: readonly string[]): Promise<void> {
  const empty = new Uint8Array(0);
  client.onAcknowledged = null;
  for (const topic of topics) {
    const isPossible = await group.until(() => client.canPublish(1));
    if (!isPossible) throw new UnacknowledgedError(client.inflight);
    client.publish(utf8(topic), empty, 1, true);
    client.flush();
  }
  const isDone = await group.until(() => client.inflight === 0);
  if (!isDone) throw new UnacknowledgedError(client.inflight);
}

const run = new Run('retained-storm', retainedStorm);

export const { options, handleSummary } = run;
export default run.main;
