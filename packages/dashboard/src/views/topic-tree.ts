/** Topics that a tree keeps at most; what comes on further ones is counted. */
export const topicsMax = 5000;
/** Characters of a payload that are kept. */
const payloadCharactersMax = 2000;

export interface TopicNode {
  readonly level: string;
  readonly topic: string;
  readonly below: Map<string, TopicNode>;
  messages: number;
  value: string | null;
  /** Value before the last one that differed; null: it has not changed. */
  before: string | null;
}

const newNode = (level: string, topic: string): TopicNode => ({
  ...{ level, topic, below: new Map(), messages: 0, value: null, before: null },
});

/** Levels of topics with their last values. */
export class TopicTree {
  readonly root = newNode('', '');
  topics = 0;
  /** Messages on topics for which there was no room. */
  beyond = 0;

  add(topic: string, payload: string): void {
    const path: TopicNode[] = [];
    let node = this.root;
    const levels = topic.split('/');
    for (const [at, level] of levels.entries()) {
      let next = node.below.get(level);
      if (next === undefined) {
        if (this.topics >= topicsMax) {
          this.beyond++;
          return;
        }
        this.topics++;
        next = newNode(level, levels.slice(0, at + 1).join('/'));
        node.below.set(level, next);
      }
      path.push(next);
      node = next;
    }
    for (const one of path) one.messages++;
    const value = payload.slice(0, payloadCharactersMax);
    if (node.value !== null && node.value !== value) node.before = node.value;
    node.value = value;
  }
}

/** Difference of two values: names of JSON objects that changed; else both as they are. */
export function difference(before: string, now: string): string {
  const [one, other] = [before, now].map(objectOf);
  if (one === null || other === null) return `was ${before}`;
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return names
    .filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]))
    .map((name) => `${name}: ${JSON.stringify(one[name]) ?? 'none'} → ${JSON.stringify(other[name]) ?? 'none'}`)
    .join(', ');
}

function objectOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
