import { DeadlineError } from '@dunlin/testkit';
import type { Actor } from './actor.ts';
import type { DriverProcess } from './driver-process.ts';
import type { Message } from './line-protocol.ts';

/** The step whose node is killed under all libraries at once, in the parts between the kills. */
export interface DurablePart {
  before(): Promise<void>;
  /** The node has been killed, once or twice. */
  meanwhile(kill: number): Promise<void>;
  after(): Promise<void>;
}

/**
 * A session outlives the node it was made at:
 *
 *     client       connect, subscribe ... lost                                connect, everything, at QoS 2 once
 *     first node                       killed                killed
 *     reference    one message                 QoS 1, QoS 2          QoS 1, QoS 2
 */
export function durableSession(actor: Actor): DurablePart {
  const qosLevels = actor.features.lacks?.includes('qos2') ? [1] : [1, 2];
  const topic = (qos: number) => actor.topic('durable', qos);
  const message = (qos: number, payload: string): Message => ({ topic: topic(qos), payload, qos, retain: false });
  const sent: Message[] = [];
  /** Messages that came in the parts before this one. */
  const received = new Set<string>();
  let client: DriverProcess;

  async function publish(payload: string): Promise<void> {
    for (const qos of qosLevels) {
      await actor.reference.publish(message(qos, payload));
      sent.push(message(qos, payload));
    }
  }

  /** Takes as many messages as were sent; those of one QoS are in order. At QoS 1 one whose acknowledgement went with the node comes again. */
  async function receive(): Promise<void> {
    const came: Message[] = [];
    while (came.length < sent.length) {
      const next = await client.message();
      if (next.qos === 2 || !received.has(next.payload)) came.push(next);
    }
    for (const qos of qosLevels) {
      const show = (messages: Message[]) =>
        messages.filter((one) => one.qos === qos).map(({ topic, payload }) => `${topic} ${payload}`);
      const [shown, expected] = [show(came).join(', '), show(sent).join(', ')];
      if (shown !== expected) throw new DeadlineError(`at QoS ${qos} came ${shown}, expected ${expected}`);
    }
    for (const { payload } of sent.splice(0)) received.add(payload);
  }

  return {
    before: async () => {
      client = await actor.start();
      await client.connect(actor.connecting(actor.stage.first, 'durable', { isClean: false }));
      for (const qos of qosLevels) await client.subscribe(topic(qos), qos);
      await publish('before');
      await receive();
    },
    meanwhile: async (kill) => {
      if (kill === 1) await client.untilLost();
      await publish(`while it was away, ${kill}`);
    },
    after: async () => {
      const session = await client.connect(actor.connecting(actor.stage.second, 'durable', { isClean: false }));
      if (session === false) throw new DeadlineError('the session was not kept');
      await publish('end');
      await receive();
      await client.disconnect();
    },
  };
}
