import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Attack } from './attack.ts';
import type { BrokerName } from './broker-name.ts';
import { Bystanders } from './bystanders.ts';
import { isBack } from './ceilings.ts';
import { MemoryWatch } from './memory.ts';
import { Newcomers } from './newcomers.ts';
import type { PhaseFigures, RowResult } from './row-result.ts';
import { Tally } from './tally.ts';
import type { Target, Targets } from './target.ts';

/** Attackers run at this priority: they stand for machines elsewhere, and are not to take the processor from the broker. */
const attackerPriority = 10;
/** Time that an attack may be over before its process is ended. */
const graceMilliseconds = 15_000;
/** Messages that have not come by then are lost. */
const lostMilliseconds = 5000;
const healthEveryMilliseconds = 1000;
/** Seconds for which the quiet node is watched before the attack. */
const quietSeconds = 3;

/** Runs one row: a new broker, healthy clients, a quiet time, the attack, and the time until the broker is as it was, at most `afterSeconds`. */
export async function runRow(
  attack: Attack,
  broker: BrokerName,
  targets: Targets,
  afterSeconds: number,
): Promise<RowResult> {
  const target = await targets.start(broker, attack);
  const memory = new MemoryWatch(target.pid);
  const newcomers = new Newcomers(target.address);
  let bystanders: Bystanders | undefined;
  let ended: string | null = null;
  void target.exited.then((how) => {
    ended = String(how);
  });
  try {
    bystanders = await Bystanders.join(target.address, attack.pairs);
    bystanders.begin('quiet');
    await pause(quietSeconds * 1000);
    const before = memory.look();
    memory.peak = 0;
    const quiet = bystanders.figures('quiet');
    const health = watchHealth(target);
    bystanders.begin('during');
    newcomers.begin();
    const answers = await runAttackers(attack, target);
    const during = bystanders.figures('during');
    const leaving = newcomers.end();
    const end = await watchEnd(bystanders, memory, { before, quiet, afterSeconds });
    const came = await leaving;
    bystanders.stopSending();
    await bystanders.settle(lostMilliseconds);
    return {
      ...{ attack: attack.name, broker },
      memory: { before, peak: memory.peak, after: end.memory },
      ...{ quiet, during, after: end.after, backSeconds: end.backSeconds, afterSeconds },
      lost: bystanders.losses(),
      newcomers: came,
      unhealthy: health.end(),
      workersReplaced: await target.workersReplaced(),
      ended,
      answers: answers.toString(),
    };
  } finally {
    memory.stop();
    bystanders?.leave();
    await newcomers.end();
    await target.stop();
  }
}

/** Looks every second whether the broker is as it was before the attack; ends when it is, or when the time is over. */
async function watchEnd(
  bystanders: Bystanders,
  memory: MemoryWatch,
  { before, quiet, afterSeconds }: { before: number; quiet: PhaseFigures; afterSeconds: number },
): Promise<{ memory: number; after: PhaseFigures; backSeconds: number | null }> {
  const startedAt = performance.now();
  for (let second = 1; ; second++) {
    bystanders.begin('after');
    await pause(Math.max(0, startedAt + second * 1000 - performance.now()));
    const now = memory.look();
    const after = bystanders.figures('after');
    if (isBack({ before, after: now }, quiet, after)) return { memory: now, after, backSeconds: second };
    if (second >= afterSeconds) return { memory: now, after, backSeconds: null };
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
