import { type Audit, auditEvents, type StoreParts } from '@dunlin/broker/ports';
import type { Configuration, ListenerAddress } from '@dunlin/config';
import type { CertificateEnd, NodeLogger } from '@dunlin/telemetry';
import { BanBook } from '../admin/ban-book.ts';
import { events } from '../log-events.ts';
import type { Gathering } from './gathering.ts';
import { Keys } from './keys.ts';
import { Rebalance } from './rebalance.ts';

export interface ApiNodeParts {
  configuration: Configuration;
  /** Places where the keys of the configuration were set; absent: by default. */
  origins: ReadonlyMap<string, string>;
  version: string;
  logger: NodeLogger;
  audit: () => Audit | null;
  store: StoreParts;
  gathering: Gathering;
  fileKey: () => Promise<string | null>;
  /** Addresses with the ports that were taken, in the order of the configuration. */
  addresses: () => readonly ListenerAddress[];
  certificateEnds: () => readonly CertificateEnd[];
  /** Reads the configuration again; null: it cannot be. Returns the keys that need a new start. Throws ConfigurationError. */
  reload: (() => string[]) | null;
}

/** Interval of the lines about keys that are refused. */
const toldMilliseconds = 1000;

/** A node, as the endpoints of its administration API see it. */
export class ApiNode {
  readonly parts: ApiNodeParts;
  readonly keys: Keys;
  readonly bans: BanBook;
  readonly rebalance: Rebalance;
  /** Names in Host headers that nobody else can give to this node. */
  readonly hosts: ReadonlySet<string>;
  #toldAt = Number.NEGATIVE_INFINITY;
  #refused = 0;

  constructor(parts: ApiNodeParts) {
    this.parts = parts;
    this.keys = new Keys(parts.store.adminKeys, parts.fileKey);
    this.bans = new BanBook(parts.store.bans);
    this.rebalance = new Rebalance(parts.gathering);
    const { address, hosts } = parts.configuration.admin;
    const own = address.slice(0, address.lastIndexOf(':')).toLowerCase();
    this.hosts = new Set(['localhost', ...(own === '' ? [] : [own]), ...hosts.map((name) => name.toLowerCase())]);
  }

  get store(): StoreParts {
    return this.parts.store;
  }

  /** Notes that a request has changed something. `on`: what it named. */
  changed(action: string, by: string, on: Readonly<Record<string, string>>): void {
    const target = Object.values(on).join(' ');
    this.parts.logger.info(events['administration.done'], { action, by, target });
    this.parts.audit()?.record(auditEvents['administration.done'], { action, by, target });
  }

  /** Notes a request that failed for no fault of its own. */
  failed(error: unknown): void {
    this.parts.logger.error(events['administration.failed'], { error });
  }

  keyRefused(address: string): void {
    this.#refused++;
    const now = performance.now();
    if (now - this.#toldAt < toldMilliseconds) return;
    this.#toldAt = now;
    this.parts.logger.warn(events['administration.refused'], { address, refusals: this.#refused });
    this.#refused = 0;
  }
}
