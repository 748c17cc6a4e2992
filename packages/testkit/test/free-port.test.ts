import { expect, test } from 'vitest';
import { freePort } from '../src/free-port.ts';

test('a hundred ports are a hundred ports', async () => {
  const ports = await Promise.all(Array.from({ length: 100 }, () => freePort()));
  expect(new Set(ports).size).toBe(100);
});
