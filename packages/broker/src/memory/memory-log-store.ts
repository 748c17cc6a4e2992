import type {
  AppendOrigin,
  AppendRequest,
  AppendResult,
  DurableFilter,
  LogLimits,
  LogPage,
  LogStore,
} from '../ports/log-store.ts';
import { LastBatches } from './last-batches.ts';
import type { MemoryClaims } from './memory-claims.ts';
import type { MemoryLogs } from './memory-logs.ts';

/**
 * Logs of the memory store behind their port: an append may be recorded in the session of the publisher, and is done
 * once.
 */
export class MemoryLogStore implements LogStore {
  private readonly claims: MemoryClaims;
  private readonly logs: MemoryLogs;
  private readonly lastBatches = new LastBatches();

  constructor(claims: MemoryClaims, logs: MemoryLogs) {
    this.claims = claims;
    this.logs = logs;
  }

  async durableFilters(): Promise<DurableFilter[]> {
    this.claims.check();
    return this.logs.durableFilters();
  }

  async ends(filters: readonly string[]): Promise<number[]> {
    this.claims.check();
    return filters.map((filter) => this.logs.end(filter));
  }

  async bytes(): Promise<number> {
    this.claims.check();
    return this.logs.bytes;
  }

  async append(requests: AppendRequest[], _now: number, origin?: AppendOrigin): Promise<AppendResult[]> {
    this.claims.check();
    const known = origin === undefined ? null : this.lastBatches.find(origin);
    const results = requests.map((request, index) => this.appendOne(request, known === null ? null : known[index]));
    if (origin !== undefined && known === null) this.lastBatches.remember(origin, results);
    return results;
  }

  async read(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    this.claims.check();
    return this.logs.read(filter, from, messagesMax, bytesMax, now);
  }

  async trim(limits: LogLimits, now: number): Promise<number> {
    this.claims.check();
    return this.logs.trim(limits, now);
  }

  /** `known`: the numbers of an earlier attempt. */
  private appendOne(request: AppendRequest, known: AppendResult | null): AppendResult {
    const { inbound, producer } = request;
    if (inbound === null) return known ?? this.logs.append(request);
    const claim = this.claims.byClient.get(inbound.key.clientId);
    if (!claim?.session || claim.epoch !== inbound.key.epoch) return [];
    const session = claim.session;
    const result = known ?? this.logs.append(request);
    const producerNumber = producer?.number ?? 0;
    session.inbound.set(inbound.packetId, { packetId: inbound.packetId, producerNumber, digest: inbound.digest });
    session.producerNumber = Math.max(session.producerNumber, producerNumber);
    return result;
  }
}
