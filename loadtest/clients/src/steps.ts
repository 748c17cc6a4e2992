import { DeadlineError } from '@dunlin/testkit';
import type { Actor } from './actor.ts';
import { type CutPacket, CuttingProxy } from './cutting-proxy.ts';
import type { DriverProcess } from './driver-process.ts';
import type { Lack, Message } from './line-protocol.ts';

/** The columns of the result. */
export const stepNames = [
  'retained',
  'qos0',
  'qos1',
  'qos2',
  'will',
  'takeover',
  'ws',
  'puback',
  'pubrec',
  'pubcomp',
  'pubrel',
  'durable',
] as const;

export type StepName = (typeof stepNames)[number];

/** Step of a client, with one connection or several. It throws when something is otherwise than promised. */
export interface Step {
  readonly name: StepName;
  readonly needs: readonly Lack[];
  readonly play: (actor: Actor) => Promise<void>;
}

/** Messages for each QoS: more than one segment, fewer than any Receive Maximum in use. */
const messagesPerQos = 10;

const message = (topic: string, payload: string, qos: number, retain = false): Message => ({
  topic,
  payload,
  qos,
  retain,
});

function same(came: Message, expected: Message): void {
  const show = ({ topic, payload, qos, retain }: Message) => JSON.stringify({ topic, payload, qos, retain });
  if (show(came) !== show(expected)) throw new DeadlineError(`came ${show(came)}, expected ${show(expected)}`);
}

/** A message that was set to be kept comes to who subscribes later, marked; those that come live are not marked. */
async function retained(actor: Actor): Promise<void> {
  const topic = actor.topic('retained');
  const qos = actor.features.lacks?.includes('qos1') ? 0 : 1;
  const client = await actor.start();
  await client.connect(actor.connecting(actor.stage.first, 'kept'));
  client.publish(message(topic, 'kept', qos, true));
  await client.untilPublished();
  await actor.reference.subscribe(topic);
  same(await actor.reference.next(topic), message(topic, 'kept', qos, true));
  await client.subscribe(topic, qos);
  same(await client.message(), message(topic, 'kept', qos, true));
  await actor.reference.publish(message(topic, 'live', 1));
  same(await client.message(), message(topic, 'live', qos));
  same(await actor.reference.next(topic), message(topic, 'live', 1));
  client.publish(message(topic, '', qos, true));
  same(await actor.reference.next(topic), message(topic, '', qos));
  await client.untilPublished();
  await client.disconnect();
}

/** Ten messages each way, in order, once, at this QoS; an eleventh shows that no more came before. */
function atQos(qos: 0 | 1 | 2): (actor: Actor) => Promise<void> {
  return async (actor) => {
    const [inward, outward] = [actor.topic('in', qos), actor.topic('out', qos)];
    const payloads = [...Array.from({ length: messagesPerQos }, (_, index) => `message ${index}`), 'end'];
    const client = await actor.start();
    await client.connect(actor.connecting(actor.stage.first, `qos${qos}`));
    await client.subscribe(inward, qos);
    await actor.reference.subscribe(outward);
    for (const payload of payloads) await actor.reference.publish(message(inward, payload, 2));
    for (const payload of payloads) same(await client.message(), message(inward, payload, qos));
    for (const payload of payloads) client.publish(message(outward, payload, qos));
    await client.untilPublished(payloads.length);
    for (const payload of payloads) same(await actor.reference.next(outward), message(outward, payload, qos));
    await client.disconnect();
  };
}

/** A client that dies leaves its will as it was given; one that says goodbye leaves none. */
async function will(actor: Actor): Promise<void> {
  const topic = actor.topic('will');
  const left = message(topic, 'gone', 1);
  await actor.reference.subscribe(topic);
  const dying = await actor.start();
  await dying.connect(actor.connecting(actor.stage.first, 'dies', { will: left }));
  await dying.kill();
  same(await actor.reference.next(topic), left);

  const polite = actor.connecting(actor.stage.first, 'leaves', { will: left });
  const client = await actor.start();
  await client.connect(polite);
  await client.disconnect();
  // Under the same identifier: what became of the first connection is settled before this one is accepted.
  const again = await actor.start();
  await again.connect(polite);
  again.publish(message(topic, 'end', 0));
  same(await actor.reference.next(topic), message(topic, 'end', 0));
}

/** A second connection under the same identifier ends the first, and goes on by itself. */
async function takeover(actor: Actor): Promise<void> {
  const topic = actor.topic('takeover');
  const [old, young] = [await actor.start(), await actor.start()];
  await old.connect(actor.connecting(actor.stage.first, 'twice'));
  await young.connect(actor.connecting(actor.stage.second, 'twice'));
  await old.untilLost();
  await young.subscribe(topic, 0);
  young.publish(message(topic, 'mine', 0));
  same(await young.message(), message(topic, 'mine', 0));
  await young.disconnect();
}

/** Retained messages arrive behind SUBACK without anything else being sent, and a message comes back. */
async function webSocket(actor: Actor): Promise<void> {
  const topic = actor.topic('ws');
  const qos = actor.features.lacks?.includes('qos1') ? 0 : 1;
  await actor.reference.publish(message(topic, 'kept', 1, true));
  const client = await actor.start();
  await client.connect(actor.connecting(actor.stage.first, 'ws', { transport: 'ws' }));
  await client.subscribe(topic, qos);
  same(await client.message(), message(topic, 'kept', qos, true));
  client.publish(message(topic, 'live', qos));
  await client.untilPublished();
  same(await client.message(), message(topic, 'live', qos));
  await client.disconnect();
  await actor.reference.publish(message(topic, '', 1, true));
}

/** A client that comes back through a proxy that has cut its connection at an acknowledgement. */
async function overCut(actor: Actor, packet: CutPacket, play: (client: DriverProcess, cut: CutStory) => Promise<void>) {
  const transport = actor.features.transports[0];
  const proxy = await CuttingProxy.start({ port: actor.stage.first[transport], transport });
  const connecting = actor.connecting({ tcp: proxy.port, ws: proxy.port }, packet, { isClean: false });
  try {
    const client = await actor.start();
    await client.connect(connecting);
    await play(client, {
      cut: () => proxy.cutAt(packet),
      comeBack: async () => {
        await client.untilLost();
        const session = await client.connect(connecting);
        if (session === false) throw new DeadlineError('the session was not kept');
      },
    });
    await client.disconnect();
  } finally {
    proxy.close();
  }
}

interface CutStory {
  cut(): void;
  comeBack(): Promise<void>;
}

/**
 * Messages that the client was sending when it lost its connection are sent again: at QoS 2 they arrive once, at QoS 1
 * at least once.
 */
function sendingOver(packet: 'PUBACK' | 'PUBREC' | 'PUBCOMP'): (actor: Actor) => Promise<void> {
  const qos = packet === 'PUBACK' ? 1 : 2;
  return (actor) =>
    overCut(actor, packet, async (client, { cut, comeBack }) => {
      const topic = actor.topic(packet);
      await actor.reference.subscribe(topic);
      cut();
      client.publish(message(topic, 'once', qos));
      await comeBack();
      await client.untilPublished();
      client.publish(message(topic, 'end', qos));
      await client.untilPublished();
      same(await actor.reference.next(topic), message(topic, 'once', qos));
      let next = await actor.reference.next(topic);
      if (qos === 1 && next.payload === 'once') next = await actor.reference.next(topic);
      same(next, message(topic, 'end', qos));
    });
}

/** Messages that the client was receiving at QoS 2 when it lost its connection are given to the program once. */
async function receivingOver(actor: Actor): Promise<void> {
  await overCut(actor, 'PUBREL', async (client, { cut, comeBack }) => {
    const topic = actor.topic('PUBREL');
    await client.subscribe(topic, 2);
    cut();
    await actor.reference.publish(message(topic, 'once', 2));
    await comeBack();
    await actor.reference.publish(message(topic, 'end', 2));
    same(await client.message(), message(topic, 'once', 2));
    same(await client.message(), message(topic, 'end', 2));
  });
}

/** Steps that each library goes through by itself, beside the others. The nodes stay. */
export const steps: readonly Step[] = [
  { name: 'retained', needs: ['retained'], play: retained },
  { name: 'qos0', needs: ['qos0'], play: atQos(0) },
  { name: 'qos1', needs: ['qos1'], play: atQos(1) },
  { name: 'qos2', needs: ['qos2'], play: atQos(2) },
  { name: 'will', needs: ['will'], play: will },
  { name: 'takeover', needs: ['takeover'], play: takeover },
  { name: 'ws', needs: [], play: webSocket },
  { name: 'puback', needs: ['qos1', 'lost', 'durable'], play: sendingOver('PUBACK') },
  { name: 'pubrec', needs: ['qos2', 'lost', 'durable'], play: sendingOver('PUBREC') },
  { name: 'pubcomp', needs: ['qos2', 'lost', 'durable'], play: sendingOver('PUBCOMP') },
  { name: 'pubrel', needs: ['qos2', 'lost', 'durable'], play: receivingOver },
];
