import { listen, settle } from '../audience.ts';
import type { MqttClient } from '../client.ts';
import { type ClientRole, type Group, settledAll } from '../group.ts';
import { Pace } from '../pace.ts';
import { Publisher } from '../publisher.ts';
import { Run } from '../run.ts';
import { qosOf } from '../settings.ts';
import { Tally } from '../tally.ts';
import { numbered } from '../traffic.ts';

/** One publisher sends to the topics of durable subscribers in turn, while these lose their connections together and come back. */
async function reconnectStorm(group: Group): Promise<void> {
  const { settings, clock, prefix } = group;
  const { subscribers: count } = settings;
  const tally = new Tally(count, (audience, stream) => audience === stream);
  const roles = numbered(count, (index): ClientRole => {
    const message = listen(group, tally, index, { isTimed: true, isOrdered: true });
    return { name: `s${index}`, broker: index + 1, isDurable: true, session: new Set(), message };
  });
  const clients = await group.connectAll(roles);
  await Promise.all(clients.map((client, index) => client.subscribe(`${prefix}/to/${index}`, qosOf(settings))));
  const streams = numbered(count, (index) => ({ index, topic: `${prefix}/to/${index}` }));
  const publisher = new Publisher(group, await group.connect({ name: 'p', broker: 0 }), tally, streams);
  const pace = new Pace(settings.rate, 0, clock.now());
  await Promise.all([
    group.repeat(settings.durationSeconds, (now) => publisher.sendDue(pace, now)),
    storms(group, roles, clients),
  ]);
  await settle(group, tally);
  await Promise.all(clients.map((client) => group.end(client)));
  await group.forget(roles);
}

/** Every STORM_EVERY_SECONDS all lose their connection, and come back to the next broker. Replaces the clients. */
async function storms(group: Group, roles: readonly ClientRole[], clients: MqttClient[]): Promise<void> {
  const { settings, clock } = group;
  const end = clock.now() + settings.durationSeconds * 1000;
  for (let storm = 1; ; storm++) {
    const next = Math.min(end, clock.now() + settings.stormEverySeconds * 1000);
    await group.sleep(next - clock.now());
    if (next === end && storm > 1) return;
    const back = await settledAll(
      roles.map((role, index) => comeBack(group, clients[index], { ...role, broker: role.broker + storm })),
    );
    for (const [index, client] of back.entries()) clients[index] = client;
    if (next === end) return;
  }
}

async function comeBack(group: Group, before: MqttClient, role: ClientRole): Promise<MqttClient> {
  const dropped = group.clock.now();
  await group.drop(before);
  const client = await group.connect({ ...role, isResumed: true });
  group.add('mqtt_catch_up_time', group.clock.now() - dropped);
  if (!client.sessionPresent) group.add('mqtt_sessions_missing', 1);
  return client;
}

const run = new Run('reconnect-storm', reconnectStorm);

export const { options, handleSummary } = run;
export default run.main;
