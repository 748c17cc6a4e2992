import { setTimeout as delay } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Broker, Store } from '@dunlin/broker';
import type { ListenerAddress } from '@dunlin/config';
import type { NodeLogger } from '@dunlin/telemetry';
import { MessagePortBackplane } from '../backplane/message-port-backplane.ts';
import { composeBroker, composeLogger, composeStore } from '../compose.ts';
import { SocketListener } from '../listeners/socket-listener.ts';
import type { StopPhase, WorkerCommand, WorkerReport, WorkerSetup } from './worker-message.ts';

/** Clients that were disconnected get this long to read why and to close; a socket closed under their hands may cost them the DISCONNECT. */
const clientsCloseMilliseconds = 1000;

/**
 * The life of a worker thread: prepare (store, broker, backplane), listen when told, serve, stop when told. What it is not prepared for it does
 * not catch: an error nobody expected ends the thread, and the supervisor starts another.
 */
export async function runWorker(setup: WorkerSetup, supervisor: MessagePort): Promise<void> {
  const logger = composeLogger(setup.configuration, setup.index);
  const store = await composeStore(setup.configuration, setup.storePort);
  const isAlone = setup.configuration.workers === 1;
  const backplane = isAlone ? null : new MessagePortBackplane(setup.endpoint, setup.peers);
  const broker = composeBroker({
    configuration: setup.configuration,
    version: setup.version,
    store,
    backplane,
    logger,
  });
  const worker = new ServingWorker(setup, supervisor, { broker, store, backplane, logger });
  supervisor.on('message', (command: WorkerCommand) => worker.obey(command));
  try {
    await store.open();
    await broker.start();
    worker.report({ kind: 'prepared' });
  } catch (error) {
    logger.error('the worker cannot start', { error });
    worker.report({ kind: 'failed', message: (error as Error).message });
  }
}

interface Parts {
  broker: Broker;
  store: Store;
  backplane: MessagePortBackplane | null;
  logger: NodeLogger;
}

class ServingWorker {
  readonly #setup: WorkerSetup;
  readonly #supervisor: MessagePort;
  readonly #parts: Parts;
  readonly #listeners: SocketListener[] = [];

  constructor(setup: WorkerSetup, supervisor: MessagePort, parts: Parts) {
    this.#setup = setup;
    this.#supervisor = supervisor;
    this.#parts = parts;
  }

  report(report: WorkerReport): void {
    this.#supervisor.postMessage(report);
  }

  obey(command: WorkerCommand): void {
    switch (command.kind) {
      case 'listen':
        void this.#listen(command.addresses);
        break;
      case 'peer':
        this.#parts.backplane?.join(command.peer);
        break;
      case 'log-level':
        this.#parts.logger.setLevel(command.level);
        break;
      case 'status': {
        const { index, endpoint } = this.#setup;
        const status = { index, endpoint, connections: this.#parts.broker.connectionCount };
        this.report({ kind: 'status', id: command.id, status });
        break;
      }
      case 'stop':
        void this.#stop();
        break;
    }
  }

  /**
   * A TCP port is shared by all workers. A Unix socket is opened by worker 0 alone: the system cannot spread its connections over several
   * sockets, and Node cannot hand an accepted socket to another thread.
   */
  async #listen(addresses: ListenerAddress[]): Promise<void> {
    const { configuration, index } = this.#setup;
    const taken: ListenerAddress[] = [];
    for (const [position, listener] of configuration.listeners.entries()) {
      const address = addresses[position];
      if (address.kind === 'unix' && index > 0) {
        taken.push(address);
        continue;
      }
      const open = new SocketListener(listener, address, this.#parts.broker);
      try {
        taken.push(await open.listen(configuration.workers > 1));
      } catch (error) {
        this.report({ kind: 'failed', message: `cannot listen at ${listener.url}: ${(error as Error).message}` });
        return;
      }
      this.#listeners.push(open);
    }
    this.report({ kind: 'listening', addresses: taken });
  }

  async #stop(): Promise<void> {
    this.#enter('closing listeners');
    const allClosed = Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#enter('disconnecting clients and writing sessions back');
    await this.#parts.broker.stop();
    this.#enter('waiting for clients to close');
    await Promise.race([allClosed, delay(clientsCloseMilliseconds)]);
    this.#enter('closing the store');
    await this.#parts.store.close();
    this.report({ kind: 'stopped' });
  }

  #enter(phase: StopPhase): void {
    this.report({ kind: 'stopping', phase });
  }
}
