import { Actor } from './actor.ts';
import { DriverProcess } from './driver-process.ts';
import { type Driver, versionOf, whyMissing } from './drivers.ts';
import { durableSession } from './durable.ts';
import { knownFault } from './known-faults.ts';
import type { Features, Lack } from './line-protocol.ts';
import { ReferenceClient } from './reference-client.ts';
import type { Outcome, Row } from './results.ts';
import type { Stage } from './stage.ts';
import { type StepName, steps } from './steps.ts';

/** Libraries side by side: drivers mostly wait, and one that starts takes a core. */
const actorsAtOnce = 4;

export interface StoryOptions {
  readonly drivers: readonly Driver[];
  readonly stage: Stage;
  /** Told of every step that is over. */
  readonly onStep?: (name: string, step: StepName, outcome: Outcome) => void;
}

interface Part {
  readonly actor: Actor;
  readonly row: Row;
}

/** Plays the story with every driver that can be run: the steps of each by itself, then the one under which a node is killed for all. */
export async function playStory({ drivers, stage, onStep }: StoryOptions): Promise<Row[]> {
  const reference = await ReferenceClient.connect(stage.reference.tcp);
  const rows: Row[] = [];
  const parts: Part[] = [];
  try {
    for (const driver of drivers) {
      for (const part of await enter(driver, stage, reference)) {
        rows.push(part.row);
        if (part.actor !== null) parts.push({ actor: part.actor, row: part.row });
      }
    }
    const told = ({ actor, row }: Part, step: StepName, outcome: Outcome) => {
      row.outcomes.set(step, outcome);
      onStep?.(actor.name, step, outcome);
    };
    await eachOf(parts, async (part) => {
      for (const { name, needs, play } of steps) told(part, name, await outcomeOf(part.actor, name, needs, play));
    });
    await underKills(parts, stage, reference, told);
  } finally {
    await Promise.all(parts.map(({ actor }) => actor.clear()));
    await reference.end();
  }
  return rows;
}

/** The rows of a driver: one for each version of the protocol; one without an actor when it cannot be run. */
async function enter(driver: Driver, stage: Stage, reference: ReferenceClient) {
  const row = (name: string, skipped?: string): Row => ({
    name,
    library: driver.library,
    version: versionOf(driver),
    skipped,
    outcomes: new Map(),
  });
  const missing = whyMissing(driver);
  if (missing !== null) return [{ row: row(driver.name, missing), actor: null }];
  const [process, features]: [DriverProcess, Features] = await DriverProcess.start(driver.command);
  await process.kill();
  return features.levels.map((level) => {
    const actor = new Actor({ driver, level, features, stage, reference, command: driver.command });
    return { row: row(actor.name), actor };
  });
}

async function outcomeOf(
  actor: Actor,
  name: StepName,
  needs: readonly Lack[],
  play: (actor: Actor) => Promise<void>,
): Promise<Outcome> {
  const { lacks, transports } = actor.features;
  if (needs.some((need) => lacks?.includes(need))) return { kind: 'none' };
  if (name === 'ws' && !transports.includes('ws')) return { kind: 'none' };
  try {
    await play(actor);
    await actor.clear();
    return { kind: 'ok' };
  } catch (error) {
    return wrong(actor, name, error);
  }
}

async function wrong(actor: Actor, step: StepName, error: unknown): Promise<Outcome> {
  const output = await actor.clear();
  const known = knownFault(actor.driver.name, actor.level, step);
  if (known !== null) return { kind: 'known', reason: known };
  const what = error instanceof Error ? error.message : String(error);
  return { kind: 'failed', reason: `${what}\n${output}`.replaceAll('\n', '\n    ') };
}

async function underKills(
  parts: readonly Part[],
  stage: Stage,
  reference: ReferenceClient,
  told: (part: Part, step: StepName, outcome: Outcome) => void,
): Promise<void> {
  const playing = new Map(parts.map((part) => [part, durableSession(part.actor)]));
  for (const part of parts) {
    if (!part.actor.features.lacks?.includes('durable')) continue;
    told(part, 'durable', { kind: 'none' });
    playing.delete(part);
  }
  const all = async (play: (part: ReturnType<typeof durableSession>) => Promise<void>) =>
    eachOf([...playing], async ([part, durable]) => {
      try {
        await play(durable);
      } catch (error) {
        playing.delete(part);
        told(part, 'durable', await wrong(part.actor, 'durable', error));
      }
    });
  await all((durable) => durable.before());
  for (const kill of [1, 2]) {
    await stage.kill();
    await reference.untilConnected();
    await all((durable) => durable.meanwhile(kill));
  }
  await stage.restore();
  await all((durable) => durable.after());
  for (const part of playing.keys()) told(part, 'durable', { kind: 'ok' });
}

/** Works on each of the items, a few at a time. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: actorsAtOnce }, worker));
}
