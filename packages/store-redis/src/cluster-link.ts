/**
 * Connections to the masters of a Redis Cluster, one each, and the map of slots.
 *
 * A command is sent once, to the server that the map names. If that server answers that the slot is elsewhere, the map
 * is read again and the command fails as `unavailable`: it was not done, and its caller repeats it. Following the
 * redirection here would let later commands overtake it.
 */
import { codeOf, StoreError } from '@dunlin/broker/ports';
import { Redis } from 'ioredis';
import type { Continuity } from './continuity.ts';
import type { OwnLink } from './links.ts';
import { events } from './log-events.ts';
import type { Settings } from './options.ts';
import { RedisConnectionError } from './redis-connection-error.ts';
import { type Address, addressText } from './redis-url.ts';
import { isMoved } from './reply-error.ts';
import { refusal } from './server-check.ts';
import { ServerConnection } from './server-connection.ts';
import type { Command, Link, Reply } from './turn.ts';

const slotsTotal = 16_384;
/** Intervals of reading the map: without trouble; and after trouble, until all slots are served. */
const refreshMilliseconds = 5000;
const refreshTroubledMilliseconds = 200;

export class ClusterLink implements OwnLink {
  readonly hasSlots: boolean;
  private readonly settings: Settings;
  private readonly continuity: Continuity | null;
  private readonly onState: (connected: boolean) => void;
  private readonly connections: Map<string, ServerConnection>;
  private readonly slots: (ServerConnection | undefined)[];
  private known: readonly Address[];
  private isConnected: boolean;
  private refreshing: boolean;
  /** Lines written to the log since no map can be read. */
  private readonly complaints: Set<string>;
  private soon: boolean;
  private timer: NodeJS.Timeout | undefined;
  private closed: boolean;

  constructor(settings: Settings, continuity: Continuity | null, onState: (connected: boolean) => void) {
    this.hasSlots = true;
    this.settings = settings;
    this.continuity = continuity;
    this.onState = onState;
    this.connections = new Map();
    this.slots = new Array(slotsTotal);
    this.known = settings.target.addresses;
    this.isConnected = false;
    this.refreshing = false;
    this.complaints = new Set();
    this.soon = false;
    this.timer = undefined;
    this.closed = false;
  }

  start(): void {
    void this.refresh();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    for (const connection of this.connections.values()) connection.close();
  }

  send(command: Command): Promise<Reply> {
    const connection = this.slots[command.slot];
    if (connection === undefined) {
      this.refreshSoon();
      return Promise.reject(
        new StoreError('unavailable', `no master of the Redis Cluster serves slot ${command.slot}`),
      );
    }
    return connection.send(command).catch((error: Error) => {
      if (isMoved(error)) this.refreshSoon();
      throw error;
    });
  }

  mark(slots: ReadonlySet<number>): ReturnType<Link['mark']> {
    const marked = new Set<ServerConnection>();
    const marks: NonNullable<ReturnType<Link['mark']>>[] = [];
    for (const slot of slots) {
      const connection = this.slots[slot];
      if (connection === undefined || marked.has(connection)) continue;
      marked.add(connection);
      const mark = connection.mark(slot);
      if (mark !== null) marks.push(mark);
    }
    const written = Promise.all(marks.map((mark) => mark.written));
    const confirmed = (): void => {
      for (const mark of marks) mark.confirmed();
    };
    return { written, confirmed };
  }

  confirm(slots: ReadonlySet<number>): Promise<void> | null {
    if (this.settings.durability === 'memory') return null;
    const written = new Set<ServerConnection>();
    for (const slot of slots) {
      const connection = this.slots[slot];
      if (connection !== undefined) written.add(connection);
    }
    return Promise.all([...written].map((connection) => connection.confirm())).then(() => {});
  }

  private refreshSoon(): void {
    // Further trouble does not delay a reading that is scheduled.
    if (this.closed || this.refreshing || this.soon) return;
    this.soon = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.refresh(), refreshTroubledMilliseconds);
  }

  private async refresh(): Promise<void> {
    if (this.refreshing || this.closed) return;
    this.refreshing = true;
    this.soon = false;
    const map = await this.readMap();
    this.refreshing = false;
    if (this.closed) return;
    if (map !== null) this.use(map);
    this.check();
    clearTimeout(this.timer);
    const wait = this.isConnected ? refreshMilliseconds : refreshTroubledMilliseconds;
    this.timer = setTimeout(() => void this.refresh(), wait);
    if (this.isConnected) this.timer.unref();
  }

  /** Reads the map from the first server that answers. */
  private async readMap(): Promise<SlotRange[] | null> {
    const addresses = [...this.known, ...this.settings.target.addresses];
    let reason: Error | null = null;
    const connection = await this.settings.connection();
    for (const address of addresses) {
      if (this.closed) return null;
      const redis = new Redis({ ...connection, ...address });
      redis.on('error', (error: Error) => {
        reason ??= error;
      });
      try {
        await redis.connect();
        return readRanges(await redis.cluster('SLOTS'), address.host);
      } catch (error) {
        reason ??= error as Error;
      } finally {
        redis.disconnect();
      }
    }
    if (this.closed) return null;
    this.complain(reason ?? new RedisConnectionError('redis-no-address', 'no address'));
    return null;
  }

  /** Logs each kind of trouble once, until a map was read. */
  private complain(reason: Error): void {
    const refused = refusal(reason, this.settings);
    const complaint = refused ?? 'unreachable';
    if (this.complaints.has(complaint)) return;
    this.complaints.add(complaint);
    const { logger, target } = this.settings;
    const address = target.addresses.map(addressText).join(',');
    if (refused !== null) {
      logger.error(events['redis.refused'], { address, error: refused, errorCode: codeOf(reason) });
    } else {
      const error = reason.message || (reason as NodeJS.ErrnoException).code || String(reason);
      logger.warn(events['redis.cluster-unreachable'], { address, error, errorCode: codeOf(reason) });
    }
  }

  private use(map: readonly SlotRange[]): void {
    this.complaints.clear();
    const used = new Set<string>();
    this.slots.fill(undefined);
    for (const { first, last, master } of map) {
      const name = addressText(master);
      used.add(name);
      let connection = this.connections.get(name);
      if (connection === undefined) {
        connection = new ServerConnection({
          address: name,
          settings: this.settings,
          continuity: this.continuity,
          create: async () => new Redis({ ...(await this.settings.connection()), ...master }),
          onState: (connected) => {
            const wasConnected = this.isConnected;
            this.check();
            if (!connected && !wasConnected) this.onState(false);
            if (!this.isConnected) this.refreshSoon();
          },
        });
        this.connections.set(name, connection);
        connection.start();
      }
      this.slots.fill(connection, first, last + 1);
    }
    for (const [name, connection] of this.connections) {
      if (used.has(name)) continue;
      this.connections.delete(name);
      connection.close();
    }
    this.known = map.flatMap(({ master, replicas }) => [master, ...replicas]);
  }

  /** Connected when every slot is served by a server that is connected. */
  private check(): void {
    let connected = this.connections.size > 0 && !this.slots.includes(undefined);
    for (const connection of this.connections.values()) connected &&= connection.isConnected;
    if (connected === this.isConnected) return;
    this.isConnected = connected;
    this.onState(connected);
  }
}

interface SlotRange {
  first: number;
  last: number;
  master: Address;
  replicas: Address[];
}

type SlotsReply = [first: number, last: number, ...servers: [host: string | null, port: number][]][];

/** A server that does not know its own name leaves it out: then the name is the one that was asked. */
function readRanges(reply: unknown, askedHost: string): SlotRange[] {
  return (reply as SlotsReply).map(([first, last, ...servers]) => {
    const [master, ...replicas] = servers.map(([host, port]) => ({ host: host || askedHost, port }));
    return { first, last, master, replicas };
  });
}
