import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  AppendOrigin,
  AppendRequest,
  AppendResult,
  DurableFilter,
  LogLimits,
  LogPage,
  LogStore,
} from '@dunlin/broker';
import { LogSizes } from '@dunlin/broker/ports';
import { closed } from './closed.ts';
import type { TrimStep } from './logs.ts';
import type { Opened } from './opened.ts';
import type { StoreHandle } from './store-handle.ts';

/** Transactions of logs; listing and trimming take several. */
export class LogTransactions implements LogStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async durableFilters(): Promise<DurableFilter[]> {
    const store = this.handle.use();
    const filters: DurableFilter[] = [];
    for (let from: Buffer | undefined; ; await nextTurn()) {
      const page = await store.read(() => store.logs.durableFilters(from));
      filters.push(...page.filters);
      if (page.next === null) return filters;
      from = page.next;
    }
  }

  async ends(filters: readonly string[]): Promise<number[]> {
    const store = this.handle.use();
    return store.read(() => filters.map((filter) => store.logs.head(filter)?.lastSequence ?? 0));
  }

  async bytes(): Promise<number> {
    const store = this.handle.use();
    return store.read(() => store.logs.bytes);
  }

  append(requests: AppendRequest[], _now: number, origin?: AppendOrigin): Promise<AppendResult[]> {
    const store = this.handle.opened;
    if (store === null) return Promise.reject(closed());
    if (origin === undefined) return store.write(null, () => store.append(requests, null), true);
    return store.appendOnce(requests, origin);
  }

  async read(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    const store = this.handle.use();
    return store.read(() => store.logs.readLog(filter, from, messagesMax, bytesMax, now));
  }

  async trim(limits: LogLimits, now: number): Promise<number> {
    const store = this.handle.use();
    const dropped = await this.trimEach(store, limits, now);
    const { totalBytesMax = Number.POSITIVE_INFINITY } = limits;
    if ((await store.read(() => store.logs.bytes)) <= totalBytesMax) return dropped;
    const sizes = new LogSizes();
    for (let from: Buffer | null | undefined; from !== null; await nextTurn()) {
      const page: Buffer | undefined = from;
      from = await store.read(() => store.logs.addSizes(page, sizes));
    }
    return dropped + (await this.trimEach(store, { ...limits, bytesMax: sizes.levelFor(totalBytesMax) }, now));
  }

  private async trimEach(store: Opened, limits: LogLimits, now: number): Promise<number> {
    let dropped = 0;
    let bytes = 0;
    let steps = 0;
    let after: Buffer | null = null;
    do {
      const from: Buffer | null = after;
      const step: TrimStep = await store.write(null, () => store.logs.trimStep(from, limits, now));
      dropped += step.dropped;
      bytes += step.bytes;
      after = step.after;
      steps++;
    } while (after !== null);
    if (steps > 1) await store.write(null, () => store.logs.correctBytes(bytes, false));
    return dropped;
  }
}
