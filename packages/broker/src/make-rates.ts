import type { BrokerOptions } from './broker-options.ts';
import { RateQuotas } from './guards/client-rates.ts';
import { RestingClients } from './guards/resting-clients.ts';
import { newSharedRates, SharedRates } from './guards/shared-rates.ts';
import { Fates } from './message/fates.ts';
import type { Clock } from './ports/clock.ts';
import type { Limits } from './ports/limits.ts';
import type { TurnClock } from './work/turn-clock.ts';

/** Rates of clients and users; those of users are counted in memory that the workers of a node share. */
export function makeRates({ clock, metrics, rates }: BrokerOptions, limits: Limits, turn: TurnClock): RateQuotas {
  const shared = new SharedRates(rates ?? newSharedRates());
  return new RateQuotas({ limits, metrics, turn, resting: new RestingClients(clock), shared });
}

/** Fates of the worker's messages, by the wall clock. */
export function makeFates({ limits, clock }: { limits: Limits; clock: Clock }): Fates {
  return new Fates(limits.fatesSampledPercent, () => clock.now());
}
