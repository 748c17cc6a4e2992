import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrokerProcess, freePort, startDunlin, startMosquitto } from '@dunlin/testkit';
import type { TestProject } from 'vitest/node';
import type { BrokerUnderTest } from './broker-under-test.ts';

/**
 * Starts the broker under test once for the whole run: the one at BROKER_URL (and BROKER_WEBSOCKET_URL), else the one
 * named by CONFORMANCE_BROKER, else Dunlin with the store named by CONFORMANCE_STORE (`memory` or `lmdb`). A project of the whole test run says
 * both by the end of its name; one that ends in `websocket` holds every conversation over WebSocket.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env.BROKER_URL;
  if (url !== undefined && url !== '') {
    const webSocketUrl = process.env.BROKER_WEBSOCKET_URL;
    project.provide('brokerUnderTest', { name: 'unknown', url, webSocketUrl });
    return async () => {};
  }
  const name =
    process.env.CONFORMANCE_BROKER === 'mosquitto' || project.name.endsWith('mosquitto') ? 'mosquitto' : 'dunlin';
  const store = process.env.CONFORMANCE_STORE === 'lmdb' || project.name.endsWith('lmdb') ? 'lmdb' : 'memory';
  const dataDirectory = await mkdtemp(join(tmpdir(), 'conformance-'));
  const removeData = () => rm(dataDirectory, { recursive: true, force: true });
  const starting = name === 'mosquitto' ? startMosquitto() : startOurs(store, dataDirectory);
  const broker = await starting.catch(async (cause) => {
    await removeData();
    throw cause;
  });
  let stopping = false;
  broker.exited.then((how) => {
    if (!stopping) console.error(`${name} ended (${how}) while it was under test:\n${broker.output()}`);
  });
  const { webSocketUrl } = broker;
  const brokerUrl = project.name.endsWith('websocket') ? (webSocketUrl as string) : broker.url;
  const underTest: BrokerUnderTest = { name, url: brokerUrl, webSocketUrl };
  project.provide('brokerUnderTest', underTest);
  return async () => {
    stopping = true;
    await broker.stop();
    await removeData();
  };
}

async function startOurs(store: 'memory' | 'lmdb', dataDirectory: string): Promise<BrokerProcess> {
  const webSocketUrl = `ws://127.0.0.1:${await freePort()}/mqtt`;
  return startDunlin({ store, dataDirectory, listeners: [webSocketUrl], webSocketUrl });
}
