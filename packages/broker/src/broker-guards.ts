/** Guards that look at connections: bans, and what follows failed sign-ins. */
import { BrokerWorld } from './broker-world.ts';
import { endBanned } from './connection/banned.ts';
import type { Connection } from './connection/connection.ts';
import { FailedSignIns } from './connection/failed-sign-ins.ts';
import { BanList } from './guards/ban-list.ts';
import { NewcomerTurns } from './guards/newcomer-turns.ts';
import { RulesVersion } from './guards/rules-version.ts';
import type { Ban } from './ports/ban-store.ts';

export abstract class BrokerGuards extends BrokerWorld {
  readonly connections = new Set<Connection>();
  protected readonly rules = new RulesVersion();
  readonly bans = new BanList({
    ...{ store: this.store.bans, clock: this.clock, logger: this.logger },
    banned: (bans) => endBanned(this.connections, bans, this.clock),
    changed: (added, removed) => this.bansChanged(added, removed),
  });
  readonly newcomers = new NewcomerTurns(this.clock, (network) => this.signInGuard.knows(network, this.clock.now()));
  /** Commands have changed bans in the store. */
  protected abstract bansChanged(added: readonly Ban[], removed: readonly Ban[]): void;

  protected readonly failedSignIns = new FailedSignIns({
    ...{ clock: this.clock, guard: this.signInGuard, bans: this.bans },
  });
}
