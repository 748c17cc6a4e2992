import type { ExplainOutcome, ExplainStep, ExplainVerdict, Explanation } from '../ports/explanation.ts';

/** Longest name in a sentence. */
const quotedMax = 100;

export function quote(name: string): string {
  return JSON.stringify(name.length > quotedMax ? `${name.slice(0, quotedMax)}…` : name);
}

/** An endpoint in words: without the number of its incarnation. */
export function placeOf(endpoint: string): string {
  return endpoint.replace(/#\d+$/, '');
}

/** Number and noun: `1 message`, `3 messages`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** Checks of an explanation in the order in which they are made. */
export class ExplainSteps {
  readonly list: ExplainStep[] = [];

  add(outcome: ExplainOutcome, check: string, text: string): void {
    this.list.push({ check, outcome, text });
  }

  passed(check: string, text: string): void {
    this.add('passed', check, text);
  }

  note(check: string, text: string): void {
    this.add('note', check, text);
  }

  /** Adds what ends the message's way, and the verdict with it. */
  failed(check: string, text: string): Explanation {
    this.add('failed', check, text);
    return this.end('no');
  }

  end(verdict: ExplainVerdict): Explanation {
    return { verdict, steps: this.list };
  }
}
