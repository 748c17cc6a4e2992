import type { ClientRates, RatedClient, RateQuotas } from '../guards/client-rates.ts';
import type { OutputBuffer } from '../output/output-buffer.ts';

/** The parts of a connection that its rates hold and release. */
export interface RatedConnection {
  readonly signIn: { readonly userName: string | null };
  readonly reading: { holdForRate(): void; releaseFromRate(): void };
  readonly outlet: { readonly output: OutputBuffer };
  /** Messages may be sent again. */
  drained(): void;
}

/** Rates of a client that is connected now; null: none is configured. */
export function applyRates(connection: RatedConnection, quotas: RateQuotas): ClientRates | null {
  if (!quotas.isOn) return null;
  const { reading, signIn } = connection;
  const { output } = connection.outlet;
  const client: RatedClient = {
    get userName() {
      return signIn.userName;
    },
    holdInput: () => reading.holdForRate(),
    releaseInput: () => reading.releaseFromRate(),
    holdOutput: () => output.holdForRate(),
    releaseOutput: () => {
      if (output.releaseFromRate()) connection.drained();
    },
  };
  const rates = quotas.of(client);
  if (rates.countsOut) output.rates = rates;
  return rates;
}
