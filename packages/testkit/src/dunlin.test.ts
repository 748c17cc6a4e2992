import { expect, test } from 'vitest';
import { dunlinArguments } from './dunlin.ts';

test('options become flags', () => {
  expect(dunlinArguments({}, 1883)).toEqual(['start', '--listener', 'tcp://127.0.0.1:1883']);
  expect(
    dunlinArguments(
      {
        listeners: ['unix:/tmp/dunlin'],
        store: 'lmdb',
        dataDirectory: '/tmp/data',
        workers: 2,
        configurationFile: 'dunlin.yaml',
        set: { 'limits.receiveMaximum': 10 },
        logLevel: 'debug',
      },
      1884,
    ),
  ).toEqual([
    ...['start', '--listener', 'tcp://127.0.0.1:1884', '--listener', 'unix:/tmp/dunlin', '--store', 'lmdb'],
    ...['--data', '/tmp/data', '--workers', '2', '--config', 'dunlin.yaml', '--set', 'limits.receiveMaximum=10'],
    ...['--log-level', 'debug'],
  ]);
});
