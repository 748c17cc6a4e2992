import { defineConfig } from 'vitest/config';

// Our packages are used from their sources, without a build; the global set-up runs where no export condition reaches it.
const source = (name: string) => new URL(`../${name}/src/index.ts`, import.meta.url).pathname;
const alias = { '@dunlin/protocol': source('protocol'), '@dunlin/testkit': source('testkit') };

/** The whole suite against one broker: `npm run conformance`. BROKER_URL or CONFORMANCE_BROKER choose another. */
export default defineConfig({
  root: import.meta.dirname,
  resolve: { alias },
  test: {
    include: ['conversations/**/*.test.ts'],
    globalSetup: ['./src/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Most conversations wait for a timer of the broker or for the network, so many run at once.
    maxConcurrency: 20,
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
