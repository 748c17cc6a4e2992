import { mosquittoPub } from '@dunlin/testkit';
import { ClientProcess, type LineReader, ownLines } from './client-process.ts';
import type { RealClient, RealSubscriber, ShownMessage, Subscribing } from './real-client.ts';
import { systemProgram } from './test-programs.ts';

const isSubscribed = (line: string) => line.includes('received SUBACK');

/**
 * Output of `-v`: the topic, a space, the payload. Topics of ours have no spaces, what `-d` tells begins with `Client`.
 */
const verboseLines: LineReader = {
  isReady: isSubscribed,
  message: (line) => {
    const found = /^(?!Client |Subscribed )(\S+) (.*)$/.exec(line);
    return found === null ? null : { topic: found[1], payload: found[2], qos: 0, retain: false };
  },
};

/** `mosquitto_pub` and `mosquitto_sub`. */
export class MosquittoClient implements RealClient {
  readonly name: string;
  readonly #version: 'mqttv31' | 'mqttv311' | 'mqttv5';

  constructor(version: 'mqttv31' | 'mqttv311' | 'mqttv5') {
    this.name = `Mosquitto's clients, ${version}`;
    this.#version = version;
  }

  async publish(url: string, message: ShownMessage): Promise<void> {
    systemProgram('mosquitto_pub');
    const { topic, payload, qos, retain } = message;
    const what = payload === '' ? ['-n'] : ['-m', payload];
    const args = ['-V', this.#version, '-t', topic, '-q', String(qos), ...(retain ? ['-r'] : []), ...what];
    const result = await mosquittoPub(url, args);
    if (result.exitCode !== 0) throw new TypeError(`mosquitto_pub ended with ${result.exitCode}: ${result.stderr}`);
  }

  async subscribe(url: string, { filter, qos, clientId, isDurable }: Subscribing): Promise<RealSubscriber> {
    const expiry = this.#version === 'mqttv5' ? ['-x', '3600'] : [];
    const session = isDurable === true ? ['-c', ...expiry] : [];
    return this.#subscriber(url, ['-i', clientId, '-t', filter, '-q', String(qos), ...session]);
  }

  async dieLeavingWill(url: string, { topic, payload, qos, retain }: ShownMessage): Promise<void> {
    const will = ['--will-topic', topic, '--will-payload', payload, '--will-qos', String(qos)];
    const client = await this.#start(url, ['-t', 'nothing', ...will, ...(retain ? ['--will-retain'] : [])]);
    await client.kill();
  }

  /** `mosquitto_sub -t '#' -v`: messages without their QoS. */
  watchEverything(url: string): Promise<RealSubscriber> {
    return this.#subscriber(url, ['-t', '#', '-v', '-q', '2'], verboseLines);
  }

  /**
   * Starts a subscriber, which leaves by SIGKILL: at SIGTERM its signal handler calls the library that it may just have
   * interrupted, and waits for a lock of its own for ever. Without a will and with its session there is no difference
   * to the broker.
   */
  async #subscriber(url: string, args: readonly string[], lines?: LineReader): Promise<RealSubscriber> {
    const client = await this.#start(url, args, lines);
    return { next: () => client.next(), leave: () => client.kill() };
  }

  #start(url: string, args: readonly string[], lines?: LineReader): Promise<ClientProcess> {
    const { hostname, port } = new URL(url);
    // `-d` tells of SUBACK; without `stdbuf` the C library would keep that to itself.
    const before = ['-oL', systemProgram('mosquitto_sub'), '-h', hostname, '-p', port, '-V', this.#version, '-d'];
    if (lines !== undefined) return ClientProcess.start('stdbuf', [...before, ...args], lines);
    const format = ['-F', 'message\\t%t\\t%q\\t%r\\t%p'];
    return ClientProcess.start('stdbuf', [...before, ...format, ...args], { ...ownLines, isReady: isSubscribed });
  }
}
