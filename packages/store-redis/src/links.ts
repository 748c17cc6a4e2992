import { Redis } from 'ioredis';
import type { Continuity } from './continuity.ts';
import type { Settings } from './options.ts';
import { addressText } from './redis-url.ts';
import { createSentinelClient } from './sentinel-client.ts';
import { ServerConnection } from './server-connection.ts';
import type { Command, Link, Reply } from './turn.ts';

/** A link that is started and closed by itself. */
export interface OwnLink extends Link {
  start(): void;
  close(): void;
}

/** Link to one server, named or found through Sentinel. */
export class SingleLink implements OwnLink {
  readonly hasSlots: boolean;
  private readonly connection: ServerConnection;
  private readonly waits: boolean;

  /** `continuity`: null where writes need no marks. */
  constructor(settings: Settings, continuity: Continuity | null, onState: (connected: boolean) => void) {
    this.hasSlots = false;
    this.waits = settings.durability !== 'memory';
    const { target } = settings;
    const address = target.addresses.map(addressText).join(',');
    this.connection = new ServerConnection({
      address: target.kind === 'sentinel' ? `${target.masterName} of ${address}` : address,
      settings,
      continuity,
      create: () => createClient(settings),
      onState,
    });
  }

  start(): void {
    this.connection.start();
  }

  close(): void {
    this.connection.close();
  }

  send(command: Command): Promise<Reply> {
    return this.connection.send(command);
  }

  mark(slots: ReadonlySet<number>): ReturnType<Link['mark']> {
    const [slot] = slots;
    return this.connection.mark(slot);
  }

  confirm(): Promise<void> | null {
    return this.waits ? this.connection.confirm() : null;
  }
}

async function createClient(settings: Settings): Promise<Redis> {
  const { target } = settings;
  if (target.kind === 'sentinel') return createSentinelClient(settings);
  return new Redis({ ...(await settings.connection()), ...target.addresses[0] });
}
