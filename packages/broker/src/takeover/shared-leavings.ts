/**
 * Messages that a member of shared groups without a log leaves when it goes. Groups with one take back theirs
 * (group-members.ts).
 */

import type { PublishRouter } from '../delivery/publish-router.ts';
import type { Metrics } from '../ports/metrics.ts';
import { InflightState } from '../session/inflight.ts';
import type { Session } from '../session/session.ts';

export interface LeavingParts {
  router: PublishRouter;
  metrics: Metrics;
}

/**
 * Gives messages that wait for the session to other members; so QoS 1 in flight, if `inflight`. A message without
 * another member is dropped and counted.
 */
export function giveToOthers({ router, metrics }: LeavingParts, session: Session, inflight: boolean): void {
  const { outbound, waiting } = session;
  if (outbound !== null && inflight) {
    for (const packetId of outbound.packetIdsInUse()) {
      const content = outbound.contentOf(packetId);
      if (content === null || content.member === null || outbound.stateOf(packetId) !== InflightState.sent1) continue;
      if (router.giveToOther(content.member, content.publication)) outbound.release(packetId);
    }
  }
  if (waiting === null) return;
  for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
    metrics.messagesWaiting--;
    if (message.subscription.isShared && router.giveToOther(message.subscription, message.publication)) continue;
    metrics.dropped['session-ended']++;
  }
}
