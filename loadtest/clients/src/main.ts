/** The command line: `npm run clients -- [options]`. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { tellFailure, UsageError } from '@dunlin/testkit';
import { type Driver, drivers, languages, versionOf, whyMissing } from './drivers.ts';
import { hasFailed, resultTable } from './results.ts';
import { oneNode, threeNodes } from './stage.ts';
import { playStory } from './story.ts';

const usage = `npm run clients -- [options]

  --only NAME     a driver, or a language, or several with commas between
  --nodes N       1: one node on LMDB; 3: three nodes on NATS and Redis (1, then 3)
  --list          the drivers, their libraries and versions, and which can be run here; plays nothing
  --install       first installs what is missing of the drivers that were chosen (Debian; some minutes)
  --help

Drives client libraries of several languages through one story and shows how each step went:

  retained        a kept message comes on subscribing, marked as such; live ones are not marked
  qos0 qos1 qos2  messages both ways, in order, once, at the QoS that was asked for
  will            left by a client that dies, as it was given; not by one that says goodbye
  takeover        a second connection under the same identifier ends the first
  ws              over WebSocket
  puback pubrec   the connection is lost at this acknowledgement of what the client sends: at QoS 2 it arrives once
  pubcomp
  pubrel          the connection is lost at this packet of what the client receives: the program gets it once
  durable         a kept session over two kills of the node (kill -9), with what was published meanwhile

  ok              as promised
  -               the library has nothing for it
  known           it does otherwise for a reason of its own, which stands below the table
  FAILED          it went wrong

Exit code 1: something failed. A library whose programs are not installed is skipped, with the reason.
`;

const options = {
  only: { type: 'string' },
  nodes: { type: 'string' },
  list: { type: 'boolean', default: false },
  install: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const installer = join(dirname(dirname(dirname(import.meta.dirname))), '.ci', 'install-client-libraries');

function chosenDrivers(only: string | undefined): readonly Driver[] {
  if (only === undefined) return drivers;
  return only.split(',').flatMap((name) => {
    const found = drivers.filter((driver) => driver.name === name || driver.language === name);
    if (found.length > 0) return found;
    const names = drivers.map((driver) => driver.name).join(', ');
    throw new UsageError(`--only must be one of ${names}, or a language (${languages.join(', ')}), not '${name}'`);
  });
}

function readOptions() {
  const { values } = parseArgs({ options });
  if (values.nodes !== undefined && values.nodes !== '1' && values.nodes !== '3')
    throw new UsageError(`--nodes must be 1 or 3, not '${values.nodes}'`);
  const stages = values.nodes === undefined ? ['1', '3'] : [values.nodes];
  return { ...values, stages, drivers: chosenDrivers(values.only) };
}

function list(chosen: readonly Driver[]): string {
  const lines = chosen.map((driver) => {
    const where = `${driver.library} ${versionOf(driver)}`;
    return `${driver.name.padEnd(14)} ${driver.language.padEnd(11)} ${where.padEnd(50)} ${whyMissing(driver) ?? 'ready'}`;
  });
  return `${lines.join('\n')}\n`;
}

async function run(): Promise<number> {
  const { help, list: isList, install, drivers: chosen, stages } = readOptions();
  if (help || isList) {
    process.stdout.write(help ? usage : list(chosen));
    return 0;
  }
  if (install) {
    const wanted = [...new Set(chosen.map(({ language }) => language))];
    if (spawnSync(installer, wanted, { stdio: ['ignore', 2, 2] }).status !== 0) return 1;
  }
  let failed = false;
  for (const nodes of stages) {
    const stage = nodes === '1' ? await oneNode() : await threeNodes();
    const startedAt = performance.now();
    try {
      const onStep = (name: string, step: string, { kind }: { kind: string }) => {
        if (process.stderr.isTTY || kind === 'failed') process.stderr.write(`${name} ${step}: ${kind}\n`);
      };
      const rows = await playStory({ drivers: chosen, stage, onStep });
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      const where = nodes === '1' ? 'one node, LMDB' : 'three nodes, NATS and Redis';
      process.stdout.write(`${where}: ${rows.length} clients in ${seconds} s\n\n${resultTable(rows)}\n\n`);
      failed ||= hasFailed(rows);
    } finally {
      await stage.stop();
    }
  }
  return failed ? 1 : 0;
}

// Ends by way of 'exit', where drivers and nodes are ended too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

run().then(
  (code) => process.exit(code),
  (error: unknown) => process.exit(tellFailure(error, usage)),
);
