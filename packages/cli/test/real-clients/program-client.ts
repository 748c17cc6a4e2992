import { ClientProcess } from './client-process.ts';
import type { RealClient, RealSubscriber, ShownMessage, Subscribing } from './real-client.ts';

/** A program of these tests: it takes MODE PORT-OR-URL VERSION CLIENT DURABLE TOPIC QOS RETAIN PAYLOAD. */
export class ProgramClient implements RealClient {
  readonly name: string;
  readonly #version: 4 | 5;
  readonly #command: () => Promise<readonly string[]>;

  /** `command`: the program and the arguments before its own. */
  constructor(name: string, version: 4 | 5, command: () => Promise<readonly string[]>) {
    this.name = name;
    this.#version = version;
    this.#command = command;
  }

  async publish(url: string, message: ShownMessage): Promise<void> {
    const [program, ...before] = await this.#command();
    await ClientProcess.run(program, [...before, ...this.#words(url, 'publish', 'publisher', false, message)]);
  }

  async subscribe(url: string, { filter, qos, clientId, isDurable }: Subscribing): Promise<RealSubscriber> {
    const [program, ...before] = await this.#command();
    const subscription = { topic: filter, qos, retain: false, payload: '' };
    const words = this.#words(url, 'subscribe', clientId, isDurable === true, subscription);
    return ClientProcess.start(program, [...before, ...words]);
  }

  async dieLeavingWill(url: string, will: ShownMessage): Promise<void> {
    const [program, ...before] = await this.#command();
    const client = await ClientProcess.start(program, [...before, ...this.#words(url, 'will', 'mortal', false, will)]);
    await client.kill();
  }

  #words(url: string, mode: string, clientId: string, isDurable: boolean, message: ShownMessage): string[] {
    const { topic, qos, retain, payload } = message;
    const flags = [isDurable ? '1' : '0', topic, String(qos), retain ? '1' : '0', payload];
    const place = url.startsWith('ws') ? url : new URL(url).port;
    return [mode, place, String(this.#version), clientId, ...flags];
  }
}
