import type { MessagePort } from 'node:worker_threads';
import type { Broker } from '@dunlin/broker';
import type { StoreParts } from '@dunlin/broker/ports';
import { reasonsIn } from '../node-status.ts';
import { WorkerFigureBook } from './worker-figures.ts';
import type { WorkerCommand, WorkerHealth, WorkerReport, WorkerSetup } from './worker-message.ts';

/** Questions of operators that the supervisor has a worker put, and those to the worker itself. */
export class WorkerQueries {
  readonly #broker: Broker;
  readonly #figures: WorkerFigureBook;

  constructor(
    broker: Broker,
    { version, readiness }: WorkerSetup,
    health: WorkerHealth,
    report: (report: WorkerReport) => void,
  ) {
    this.#broker = broker;
    this.#figures = new WorkerFigureBook(broker, {
      version,
      notReady: () => reasonsIn(readiness),
      hasStore: () => health.store,
      hasBackplane: () => health.backplane,
    });
    broker.queries.add('node', async () => this.#figures.record());
    // One that replaces a dead worker takes over what its node was told.
    broker.isCordoned = reasonsIn(readiness).includes('cordoned');
    broker.queries.add('cordon', async ({ isCordoned }) => {
      broker.isCordoned = isCordoned;
      if (!isCordoned) broker.endSendingAway();
      report({ kind: 'cordoned', isCordoned });
    });
    broker.queries.add('send-away', async ({ share, spreadMilliseconds, serverReference }) =>
      broker.sendAway(share, { spreadMilliseconds, serverReference }),
    );
  }

  /** Called each second. */
  sample(): void {
    this.#figures.sample();
  }

  /** Puts a question; resolves to the report about the answers. */
  async put({ id, asked, body, milliseconds }: Extract<WorkerCommand, { kind: 'query' }>): Promise<WorkerReport> {
    return { kind: 'answers', id, answers: await this.#broker.query(asked, body, milliseconds) };
  }

  /** Answers calls of the supervisor to a store that this worker alone has. */
  async serveStore(store: StoreParts, port: MessagePort): Promise<void> {
    const { StoreServer } = await import('../store/store-server.ts');
    new StoreServer(store, port);
  }
}
