import { mosquittoPub } from '@dunlin/testkit';
import { ClientProcess } from './client-process.ts';
import type { RealClient, RealSubscriber, ShownMessage, Subscribing } from './real-client.ts';
import { systemProgram } from './test-programs.ts';

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
    return this.#start(url, ['-i', clientId, '-t', filter, '-q', String(qos), ...session]);
  }

  async dieLeavingWill(url: string, { topic, payload, qos, retain }: ShownMessage): Promise<void> {
    const will = ['--will-topic', topic, '--will-payload', payload, '--will-qos', String(qos)];
    const client = await this.#start(url, ['-t', 'nothing', ...will, ...(retain ? ['--will-retain'] : [])]);
    await client.kill();
  }

  #start(url: string, args: readonly string[]): Promise<ClientProcess> {
    const { hostname, port } = new URL(url);
    // `-d` tells of SUBACK; without `stdbuf` the C library would keep that to itself.
    const before = ['-oL', systemProgram('mosquitto_sub'), '-h', hostname, '-p', port, '-V', this.#version, '-d'];
    const format = ['-F', 'message\\t%t\\t%q\\t%r\\t%p'];
    const isReady = (line: string) => line.includes('received SUBACK');
    return ClientProcess.start('stdbuf', [...before, ...format, ...args], isReady);
  }
}
