import { type DriverCommand, DriverProcess } from './driver-process.ts';
import type { Driver } from './drivers.ts';
import type { Connecting, Features, ProtocolLevel } from './line-protocol.ts';
import type { ReferenceClient } from './reference-client.ts';
import type { Place, Stage } from './stage.ts';

/**
 * Library in one version of the protocol, as it goes through the story. Every step has topics and identifiers of its
 * own.
 */
export class Actor {
  readonly driver: Driver;
  readonly level: ProtocolLevel;
  readonly features: Features;
  readonly stage: Stage;
  readonly reference: ReferenceClient;
  readonly #command: DriverCommand;
  readonly #processes: DriverProcess[] = [];

  constructor(
    parts: Pick<Actor, 'driver' | 'level' | 'features' | 'stage' | 'reference'> & { readonly command: DriverCommand },
  ) {
    this.driver = parts.driver;
    this.level = parts.level;
    this.features = parts.features;
    this.stage = parts.stage;
    this.reference = parts.reference;
    this.#command = parts.command;
  }

  /** `paho-py v5` */
  get name(): string {
    return `${this.driver.name} v${this.level}`;
  }

  topic(...levels: (string | number)[]): string {
    return ['clients', this.driver.name, this.level, ...levels].join('/');
  }

  /** Options with which this library connects at a place, clean and over its first transport unless given otherwise. */
  connecting(place: Place, id: string, further: Partial<Connecting> = {}): Connecting {
    const transport = further.transport ?? this.features.transports[0];
    // MQTT 3.1.1 lets brokers refuse more than 23 letters and digits.
    const clientId = `${this.driver.name}${this.level}${id}`.replaceAll(/\W/g, '').slice(0, 23);
    return { transport, port: place[transport], level: this.level, clientId, isClean: true, ...further };
  }

  /** A driver that is not connected yet. */
  async start(): Promise<DriverProcess> {
    const [process] = await DriverProcess.start(this.#command);
    this.#processes.push(process);
    return process;
  }

  /** Ends what a step has left running. Resolves with what those drivers wrote. */
  async clear(): Promise<string> {
    const processes = this.#processes.splice(0);
    await Promise.all(processes.map((process) => process.kill()));
    return processes.map((process) => process.output()).join('\n--\n');
  }
}
