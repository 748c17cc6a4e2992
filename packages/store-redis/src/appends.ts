import type { AppendOrigin, AppendRequest, AppendResult } from '@dunlin/broker';
import type { LogAppend } from './append-call.ts';
import type { Logs } from './logs.ts';
import type { Sessions } from './sessions.ts';

/** Appends: to logs alone, or between two steps in the producer's session. */
export class Appends {
  private readonly logs: Logs;
  private readonly sessions: Sessions;

  constructor(logs: Logs, sessions: Sessions) {
    this.logs = logs;
    this.sessions = sessions;
  }

  async plain(requests: readonly AppendRequest[], origin: AppendOrigin | undefined): Promise<AppendResult[]> {
    const appends: LogAppend[] = [];
    const results: AppendResult[] = [];
    for (const request of requests) {
      const result: AppendResult = new Array(request.filters.length).fill(0);
      results.push(result);
      if (result.length > 0) appends.push({ request, producer: null, refused: false, result });
    }
    if (appends.length > 0) await this.logs.append(appends, origin);
    return results;
  }

  /**
   * Checks the sessions first, then appends to the logs, then records in the sessions. A crash between the last two is
   * repaired by doing it again: the logs know the number of the producer by then.
   */
  async withProducers(
    requests: readonly AppendRequest[],
    origin: AppendOrigin | undefined,
    sent: () => void,
  ): Promise<AppendResult[]> {
    const producers = await Promise.all(
      requests.map(({ producer, inbound }) => {
        if (inbound !== null) return this.sessions.producer(inbound.key.clientId, inbound.key.epoch);
        return producer === null ? null : this.sessions.producer(producer.clientId, null);
      }),
    );
    const appends: LogAppend[] = [];
    const results: AppendResult[] = requests.map((request, index) => {
      const refused = request.inbound !== null && producers[index] === null;
      const result: AppendResult = new Array(request.filters.length).fill(0);
      const producer = request.producer === null ? null : producers[index];
      // A request that is refused now may have been appended at an earlier attempt: it keeps its place in the calls,
      // which must be the same.
      if (result.length > 0) appends.push({ request, producer, refused, result });
      return refused ? [] : result;
    });
    if (appends.length > 0) await this.logs.append(appends, origin);
    const remembered = Promise.all(
      requests.map(({ filters, producer, inbound }, index) => {
        if (inbound === null || producers[index] === null) return true;
        return this.sessions.setInbound(inbound.key, inbound.packetId, producer?.number ?? 0, inbound.digest, filters);
      }),
    );
    sent();
    (await remembered).forEach((done, index) => {
      if (!done) results[index] = [];
    });
    return results;
  }
}
