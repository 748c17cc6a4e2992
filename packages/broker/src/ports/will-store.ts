import type { EndpointId } from './endpoint-id.ts';
import type { SessionKey } from './session-key.ts';

export interface StoredWill {
  clientId: string;
  owner: EndpointId;
  epoch: number;
  record: Uint8Array;
  delaySeconds: number;
  /** Time at which it is to be published; Infinity while its client is connected. */
  dueAt: number;
}

/** The will of a connected client. */
export interface WillToStore {
  record: Uint8Array;
  delaySeconds: number;
}

/** Port: wills (P8). What holds for every part of a store is said in store.ts. */
export interface WillStore {
  /** Keeps the will of a connected client. Null removes it. */
  set(key: SessionKey, owner: EndpointId, will: WillToStore | null): Promise<void>;
  /** The connection ended without DISCONNECT: the will becomes due at this time. */
  schedule(key: SessionKey, dueAt: number): Promise<void>;
  /** Time from which `takeDue` finds something; Infinity: not until `until`. */
  nextDue(until: number): Promise<number>;
  /**
   * Wills that are due, at most `limit`, each handed out again to a later call unless `remove` confirms it within
   * 30 seconds.
   */
  takeDue(now: number, limit: number): Promise<StoredWill[]>;
  remove(clientId: string, epoch: number): Promise<void>;
}
