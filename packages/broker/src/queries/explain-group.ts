import type { ExplainVerdict } from '../ports/explanation.ts';
import type { Limits } from '../ports/limits.ts';
import type { Subscription } from '../session/subscription.ts';
import { chooseMember, SharedMembers } from '../subscriptions/shared-subscriptions.ts';
import type { SupposedMessage } from './explain-publisher.ts';
import { count, type ExplainSteps, placeOf, quote } from './explain-steps.ts';

/** The group as it is, to choose from it without taking a turn. */
function copyOf(group: SharedMembers): SharedMembers {
  const copy = new SharedMembers();
  for (const member of group.members) copy.add(member);
  for (const { endpoint, count: members } of group.remote) copy.setRemote(endpoint, members);
  copy.turn = group.turn;
  copy.localTurn = group.localTurn;
  copy.sticky = group.sticky;
  return copy;
}

/** Checks of a message to a member of a shared group. `direct`: of its delivery, where it is the only member. */
export function explainGroup(
  { self, limits }: { self: string; limits: Limits },
  steps: ExplainSteps,
  member: Subscription,
  { publication, match }: SupposedMessage,
  direct: () => ExplainVerdict,
): ExplainVerdict {
  const group = match.groupCalled(member.filter);
  if (group === undefined) {
    steps.add('failed', 'group', `The group ${quote(member.filter)} is not in force.`);
    return 'no';
  }
  const isLogged = group.isLogged && publication.qos > 0;
  const among: SharedMembers = isLogged ? group.loggedMembers : group;
  if (isLogged && member.owedQos === 0) {
    steps.add(
      'failed',
      'group',
      `Messages of QoS 1 and 2 of ${quote(member.filter)} go to members that subscribed with QoS 1 or 2.`,
    );
    return 'no';
  }
  const here = placeOf(self);
  const total = among.members.length + among.remoteCount;
  if (total <= 1) {
    steps.passed('group', `It is the only member of ${quote(member.filter)} that is connected.`);
    return direct();
  }
  const elsewhere = among.remote.map(({ endpoint, count: members }) => `${members} at ${placeOf(endpoint)}`);
  const places = [`${among.members.length} at ${here}`, ...elsewhere].join(', ');
  const text = `It is one of ${count(total, 'connected member')} of ${quote(member.filter)} (${places}): each message goes to one of them (limits.sharedStrategy: ${limits.sharedStrategy})`;
  const chosen = isLogged ? null : chooseMember(copyOf(among), limits.sharedStrategy, publication, self);
  const next =
    chosen === null
      ? '; the leader of the group gives each message to a member with room'
      : typeof chosen === 'string'
        ? `; the next that is published at ${here} goes to a member at ${placeOf(chosen)}`
        : chosen === member
          ? `; the next that is published at ${here} goes to it`
          : `; the next that is published at ${here} goes to ${quote(chosen.session.clientId)}`;
  steps.add('chance', 'group', `${text}${next}.`);
  return 'chance';
}
