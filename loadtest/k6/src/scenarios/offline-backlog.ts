import { listen, settle } from '../audience.ts';
import type { MqttClient } from '../client.ts';
import { type ClientRole, type Group, settledAll } from '../group.ts';
import { Publisher } from '../publisher.ts';
import { Run } from '../run.ts';
import { qosOf } from '../settings.ts';
import { Tally } from '../tally.ts';
import { numbered } from '../traffic.ts';

/** Messages that a subscriber is waiting for. */
interface Backlog {
  /** Time at which its CONNECT began. */
  begun: number;
  /** Number of messages it has when it has caught up. */
  complete: number;
}

/**
 * Rounds: the durable subscribers are away while MESSAGES are published to the topic of each; when all are acknowledged, they connect at
 * once, to another broker than before, and must get them all.
 */
async function offlineBacklog(group: Group): Promise<void> {
  const { settings, clock, prefix } = group;
  const { subscribers: count, messages } = settings;
  const tally = new Tally(count, (audience, stream) => audience === stream);
  const backlogs = numbered(count, (): Backlog => ({ begun: 0, complete: 0 }));
  const roles = backlogs.map((backlog, index): ClientRole => {
    const heard = (received: number, arrivedAt: number) => {
      if (received === backlog.complete) group.add('mqtt_catch_up_time', Math.max(0, arrivedAt - backlog.begun));
    };
    const message = listen(group, tally, index, { isTimed: false, isOrdered: true, heard });
    return { name: `s${index}`, broker: index + 1, isDurable: true, session: new Set(), message };
  });
  let clients = await group.connectAll(roles);
  await Promise.all(clients.map((client, index) => client.subscribe(`${prefix}/to/${index}`, qosOf(settings))));
  const streams = numbered(count, (index) => ({ index, topic: `${prefix}/to/${index}` }));
  const publisher = new Publisher(group, await group.connect({ name: 'p', broker: 0 }), tally, streams);
  const end = clock.now() + settings.durationSeconds * 1000;
  let isComplete = true;
  for (let round = 1; isComplete && (round === 1 || clock.now() < end); round++) {
    await Promise.all(clients.map((client) => group.end(client)));
    await publisher.sendAll(messages * count);
    clients = await settledAll(
      roles.map((role, index) => {
        Object.assign(backlogs[index], { begun: clock.now(), complete: round * messages });
        return comeBack(group, { ...role, broker: role.broker + round });
      }),
    );
    isComplete = await settle(group, tally);
  }
  await Promise.all(clients.map((client) => group.end(client)));
  await group.forget(roles);
}

async function comeBack(group: Group, role: ClientRole): Promise<MqttClient> {
  const client = await group.connect({ ...role, isResumed: true });
  if (!client.sessionPresent) group.add('mqtt_sessions_missing', 1);
  return client;
}

const run = new Run('offline-backlog', offlineBacklog);

export const { options, handleSummary } = run;
export default run.main;
