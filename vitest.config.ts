import { defineConfig } from 'vitest/config';

// Packages are tested from their TypeScript source: no build lies between a change and its test. Threads started by tests take the same
// way, through the `source` condition. `module` is not among them: packages that name files by it mean bundlers, and Node cannot read those.
const conditions = ['source', 'import', 'node', 'default'];

export default defineConfig({
  test: {
    // Two files at once, whatever the machine: many of them start servers and measure time-outs.
    maxWorkers: 2,
    projects: [
      {
        resolve: { conditions },
        ssr: { resolve: { conditions, externalConditions: conditions } },
        test: {
          name: 'packages',
          include: [
            'packages/*/test/**/*.test.ts',
            'loadtest/*/test/**/*.test.ts',
            'examples/**/*.test.ts',
            '*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/dist/**'],
          // Real threads, sockets and child processes: each file in a process of its own, with nothing left over from another.
          pool: 'forks',
          execArgv: ['--conditions=source'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      // The same conversations with three brokers: ours on either store, and Mosquitto as the second opinion; and with ours over WebSocket.
      ...['memory', 'lmdb', 'mosquitto', 'websocket'].map((broker) => ({
        extends: 'packages/conformance/vitest.config.ts',
        root: 'packages/conformance',
        test: { name: `conformance-${broker}` },
      })),
    ],
  },
});
