import { relative, sep } from 'node:path';
import { rolldown } from 'rolldown';
import { repositoryRoot } from '../repository-root.ts';

/** Packages with a native part, which is found by its place in node_modules: they are installed beside the bundle. */
export const unbundled = ['lmdb'] as const;

/** Files that are run by name, the threads among them. The source names a thread's file `./NAME`, so all of them lie in one folder. */
const entries = {
  main: 'packages/cli/src/main.ts',
  'worker-entry': 'packages/edge/src/workers/worker-entry.ts',
  'store-entry': 'packages/edge/src/store/store-entry.ts',
};

/** The folder of a module within its package: `node_modules/@nats-io/nats-core/` as `nats-core`, `packages/auth/` as `auth`. */
function packageOf(module: string): string {
  const outside = /.*node_modules\/(?:@[^/]+\/)?([^/]+)/.exec(module)?.[1];
  return outside ?? /packages\/([^/]+)/.exec(module)?.[1] ?? 'chunk';
}

/**
 * Writes the command and its threads as JavaScript into a folder, without what only tests use. What is loaded on demand (Redis, NATS, tracing) stays in files of
 * its own. Names stay readable, so that a stack trace does.
 * @returns the names of the packages from outside that are in it, in order
 */
export async function writeBundle(directory: string): Promise<string[]> {
  const build = await rolldown({
    cwd: repositoryRoot,
    input: entries,
    platform: 'node',
    external: unbundled.map((name) => new RegExp(`^${name}(/|$)`)),
    // Our own packages from their sources; those from outside as Node resolves them.
    resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
    onLog: (level, log) => {
      // What the bundler is in doubt about would be found by users.
      if (level === 'warn') throw new Error(`bundle: ${log.message}`);
    },
  });
  const { output } = await build.write({
    dir: directory,
    format: 'esm',
    minify: false,
    entryFileNames: '[name].js',
    chunkFileNames: ({ moduleIds }) => `${packageOf(moduleIds.at(-1) ?? '')}-[hash].js`,
  });
  await build.close();
  const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
  const inside = modules
    .map((module) => relative(repositoryRoot, module).split(sep).join('/'))
    .map((module) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(module)?.[1])
    .filter((name) => name !== undefined);
  return [...new Set(inside)].sort();
}
