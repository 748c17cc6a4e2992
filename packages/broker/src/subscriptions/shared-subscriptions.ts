/**
 * Shared subscriptions: `$share/{name}/{filter}`; each message to one member of each group (MQTT 5 section 4.8).
 *
 * A group's members are the local subscriptions and, for each other endpoint, the number it has there. Offline members
 * are not members: they are not in the group while they are away.
 *
 * | the group | QoS 0 | QoS 1 and 2 |
 * | --- | --- | --- |
 * | has no durable member | live | live |
 * | has one, connected or not | live | through the log of the filter (group-logs.ts), to members whose own QoS is above 0 |
 *
 * Live: the endpoint that took the publish chooses a local member, or an endpoint, which then chooses among its own.
 */

import { fnvOfBytes, fnvOfText } from '@dunlin/protocol';
import type { Publication } from '../message/publication.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';
import type { SharedStrategy } from '../ports/limits.ts';
import type { Subscription } from '../session/subscription.ts';
import type { FilterEntry, SubscriptionTree } from './subscription-tree.ts';

/** Members from which on their places are kept: thousands may leave one after the other. */
const searchedMax = 32;

/** Members among whom one is chosen. */
export class SharedMembers {
  readonly members: Subscription[] = [];
  /** Places in `members`; null while those are few. */
  private places: Map<Subscription, number> | null = null;
  /** Members at other endpoints, sorted by name so that all endpoints count alike. */
  readonly remote: { endpoint: EndpointId; count: number }[] = [];
  remoteCount = 0;
  /** Counter of turns in the whole group, for messages published here. */
  turn = 0;
  /**
   * Turn among the local members, for messages from other endpoints: a count of its own, or each would disturb the
   * other.
   */
  localTurn = 0;
  sticky: Subscription | EndpointId | null = null;

  add(member: Subscription): void {
    const { members } = this;
    this.places?.set(member, members.length);
    members.push(member);
    if (this.places === null && members.length > searchedMax)
      this.places = new Map(members.map((known, place) => [known, place]));
  }

  remove(member: Subscription): void {
    if (this.sticky === member) this.sticky = null;
    const { members, places } = this;
    if (places === null) {
      const at = members.indexOf(member);
      if (at >= 0) members.splice(at, 1);
      return;
    }
    const at = places.get(member);
    if (at === undefined) return;
    places.delete(member);
    const last = members.pop();
    if (last !== undefined && last !== member) {
      members[at] = last;
      places.set(last, at);
    }
    if (members.length === 0) this.places = null;
  }

  setRemote(endpoint: EndpointId, count: number): void {
    const at = this.remote.findIndex((entry) => entry.endpoint === endpoint);
    if (at >= 0) {
      this.remoteCount -= this.remote[at].count;
      this.remote.splice(at, 1);
    }
    if (count > 0) {
      this.remote.push({ endpoint, count });
      this.remote.sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
      this.remoteCount += count;
    }
    if (this.sticky === endpoint && count === 0) this.sticky = null;
  }

  hasAt(endpoint: EndpointId): boolean {
    return this.remote.some((entry) => entry.endpoint === endpoint);
  }
}

/** Receiver of a group's changes, for groups with a log. */
export interface SharedGroupWatcher {
  /** The logged members of a group with a log have changed. */
  loggedMembersChanged(group: SharedGroup): void;
}

export class SharedGroup extends SharedMembers {
  /** `$share/name/filter`. */
  readonly name: string;
  readonly filter: string;
  /** Members of QoS above 0, or that had it when they were replaced: the messages of the group's log go to them. */
  readonly loggedMembers = new SharedMembers();
  /** True when it has durable members, connected or not. */
  isLogged = false;
  private readonly watcher: SharedGroupWatcher | null;

  constructor(name: string, filter: string, watcher: SharedGroupWatcher | null) {
    super();
    this.watcher = watcher;
    this.name = name;
    this.filter = filter;
  }

  get isEmpty(): boolean {
    return this.members.length === 0 && this.remote.length === 0 && !this.isLogged;
  }

  override add(member: Subscription): void {
    super.add(member);
    if (member.owedQos === 0) return;
    this.loggedMembers.add(member);
    this.watcher?.loggedMembersChanged(this);
  }

  override remove(member: Subscription): void {
    super.remove(member);
    this.loggedMembers.remove(member);
    this.watcher?.loggedMembersChanged(this);
  }

  /** Sets the members at another endpoint. `logged`: how many of them have a QoS above 0. */
  override setRemote(endpoint: EndpointId, count: number, logged = count): void {
    super.setRemote(endpoint, count);
    this.loggedMembers.setRemote(endpoint, logged);
    this.watcher?.loggedMembersChanged(this);
  }
}

/** The group of an entry by its whole name `$share/{name}/{filter}`, made if there is none. */
export function groupOf(tree: SubscriptionTree, entry: FilterEntry, name: string, filter: string): SharedGroup {
  entry.groups ??= new Map();
  let group = entry.groups.get(name);
  if (group === undefined) {
    group = new SharedGroup(name, filter, tree.groupWatcher);
    entry.groups.set(name, group);
    entry.groupList = null;
  }
  return group;
}

export function dropEmptyGroup(entry: FilterEntry, group: SharedGroup): void {
  if (!group.isEmpty || entry.groups === null) return;
  if (entry.groups.get(group.name) === group) {
    entry.groups.delete(group.name);
    entry.groupList = null;
  }
  if (entry.groups.size === 0) entry.groups = null;
}

/**
 * The member that gets this message, another endpoint that shall choose, or null when there is none. A session that has
 * ended leaves its groups a few each turn (session-in-force.ts): chosen before that, it leaves the group at once.
 */
export function chooseMember(
  group: SharedMembers,
  strategy: SharedStrategy,
  publication: Publication,
  self: EndpointId,
): Subscription | EndpointId | null {
  for (;;) {
    const chosen = chooseAny(group, strategy, publication, self);
    if (chosen === null || typeof chosen === 'string' || !chosen.session.hasEnded) return chosen;
    group.remove(chosen);
  }
}

function chooseAny(
  group: SharedMembers,
  strategy: SharedStrategy,
  publication: Publication,
  self: EndpointId,
): Subscription | EndpointId | null {
  const total = group.members.length + group.remoteCount;
  if (total === 0) return null;
  switch (strategy) {
    case 'round-robin':
      return at(group, self, takeTurn(group, total));
    case 'hash-topic':
      return at(group, self, fnvOfBytes(publication.bytes, publication.topicStart, publication.topicEnd) % total);
    case 'hash-client':
      return at(group, self, fnvOfText(publication.publisher) % total);
    case 'sticky':
      group.sticky ??= at(group, self, takeTurn(group, total));
      return group.sticky;
    case 'local-first':
      return chooseLocal(group, 'round-robin', publication) ?? at(group, self, takeTurn(group, total));
    case 'least-inflight': {
      // The load of other endpoints is not known here: endpoints share by their number of members, each then chooses
      // its least loaded one.
      const chosen = at(group, self, takeTurn(group, total));
      return typeof chosen === 'string' ? chosen : leastLoaded(group.members);
    }
  }
}

/** Chooses a local member for a message that another endpoint sent for this group. */
export function chooseLocal(
  group: SharedMembers,
  strategy: SharedStrategy,
  publication: Publication,
): Subscription | null {
  for (;;) {
    const chosen = chooseAnyLocal(group, strategy, publication);
    if (chosen === null || !chosen.session.hasEnded) return chosen;
    group.remove(chosen);
  }
}

function chooseAnyLocal(group: SharedMembers, strategy: SharedStrategy, publication: Publication): Subscription | null {
  const { members } = group;
  if (members.length === 0) return null;
  if (strategy === 'least-inflight') return leastLoaded(members);
  if (strategy === 'hash-topic') {
    return members[fnvOfBytes(publication.bytes, publication.topicStart, publication.topicEnd) % members.length];
  }
  if (strategy === 'hash-client') return members[fnvOfText(publication.publisher) % members.length];
  if (strategy === 'sticky') {
    if (typeof group.sticky === 'string' || group.sticky === null) return members[0];
    return group.sticky;
  }
  group.localTurn = group.localTurn >= members.length - 1 ? 0 : group.localTurn + 1;
  return members[group.localTurn];
}

/** Strategies for which the choice of the member matters more than the time: the message waits for its member. */
export function isParticular(strategy: SharedStrategy): boolean {
  return strategy === 'hash-topic' || strategy === 'hash-client' || strategy === 'sticky';
}

/**
 * Chooses as `chooseMember` does, among members with room; null also when none has room, or the one that the strategy
 * wants has none.
 */
export function chooseWithRoom(
  group: SharedMembers,
  strategy: SharedStrategy,
  publication: Publication,
  self: EndpointId,
  hasRoom: (endpoint: EndpointId) => boolean,
): Subscription | EndpointId | null {
  if (isParticular(strategy)) {
    const chosen = chooseMember(group, strategy, publication, self);
    if (chosen === null) return null;
    return (typeof chosen === 'string' ? hasRoom(chosen) : memberHasRoom(chosen)) ? chosen : null;
  }
  if (strategy === 'local-first') {
    const member = chooseLocalWithRoom(group, strategy, publication);
    if (member !== null) return member;
  }
  const total = group.members.length + group.remoteCount;
  for (let tries = total; tries > 0; tries--) {
    const chosen = at(group, self, takeTurn(group, total));
    if (typeof chosen === 'string') {
      if (hasRoom(chosen)) return chosen;
    } else if (strategy === 'least-inflight') {
      const least = leastLoadedWithRoom(group.members);
      if (least !== null) return least;
    } else if (memberHasRoom(chosen)) {
      return chosen;
    }
  }
  return null;
}

/** Chooses among the local members. */
export function chooseLocalWithRoom(
  group: SharedMembers,
  strategy: SharedStrategy,
  publication: Publication,
): Subscription | null {
  if (strategy === 'least-inflight') return leastLoadedWithRoom(group.members);
  const triesMax = isParticular(strategy) ? 1 : group.members.length;
  for (let tries = triesMax; tries > 0; tries--) {
    const member = chooseLocal(group, strategy, publication);
    if (member !== null && memberHasRoom(member)) return member;
  }
  return null;
}

export function memberHasRoom(member: Subscription): boolean {
  return member.session.room > 0;
}

function leastLoadedWithRoom(members: readonly Subscription[]): Subscription | null {
  let best: Subscription | null = null;
  for (const member of members) {
    if (memberHasRoom(member) && (best === null || member.session.load < best.session.load)) best = member;
  }
  return best;
}

/** The next member of the whole group. */
function takeTurn(group: SharedMembers, total: number): number {
  group.turn = group.turn >= total - 1 ? 0 : group.turn + 1;
  return group.turn;
}

/** The n-th member of the whole group: endpoints in the order of their names, this one among them. */
function at(group: SharedMembers, self: EndpointId, index: number): Subscription | EndpointId {
  let rest = index;
  let localDone = false;
  for (const { endpoint, count } of group.remote) {
    if (!localDone && self < endpoint) {
      localDone = true;
      if (rest < group.members.length) return group.members[rest];
      rest -= group.members.length;
    }
    if (rest < count) return endpoint;
    rest -= count;
  }
  return group.members[rest];
}

function leastLoaded(members: readonly Subscription[]): Subscription {
  let best = members[0];
  for (const member of members) if (member.session.load < best.session.load) best = member;
  return best;
}
