import type {
  AppendOrigin,
  AppendRequest,
  AppendResult,
  DurableFilter,
  LogLimits,
  LogPage,
  LogStore,
} from '@dunlin/broker';
import type { StoreHandle } from './store-handle.ts';

/** Calls on logs in their order: what each of them touches, and so waits for. */
export class OrderedLogs implements LogStore {
  private readonly handle: StoreHandle;

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async durableFilters(): Promise<DurableFilter[]> {
    const { order, logs } = this.handle.use();
    return order.single(null, () => logs.durableFilters());
  }

  async ends(filters: readonly string[]): Promise<number[]> {
    const { order, logs } = this.handle.use();
    if (order.free) return logs.ends(filters);
    return order.single(
      filters.map((filter) => `l${filter}`),
      () => logs.ends(filters),
    );
  }

  async bytes(): Promise<number> {
    return this.handle.use().logs.bytes();
  }

  async append(requests: AppendRequest[], _now: number, origin?: AppendOrigin): Promise<AppendResult[]> {
    const { order, appends } = this.handle.use();
    if (requests.some((request) => request.producer !== null || request.inbound !== null)) {
      return order.multiple(touchesOf(requests), (sent) => appends.withProducers(requests, origin, sent));
    }
    if (order.free) return appends.plain(requests, origin);
    return order.single(touchesOf(requests), () => appends.plain(requests, origin));
  }

  async read(filter: string, from: number, messagesMax: number, bytesMax: number, now: number): Promise<LogPage> {
    const { order, logs } = this.handle.use();
    return order.single([`l${filter}`], () => logs.read(filter, from, messagesMax, bytesMax, now));
  }

  async trim(limits: LogLimits, now: number): Promise<number> {
    const { order, logs } = this.handle.use();
    return order.multiple(null, (sent) => logs.trim(limits, now, sent));
  }
}

function touchesOf(requests: readonly AppendRequest[]): string[] {
  const touches = new Set<string>();
  for (const { filters, producer, inbound } of requests) {
    for (const filter of filters) touches.add(`l${filter}`);
    if (producer !== null) touches.add(`s${producer.clientId}`);
    if (inbound !== null) touches.add(`s${inbound.key.clientId}`);
  }
  return [...touches];
}
