/** What a member of shared groups without a log leaves when it goes. Groups with one take back theirs (group-members.ts). */
import type { Broker } from './broker.ts';
import { InflightState } from './inflight.ts';
import type { Session } from './session.ts';

/** Messages that wait for the session go to other members; so does QoS 1 in flight, if `inflight`. What nobody takes is dropped and counted. */
export function giveToOthers(broker: Broker, session: Session, inflight: boolean): void {
  const { outbound, waiting } = session;
  if (outbound !== null && inflight) {
    for (const packetId of outbound.packetIdsInUse()) {
      const content = outbound.contentOf(packetId);
      if (content === null || content.member === null || outbound.stateOf(packetId) !== InflightState.sent1) continue;
      if (broker.redispatch(content.member, content.publication)) outbound.release(packetId);
    }
  }
  if (waiting === null) return;
  for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
    broker.metrics.messagesWaiting--;
    if (message.subscription.isShared && broker.redispatch(message.subscription, message.publication)) continue;
    broker.metrics.dropped['session-ended']++;
  }
}
