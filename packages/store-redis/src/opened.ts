import { randomUUID } from 'node:crypto';
import { StoreError } from '@dunlin/broker/ports';
import { Appends } from './appends.ts';
import { ClusterLink } from './cluster-link.ts';
import { Continuity } from './continuity.ts';
import { Groups } from './groups.ts';
import { Keys } from './keys.ts';
import { type OwnLink, SingleLink } from './links.ts';
import { Logs } from './logs.ts';
import type { Settings } from './options.ts';
import { Order } from './order.ts';
import { SessionUsers } from './session-users.ts';
import { Sessions } from './sessions.ts';
import { Turn } from './turn.ts';
import { delayedTouched, retainedTouched, sessionLayout, UsageBook } from './usage-book.ts';
import { WriteRefusals } from './write-refusals.ts';

/** The link that a URL asks for. */
export function createLink(
  settings: Settings,
  continuity: Continuity | null,
  onState: (connected: boolean) => void,
): OwnLink {
  const Kind = settings.target.kind === 'cluster' ? ClusterLink : SingleLink;
  return new Kind(settings, continuity, onState);
}

/** An open store: its link and what works on it. */
export class Opened {
  /** Resolves with the first connection; rejects with `closed` when there was none until `close`. */
  readonly connected: Promise<void>;
  readonly keys: Keys;
  readonly turn: Turn;
  readonly order: Order;
  readonly appends: Appends;
  readonly sessions: Sessions;
  readonly users: SessionUsers;
  readonly logs: Logs;
  readonly groups: Groups;
  readonly retainedUsage: UsageBook;
  readonly delayedUsage: UsageBook;
  private readonly link: OwnLink;
  private readonly refusals: WriteRefusals;
  private readonly giveUp: (error: Error) => void;

  constructor(settings: Settings) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.connected = promise;
    this.connected.catch(() => {}); // A caller that awaits it gets the rejection.
    this.giveUp = reject;
    const keys = new Keys(settings.prefix);
    this.keys = keys;
    const isCluster = settings.target.kind === 'cluster';
    const continuity = new Continuity(keys, isCluster, randomUUID(), settings.onWentBack);
    this.link = createLink(settings, continuity, (connected) => {
      if (connected) resolve();
      settings.onStatus(connected);
    });
    this.refusals = new WriteRefusals(settings.onWrites, (slot) => {
      const args = [`${keys.startAt(slot)}probe`, '', 'PX', '1'];
      return this.link.send({ slot, writes: true, name: 'SET', args });
    });
    this.turn = new Turn(this.link, (error, slot) => this.refusals.saw(error, slot));
    this.order = new Order();
    this.retainedUsage = new UsageBook('retained messages', this.turn, this.order, keys.r, retainedTouched);
    this.delayedUsage = new UsageBook('delayed messages', this.turn, this.order, keys.d, delayedTouched);
    this.logs = new Logs(this.turn, keys, (shard) => continuity.eraOf(shard));
    this.groups = new Groups(this.turn, keys, this.logs);
    const stored = new UsageBook('sessions', this.turn, this.order, keys.s, 'counters', sessionLayout);
    this.sessions = new Sessions(this.turn, keys, this.logs, this.groups, stored);
    this.users = new SessionUsers(this.turn, keys);
    this.appends = new Appends(this.logs, this.sessions);
    this.link.start();
  }

  /** Waits for calls under way, which the link answers or gives up within its time-out. */
  async close(): Promise<void> {
    await this.order.idle();
    await this.turn.drain();
    this.link.close();
    this.refusals.close();
    this.giveUp(new StoreError('closed', 'the Redis store was closed before it was connected'));
  }
}
