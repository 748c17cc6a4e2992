import { expect, test } from 'vitest';
import { workerHeapMebibytes } from '../src/memory-shares.ts';

const gibibyte = 1024 ** 3;

test('the heap of a worker is a share of the memory there is, and no more than V8 allows', () => {
  expect(workerHeapMebibytes(gibibyte / 2, 4 * gibibyte)).toBe(307);
  expect(workerHeapMebibytes(32 * gibibyte, 4 * gibibyte)).toBe(null);
  expect(workerHeapMebibytes(gibibyte / 64, 4 * gibibyte)).toBe(64);
});
