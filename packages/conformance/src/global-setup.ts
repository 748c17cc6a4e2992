import { startDunlin, startMosquitto } from '@dunlin/testkit';
import type { TestProject } from 'vitest/node';
import type { BrokerUnderTest } from './broker-under-test.ts';

/**
 * Starts the broker under test once for the whole run: the one at BROKER_URL (and BROKER_WEBSOCKET_URL), else the one
 * named by CONFORMANCE_BROKER, else Dunlin.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env.BROKER_URL;
  if (url !== undefined && url !== '') {
    const webSocketUrl = process.env.BROKER_WEBSOCKET_URL;
    project.provide('brokerUnderTest', { name: 'unknown', url, webSocketUrl });
    return async () => {};
  }
  const name = process.env.CONFORMANCE_BROKER === 'mosquitto' ? 'mosquitto' : 'dunlin';
  const broker = name === 'mosquitto' ? await startMosquitto() : await startDunlin({ store: 'memory' });
  const underTest: BrokerUnderTest = { name, url: broker.url, webSocketUrl: broker.webSocketUrl };
  project.provide('brokerUnderTest', underTest);
  return async () => {
    await broker.stop();
  };
}
