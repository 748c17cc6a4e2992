import type { Logger } from '@dunlin/broker';
import type { Configuration, Listener } from '@dunlin/config';
import type { CertificateEnd } from '@dunlin/telemetry';
import { readTlsMaterial } from './listeners/read-tls-material.ts';
import {
  certificatesEndAt,
  describeMaterial,
  isSameMaterial,
  type TlsMaterial,
  withNewTicketKeys,
} from './listeners/tls-material.ts';
import { events } from './log-events.ts';

/** Tickets are sealed with one secret for so long: whoever steals it later cannot open older conversations. */
const ticketKeysMilliseconds = 24 * 3600 * 1000;

/** Listener whose certificates are others now. */
export interface Renewed {
  listener: string;
  certificates: ReturnType<typeof describeMaterial>;
}

/** The certificates of a node's listeners, as its workers have them: read by the supervisor, renewed by SIGHUP; ticket keys change once a day. */
export class Certificates {
  readonly #logger: Logger;
  readonly #listeners: readonly Listener[];
  readonly #renewed: (listener: number, material: TlsMaterial) => void;
  #materials: (TlsMaterial | null)[] = [];
  #timer: NodeJS.Timeout | null = null;

  /** `renewed`: called with the place of a listener whose material is another now. */
  constructor(
    listeners: readonly Listener[],
    logger: Logger,
    renewed: (listener: number, material: TlsMaterial) => void,
  ) {
    this.#listeners = listeners;
    this.#logger = logger;
    this.#renewed = renewed;
  }

  /** Certificates, one for each listener; null where it has no TLS. */
  get materials(): readonly (TlsMaterial | null)[] {
    return this.#materials;
  }

  /** Ends of the listeners' certificates: the earliest of those that share a name. */
  get ends(): CertificateEnd[] {
    const ends = new Map<string, number>();
    for (const [index, material] of this.#materials.entries()) {
      if (material === null) continue;
      const { name } = this.#listeners[index];
      ends.set(name, Math.min(ends.get(name) ?? Number.POSITIVE_INFINITY, certificatesEndAt(material)));
    }
    return [...ends].map(([listener, endsAt]) => ({ listener, endsAt }));
  }

  /**
   * Reads all files.
   * @throws CertificateFileError
   */
  open(): void {
    this.#materials = this.#listeners.map(readTlsMaterial);
    if (!this.#materials.some((material) => material !== null)) return;
    this.#timer = setInterval(() => this.#changeTicketKeys(), ticketKeysMilliseconds);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #changeTicketKeys(): void {
    for (const [index, material] of this.#materials.entries())
      if (material !== null) this.#set(index, withNewTicketKeys(material));
  }

  #set(index: number, material: TlsMaterial): void {
    this.#materials[index] = material;
    this.#renewed(index, material);
  }

  /** Reads the files again, of the paths that the configuration names now. A listener whose files cannot be used keeps what it has: then it is not whole. */
  reload({ listeners }: Configuration): { isWhole: boolean; renewed: Renewed[] } {
    let isWhole = true;
    const renewed: Renewed[] = [];
    for (const [index, listener] of this.#listeners.entries()) {
      const before = this.#materials[index];
      // Several may have the same URL where the system picks the port.
      const next =
        listeners[index]?.url === listener.url ? listeners[index] : listeners.find(({ url }) => url === listener.url);
      if (before === null || next === undefined) continue;
      try {
        const material = readTlsMaterial(next);
        if (material === null || isSameMaterial(material, before)) continue;
        this.#set(index, material);
        const certificates = describeMaterial(material);
        renewed.push({ listener: listener.name, certificates });
        this.#logger.info(events['certificates.reloaded'], { listener: listener.name, certificates });
      } catch (error) {
        const reason = (error as Error).message;
        this.#logger.error(events['certificates.reload-failed'], { listener: listener.name, reason });
        isWhole = false;
      }
    }
    return { isWhole, renewed };
  }
}
