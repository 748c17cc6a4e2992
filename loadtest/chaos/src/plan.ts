import { SeededRandom } from '@dunlin/testkit';
import { type Fault, type FaultKind, faultTable, type LinkFaultKind, type Move, type MoveKind } from './fault.ts';

/** Options of a plan. The same of these, the same plan. */
export interface PlanOptions {
  readonly seed: number;
  readonly minutes: number;
  /** Identifiers of the nodes. */
  readonly nodes: readonly string[];
  /** Number of clients that can be moved. */
  readonly clients: number;
  /** The mean time between two faults. */
  readonly everyMilliseconds: number;
  /** True for connections that stay open and silent, beside those that are reset. */
  readonly freezes: boolean;
  /** Redis also comes back with an older file. */
  readonly olderStore: boolean;
}

/** Time from the end of a server until it serves again. */
const restartMilliseconds = 3000;
/** Clients moved at once. */
const movesMax = 5;
const moveKinds: readonly MoveKind[] = ['reconnect', 'takeover', 'drop'];

/** The faults of a run, in the order of their times. */
export function makePlan(options: PlanOptions): Fault[] {
  const random = new SeededRandom(options.seed);
  const end = options.minutes * 60_000;
  const busy = new Map<string, number>();
  const plan: Fault[] = [];
  for (;;) {
    const atMilliseconds = (plan.at(-1)?.atMilliseconds ?? 0) + nextGap(random, options.everyMilliseconds);
    if (atMilliseconds >= end) return plan;
    plan.push(drawFault(random, atMilliseconds, busy, options));
  }
}

/** Next gap: from a quarter of the mean to what makes it the mean. */
function nextGap(random: SeededRandom, meanMilliseconds: number): number {
  return random.between(Math.ceil(meanMilliseconds / 4), Math.ceil((7 * meanMilliseconds) / 4));
}

/** Draws one fault on something that is whole at that time; when all that was drawn is broken already, clients move. */
function drawFault(random: SeededRandom, at: number, busy: Map<string, number>, options: PlanOptions): Fault {
  const rows = faultTable.filter(({ kind }) =>
    kind === 'older-redis' ? options.olderStore : options.freezes || !kind.startsWith('freeze-'),
  );
  let ticket = random.between(
    1,
    rows.reduce((sum, { weight }) => sum + weight, 0),
  );
  const row = rows.find(({ weight }) => {
    ticket -= weight;
    return ticket <= 0;
  });
  const forMilliseconds = random.between(row?.shortestMilliseconds ?? 0, row?.longestMilliseconds ?? 0);
  const node = random.pick(options.nodes);
  const kind = row?.kind ?? 'move-clients';
  const target = targetOf(kind, node);
  if (target === null || (busy.get(target) ?? 0) > at) return drawMoves(random, at, options);
  // It is away for as long as after any other end.
  busy.set(target, at + forMilliseconds + (kind === 'older-redis' ? restartMilliseconds : 0));
  switch (kind) {
    case 'kill-node':
      return { atMilliseconds: at, kind, node };
    case 'restart-nats':
    case 'restart-redis':
      return { atMilliseconds: at, kind, signal: random.pick(['SIGKILL', 'SIGTERM'] as const) };
    case 'older-redis':
      return { atMilliseconds: at, kind, forMilliseconds };
    default:
      return { atMilliseconds: at, kind: kind as LinkFaultKind | 'pause-node', node, forMilliseconds };
  }
}

/** Target that a fault of this kind keeps to itself; null: none. */
function targetOf(kind: FaultKind, node: string): string | null {
  switch (kind) {
    case 'move-clients':
      return null;
    case 'restart-nats':
      return kind;
    case 'restart-redis':
    case 'older-redis':
      return 'restart-redis';
    case 'kill-node':
    case 'pause-node':
      return node;
    default:
      return `${node} ${kind.slice(kind.indexOf('-') + 1)}`;
  }
}

function drawMoves(random: SeededRandom, at: number, { clients, nodes }: PlanOptions): Fault {
  const moves: Move[] = [];
  const count = random.between(1, Math.min(movesMax, clients));
  for (let index = 0; index < count; index++) {
    moves.push({
      client: random.between(0, clients - 1),
      how: random.pick(moveKinds),
      address: random.between(0, nodes.length),
    });
  }
  return { atMilliseconds: at, kind: 'move-clients', moves };
}
