import type {
  DisconnectRecord,
  ExplainAnswer,
  ExplainAwayQuery,
  ExplainQuery,
  ExplainStep,
  ExplainVerdict,
  Explanation,
} from '@dunlin/broker/ports';
import type { Gathered, Gathering, Missing, Part } from './gathering.ts';

export interface WholeExplanation {
  verdict: ExplainVerdict;
  /** The verdict and what decides it, as a sentence or two. */
  summary: string;
  steps: ExplainStep[];
  /** Node that the client is connected to. */
  node: string | null;
  incomplete: Missing[];
}

const words: Readonly<Record<ExplainVerdict, string>> = {
  yes: 'Yes: the client gets it now.',
  later: 'Later: the message is kept for the client.',
  chance: 'Perhaps: the message goes to one member of a group.',
  no: 'No: the client does not get it.',
  unknown: 'Unknown: a node did not answer.',
};
/** Outcome of the step that decides a verdict. */
const deciding: Readonly<Partial<Record<ExplainVerdict, string>>> = { later: 'waits', chance: 'chance', no: 'failed' };

/** Asks all nodes, and the store for a client that is away, and puts what they say together. */
export async function explain(gathering: Gathering, query: ExplainQuery): Promise<WholeExplanation> {
  const gathered = await gathering.all<ExplainAnswer>(query);
  const { parts, incomplete } = gathered;
  const found = parts.find(({ value }) => value.receiver !== null);
  const steps: ExplainStep[] = [];
  const published = publisherOf(gathered, query, steps);
  let received: Explanation;
  if (found?.value.receiver != null) received = found.value.receiver;
  else received = await away(gathering, query, gathered);
  steps.push(...received.steps);
  const verdict = together(published, received.verdict);
  return { verdict, summary: summaryOf(verdict, steps), steps, node: found?.node ?? null, incomplete };
}

function summaryOf(verdict: ExplainVerdict, steps: readonly ExplainStep[]): string {
  const why = steps.find(({ outcome }) => outcome === deciding[verdict])?.text;
  return why === undefined ? words[verdict] : `${words[verdict]} ${why}`;
}

function together(published: ExplainVerdict, received: ExplainVerdict): ExplainVerdict {
  if (published === 'no' || received === 'no') return 'no';
  if (published === 'unknown' || received === 'unknown') return 'unknown';
  return published === 'later' ? 'later' : received;
}

/** Adds what was said of the publisher; returns whether its message would be taken. */
function publisherOf(
  { parts, incomplete }: Gathered<ExplainAnswer>,
  { publisher }: ExplainQuery,
  steps: ExplainStep[],
): ExplainVerdict {
  if (publisher === '') {
    steps.push({ check: 'publisher', outcome: 'note', text: 'No publisher was given: no rules of one were asked.' });
    return 'yes';
  }
  const found = parts.find(({ value }) => value.publisher !== null)?.value.publisher;
  if (found != null) {
    steps.push(...found.steps);
    return found.verdict;
  }
  if (incomplete.length > 0) {
    steps.push({
      check: 'publisher',
      outcome: 'note',
      text: `Publisher "${publisher}" is not connected to a node that answers.`,
    });
    return 'unknown';
  }
  const last = lastOf(parts, (value) => value.publisherLastDisconnect);
  steps.push({
    check: 'publisher',
    outcome: 'failed',
    text: `Publisher "${publisher}" is not connected.${ended(last)}`,
  });
  return 'no';
}

async function away(
  gathering: Gathering,
  { kind: _, ...query }: ExplainQuery,
  { parts, incomplete }: Gathered<ExplainAnswer>,
): Promise<Explanation> {
  if (incomplete.length > 0) {
    const text = `Client "${query.clientId}" is not connected to a node that answers.`;
    return { verdict: 'unknown', steps: [{ check: 'connected', outcome: 'note', text }] };
  }
  const last = lastOf(parts, (value) => value.lastDisconnect);
  const asked: ExplainAwayQuery = { kind: 'explain-away', ...query, address: last?.address ?? '' };
  const explanation = await gathering.one<Explanation>(asked);
  const [first, ...rest] = explanation.steps;
  return { ...explanation, steps: [{ ...first, text: `${first.text}${ended(last)}` }, ...rest] };
}

type Last = (DisconnectRecord & { node: string }) | null;

function lastOf(parts: readonly Part<ExplainAnswer>[], of: (value: ExplainAnswer) => DisconnectRecord | null): Last {
  let last: Last = null;
  for (const { node, value } of parts) {
    const one = of(value);
    if (one !== null && (last === null || one.at > last.at)) last = { ...one, node };
  }
  return last;
}

function ended(last: Last): string {
  if (last === null) return '';
  const code = last.code === 0 ? '' : `, reason code 0x${last.code.toString(16).padStart(2, '0')}`;
  return ` Its last connection, to node ${last.node} from ${last.address}, ended at ${new Date(last.at).toISOString()}: ${last.reason}${code}.`;
}
