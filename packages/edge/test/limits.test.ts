import { defaultLimits, queuePolicies, sharedStrategies } from '@dunlin/broker';
import { keysByPath, loadConfiguration } from '@dunlin/config';
import { expect, test } from 'vitest';
import { subscriptionBytesMax } from '../src/node-limits.ts';

test('the configuration knows every limit of the broker, under the same name and with the same default, and no other', () => {
  expect(loadConfiguration({ environment: {} }).configuration.limits).toEqual(defaultLimits);
});

test('choices are the same in both', () => {
  expect(keysByPath.get('limits.queuePolicy')?.allowed.split(', ')).toEqual([...queuePolicies]);
  expect(keysByPath.get('limits.sharedStrategy')?.allowed.split(', ')).toEqual([...sharedStrategies]);
});

test('subscriptions have half of the memory, divided by the workers, unless limits.subscriptionBytesNodeMax says otherwise', () => {
  const bytesOf = (more: Record<string, string>): number => {
    const environment = { DUNLIN_LIMITS_MEMORY_BYTES_MAX: '1073741824', DUNLIN_WORKERS: '2', ...more };
    return subscriptionBytesMax(loadConfiguration({ environment }).configuration);
  };
  expect(bytesOf({})).toBe(268_435_456);
  expect(bytesOf({ DUNLIN_LIMITS_SUBSCRIPTION_BYTES_NODE_MAX: '5000000' })).toBe(5_000_000);
});
