import { defaultLimits, queuePolicies, sharedStrategies } from '@dunlin/broker';
import { keysByPath, loadConfiguration } from '@dunlin/config';
import { expect, test } from 'vitest';

test('the configuration knows every limit of the broker, under the same name and with the same default, and no other', () => {
  expect(loadConfiguration({ environment: {} }).configuration.limits).toEqual(defaultLimits);
});

test('choices are the same in both', () => {
  expect(keysByPath.get('limits.queuePolicy')?.allowed.split(', ')).toEqual([...queuePolicies]);
  expect(keysByPath.get('limits.sharedStrategy')?.allowed.split(', ')).toEqual([...sharedStrategies]);
});
