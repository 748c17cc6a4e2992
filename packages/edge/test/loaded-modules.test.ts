import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Packages from npm that a process has loaded after running a script. */
function loaded(script: string): string[] {
  const report = `;const { createRequire } = await import('node:module');
    const found = Object.keys(createRequire('/').cache).map((path) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(path)?.[1]);
    console.log(JSON.stringify([...new Set(found)]));`;
  const words = ['--conditions=source', '--input-type=module', '-e', script + report];
  return JSON.parse(execFileSync(process.execPath, words, { cwd: import.meta.dirname, encoding: 'utf8' }));
}

test('a node that is not scraped and does not trace has loaded nothing for either', () => {
  const names = loaded(`await import('@dunlin/edge')`);
  expect(names).toContain('pino');
  expect(names.filter((name) => /opentelemetry|prom-client/.test(name))).toEqual([]);
});

test('a worker has loaded nothing that reads configuration: each of them would take its time when it starts', () => {
  const names = loaded(`await import('../src/workers/worker.ts')`);
  expect(names).toContain('ws');
  expect(names).not.toContain('yaml');
  expect(loaded(`await import('@dunlin/config')`)).toContain('yaml');
});

/** Files of one of our packages that a process has loaded after importing a module. */
function loadedOf(name: string, module: string): string[] {
  const script = `const { registerHooks } = await import('node:module');
    const urls = [];
    registerHooks({ load: (url, context, nextLoad) => (urls.push(url), nextLoad(url, context)) });
    await import('${module}');
    console.log(JSON.stringify(urls.filter((url) => url.includes('/${name}/src/')).map((url) => url.replace(/.*\\/src\\//, ''))));`;
  const words = ['--conditions=source', '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, words, { cwd: import.meta.dirname, encoding: 'utf8' }));
}

const loadedOfBroker = (module: string): string[] => loadedOf('broker', module);

test('the administration API is loaded by its first request, in the supervisor alone', () => {
  const ofApi = (module: string) => loadedOf('edge', module).filter((file) => file.startsWith('api/'));
  expect(ofApi('@dunlin/edge')).toEqual([]);
  expect(ofApi('../src/workers/worker.ts')).toEqual([]);
  expect(ofApi('../src/api/api.ts')).toContain('api/all-endpoints.ts');
});

test('the page is read by the first request to it', () => {
  expect(loadedOf('edge', '@dunlin/edge')).not.toContain('admin/page.ts');
  expect(loadedOf('edge', '../src/admin/page.ts')).toContain('admin/page.ts');
});

test('the supervisor loads nothing of the broker but ports and guards, the store thread its memory store', () => {
  const beyond = (rooms: RegExp, module: string) => loadedOfBroker(module).filter((file) => !rooms.test(file));
  expect(beyond(/^(ports|guards)\//, '@dunlin/edge')).toEqual([]);
  expect(beyond(/^(ports|memory)\//, '../src/store/store-entry.ts')).toEqual([]);
  expect(loadedOfBroker('../src/workers/worker.ts')).toContain('broker.ts');
});

test('what is looked for would be found', () => {
  const names = loaded(`const { startTracing, tracingSettings } = await import('@dunlin/telemetry');
    const keys = { endpoint: 'http://127.0.0.1:1', sampledPerMillion: 0, spansPerSecondMax: 1, writeContext: false };
    const thread = { nodeId: 'a', endpoint: 'a/0#1', version: '0', logger: console, metrics: {} };
    await (await startTracing(tracingSettings(keys, {}, () => undefined), thread)).stop()`);
  expect(names).toContain('@opentelemetry/sdk-trace');
});
