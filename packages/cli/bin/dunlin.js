#!/usr/bin/env node
// Runs the command on a Node that is new enough. A host with an older one has a newer one all the same after `npm ci`, in the `node`
// package; plain JavaScript that any Node can read, because it is there before the build.
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestMajor = 24;
const here = dirname(realpathSync(fileURLToPath(import.meta.url)));

function findNewerNode() {
  for (let directory = here; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', 'node', 'bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (directory === dirname(directory)) return null;
  }
}

/**
 * Watches npm as src/starter.ts does, for the process in between: when npm is gone the channel is closed, and with it
 * the command ends.
 */
function watchNpm(child) {
  const starter = process.ppid;
  setInterval(() => {
    if (process.ppid !== starter && child.connected) child.disconnect();
  }, 250).unref();
}

function runWith(binary) {
  const child = spawn(binary, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  if (process.env.npm_command !== undefined) watchNpm(child);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    console.error(`dunlin: ${binary} cannot be run: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

async function main() {
  if (Number(process.versions.node.split('.')[0]) < oldestMajor) {
    const newer = findNewerNode();
    if (newer !== null) return runWith(newer);
    console.error(`dunlin: this is Node ${process.versions.node}; Node ${oldestMajor} or newer is needed`);
    process.exit(1);
  }
  // From source when the process was started with --conditions=source, as tests do; otherwise from the build.
  const fromSource = process.execArgv.some((argument) => /^(--conditions|-C)=source$/.test(argument));
  const entry = join(here, '..', fromSource ? 'src/main.ts' : 'dist/main.js');
  if (!existsSync(entry)) {
    console.error('dunlin: not built yet; run npm ci, or npm run build');
    process.exit(1);
  }
  const { main } = await import(entry);
  await main(process.argv.slice(2));
}

await main();
