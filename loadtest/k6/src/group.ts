import execution from 'k6/execution';
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'k6/timers';
import { type ClientEvents, MqttClient, type SessionState } from './client.ts';
import { Clock } from './clock.ts';
import type { CounterName, TrendName } from './metric-table.ts';
import type { Metrics } from './metrics.ts';
import type { Settings } from './settings.ts';

/** Interval of looks at something that nobody tells of. */
const lookMilliseconds = 10;
/**
 * Time that sessions outlive their connection: longer than any run is away from one, short enough to be gone when a run
 * was killed.
 */
const sessionExpirySeconds = 3600;

/** Role of a client of a group. */
export interface ClientRole {
  /** Unique in the group; part of the client identifier. */
  readonly name: string;
  /** Number of its broker, counted on past their number. */
  readonly broker: number;
  /** The session outlives the connection. False unless said. */
  readonly isDurable?: boolean;
  /** The session of before goes on. False unless said. */
  readonly isResumed?: boolean;
  readonly session?: SessionState;
  /** Handler of messages. Unless said, there should be none. */
  readonly message?: ClientEvents['message'];
}

/**
 * The clients of one VU: they have topics of their own and one JavaScript engine, so that what was sent and what came can be compared
 * exactly.
 */
export class Group {
  readonly settings: Settings;
  readonly clock = new Clock();
  /** The first levels of all topics of this group. */
  readonly prefix: string;
  readonly #metrics: Metrics;
  /** Groups begin at different brokers. */
  readonly #firstBroker: number;
  readonly #clients = new Set<MqttClient>();
  readonly #timers = new Set<number>();
  readonly #intervals = new Set<number>();

  constructor(settings: Settings, metrics: Metrics) {
    this.settings = settings;
    this.#metrics = metrics;
    this.#firstBroker = execution.vu.idInTest - 1;
    const id = Math.floor(Math.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
    this.prefix = `${settings.topicPrefix}/${id}`;
    metrics.addZeros();
  }

  /** Adds to a metric. */
  add(name: CounterName | TrendName, value: number): void {
    this.#metrics.add(name, value, this.clock);
  }

  /** Connects one client. @throws MqttError, counted as a failed connection */
  async connect(role: ClientRole): Promise<MqttClient> {
    const { settings } = this;
    const urls = settings.brokerUrls;
    const begun = this.clock.now();
    try {
      const client = await MqttClient.connect(
        {
          url: urls[(this.#firstBroker + role.broker) % urls.length],
          clientId: `${this.prefix.replaceAll('/', '-')}-${role.name}`,
          version: settings.version,
          // MQTT 3.1.1 ends a session that began clean with its connection; client identifiers are new in each run anyway.
          cleanStart: settings.version === 4 ? role.isDurable !== true : role.isResumed !== true,
          sessionExpirySeconds: role.isDurable === true ? sessionExpirySeconds : 0,
          keepAliveSeconds: settings.keepAliveSeconds,
          username: settings.username,
          password: settings.password,
          inflight: settings.inflight,
          timeoutSeconds: settings.timeoutSeconds,
        },
        this.#eventsOf(role),
        this.clock,
        role.session,
      );
      this.add('mqtt_connect_time', this.clock.now() - begun);
      this.add('mqtt_connections_opened', 1);
      this.#clients.add(client);
      return client;
    } catch (error) {
      this.add('mqtt_connections_failed', 1);
      throw error;
    }
  }

  /** Connects many, begun at CONNECT_RATE. @throws MqttError of the first that fails, when all have been tried */
  async connectAll(roles: readonly ClientRole[]): Promise<MqttClient[]> {
    const begun = this.clock.now();
    const attempts: Promise<MqttClient>[] = [];
    while (attempts.length < roles.length) {
      const due = Math.min(roles.length, 1 + ((this.clock.now() - begun) * this.settings.connectRate) / 1000);
      while (attempts.length < due) {
        const attempt = this.connect(roles[attempts.length]);
        attempt.catch(() => {}); // k6 ends a group over a rejection that nobody waits for yet; `settledAll` throws it below.
        attempts.push(attempt);
      }
      await this.sleep(lookMilliseconds);
    }
    return settledAll(attempts);
  }

  /** Ends a client for good. */
  async end(client: MqttClient): Promise<void> {
    await client.end();
    this.#clients.delete(client);
  }

  /** Drops the connection of a client. */
  async drop(client: MqttClient): Promise<void> {
    await client.drop();
    this.#clients.delete(client);
  }

  /** Takes the sessions of durable clients away from the broker. */
  async forget(roles: readonly ClientRole[]): Promise<void> {
    const clients = await this.connectAll(roles.map(({ name, broker }) => ({ name, broker })));
    await Promise.all(clients.map((client) => this.end(client)));
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, milliseconds);
      this.#timers.add(timer);
    });
  }

  /** Waits until it is so, at most TIMEOUT_SECONDS. False when it was not so by then. */
  async until(isSo: () => boolean): Promise<boolean> {
    const end = this.clock.now() + this.settings.timeoutSeconds * 1000;
    while (!isSo()) {
      if (this.clock.now() > end) return false;
      await this.sleep(lookMilliseconds);
    }
    return true;
  }

  /** Calls `work` every few milliseconds for so long. */
  async repeat(durationSeconds: number, work: (now: number) => void): Promise<void> {
    const interval = setInterval(() => work(this.clock.now()), lookMilliseconds);
    this.#intervals.add(interval);
    await this.sleep(durationSeconds * 1000);
    clearInterval(interval);
    this.#intervals.delete(interval);
  }

  /** Ends every client, whatever happened: a VU goes on for as long as one of its sockets is open. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const interval of this.#intervals) clearInterval(interval);
    await Promise.all([...this.#clients].map((client) => client.end()));
  }

  #eventsOf(role: ClientRole): ClientEvents {
    const stray = () => this.add('mqtt_messages_stray', 1);
    return {
      message: role.message ?? stray,
      acknowledged: (milliseconds) => this.add('mqtt_acknowledge_time', milliseconds),
      refused: () => this.add('mqtt_messages_refused', 1),
      lost: (why) => {
        this.add('mqtt_connections_lost', 1);
        console.error(why);
      },
    };
  }
}

/** Waits as Promise.all does, but for all of them also when one fails. */
export async function settledAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
