import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Attack } from './attack.ts';
import { Bystanders, type Losses, type PhaseFigures } from './bystanders.ts';
import { MemoryWatch } from './memory.ts';
import { type NewcomerFigures, Newcomers } from './newcomers.ts';
import { Tally } from './tally.ts';
import type { BrokerName, Target, Targets } from './target.ts';

/** Attackers run at this priority: they stand for machines elsewhere, and are not to take the processor from the broker. */
const attackerPriority = 10;
/** Time that an attack may be over before its process is ended. */
const graceMilliseconds = 15_000;
/** Messages that have not come by then are lost. */
const lostMilliseconds = 5000;
const healthEveryMilliseconds = 1000;

/** Times for which a row watches the quiet node before the attack, and again after it. */
export interface Durations {
  readonly beforeSeconds: number;
  readonly afterSeconds: number;
}

/** Costs of an attack. */
export interface RowResult {
  readonly attack: string;
  readonly title: string;
  readonly broker: BrokerName;
  /** MiB. */
  readonly memory: { readonly before: number; readonly peak: number; readonly after: number };
  readonly quiet: PhaseFigures;
  readonly during: PhaseFigures;
  readonly after: PhaseFigures;
  readonly lost: Losses;
  readonly newcomers: NewcomerFigures;
  /** Seconds in which `/healthz` did not say 200. */
  readonly unhealthy: number;
  readonly workersReplaced: number;
  /** The broker has ended: how. */
  readonly ended: string | null;
  /** Answers to the attacker. */
  readonly answers: string;
}

/** Runs one row: a new broker, healthy clients, a quiet time, the attack, another quiet time. */
export async function runRow(
  attack: Attack,
  broker: BrokerName,
  targets: Targets,
  { beforeSeconds, afterSeconds }: Durations,
): Promise<RowResult> {
  const target = await targets.start(broker, 2);
  const memory = new MemoryWatch(target.pid);
  const bystanders = await Bystanders.join(target.address, attack.pairs);
  const newcomers = new Newcomers(target.address);
  let ended: string | null = null;
  void target.exited.then((how) => {
    ended = String(how);
  });
  try {
    bystanders.begin('quiet');
    await pause(beforeSeconds * 1000);
    const before = memory.look();
    memory.peak = 0;
    const quiet = bystanders.figures('quiet');
    const health = watchHealth(target);
    bystanders.begin('during');
    newcomers.begin();
    const answers = await runAttackers(attack, target);
    const during = bystanders.figures('during');
    bystanders.begin('after');
    const came = await newcomers.end();
    await pause(afterSeconds * 1000);
    const after = bystanders.figures('after');
    bystanders.stopSending();
    const atRest = memory.look();
    await pause(lostMilliseconds);
    return {
      attack: attack.name,
      title: attack.title,
      broker,
      memory: { before, peak: memory.peak, after: atRest },
      ...{ quiet, during, after },
      lost: bystanders.losses(),
      newcomers: came,
      unhealthy: health.end(),
      workersReplaced: await target.workersReplaced(),
      ended,
      answers: answers.toString(),
    };
  } finally {
    memory.stop();
    bystanders.leave();
    await newcomers.end();
    await target.stop();
  }
}

/** Runs the processes of an attack and waits until all are through. Their connections end with them. */
async function runAttackers(attack: Attack, target: Target): Promise<Tally> {
  const answers = new Tally();
  const one = async (index: number) => {
    const child = fork(join(import.meta.dirname, 'attacker.ts'), {
      execArgv: ['--conditions=source', '--max-old-space-size=4096'],
    });
    if (child.pid !== undefined) setPriority(child.pid, attackerPriority);
    child.on('message', (counts) => answers.merge(counts as Record<string, number>));
    child.send({ name: attack.name, address: target.address, index });
    const timer = setTimeout(() => child.kill('SIGKILL'), attack.seconds * 1000 + graceMilliseconds);
    const [code, signal] = await once(child, 'exit');
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the attacker ${attack.name} failed (${code ?? signal})`);
  };
  await Promise.all(Array.from({ length: attack.processes ?? 1 }, (_, index) => one(index)));
  return answers;
}

/** Asks for the node's health once a second. */
function watchHealth(target: Target): { end(): number } {
  let unhealthy = 0;
  const timer = setInterval(async () => {
    if (!(await target.isHealthy())) unhealthy++;
  }, healthEveryMilliseconds);
  return {
    end() {
      clearInterval(timer);
      return unhealthy;
    },
  };
}
