/** Paths of the parts of the checkout that the benchmark needs. */
import { join } from 'node:path';

export const BENCH_DIRECTORY = join(import.meta.dirname, '..');
export const CHECKOUT = join(BENCH_DIRECTORY, '..', '..');
export const CACHE_DIRECTORY = join(CHECKOUT, '.cache', 'bench');
export const DUNLIN = join(CHECKOUT, 'packages', 'cli', 'bin', 'dunlin.js');
