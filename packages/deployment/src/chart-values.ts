import { type Document, isMap, isScalar, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';

/** Documented value of a chart. */
export interface ChartValue {
  /** `redis.trial.enabled` */
  readonly path: string;
  readonly description: string;
  /** Default as values.yaml has it. */
  readonly fallback: unknown;
  /** Limits beyond the type of the default, in the words of JSON Schema. */
  readonly schema: Readonly<Record<string, unknown>>;
}

/** values.yaml is not as its documents need it. */
export class ChartValuesError extends Error {
  constructor(path: string, what: string) {
    super(`${path} in values.yaml ${what}`);
    this.name = 'ChartValuesError';
  }
}

/**
 * Every value of a values.yaml with the text of its comment: lines after `# --`, and after `# @schema` a JSON object. A map without such a comment is a
 * section, whose values are documented one by one.
 * @throws ChartValuesError when a value has no description
 */
export function readChartValues(source: string): ChartValue[] {
  const document: Document = parseDocument(source);
  if (document.errors.length > 0) throw document.errors[0];
  if (!isMap(document.contents)) throw new ChartValuesError('everything', 'is not a map');
  return section(document.contents as YAMLMap<Node, Node>, '');
}

function section(map: YAMLMap<Node, Node>, prefix: string): ChartValue[] {
  return map.items.flatMap((pair, index) => {
    const path = prefix + String(isScalar(pair.key) ? pair.key.value : pair.key);
    // What stands before the first key of a map is kept with the map.
    const comment = [index === 0 ? (map.commentBefore ?? '') : '', pair.key.commentBefore ?? ''].join('\n');
    const text = lastComment(comment);
    if (text.description !== '') return [{ path, ...text, fallback: defaultOf(pair) }];
    if (isMap(pair.value) && pair.value.items.length > 0) {
      return section(pair.value as YAMLMap<Node, Node>, `${path}.`);
    }
    throw new ChartValuesError(path, 'has no description');
  });
}

function defaultOf(pair: Pair<Node, Node | null>): unknown {
  return (pair.value as { toJSON?: () => unknown } | null)?.toJSON?.() ?? null;
}

/** The last `# --` of the lines before a key; those before it belong to nothing. */
function lastComment(comment: string): Pick<ChartValue, 'description' | 'schema'> {
  const words: string[] = [];
  let schema: Record<string, unknown> = {};
  for (const line of comment.split('\n').map((each) => each.trim())) {
    if (line.startsWith('-- ')) {
      words.length = 0;
      words.push(line.slice(3));
    } else if (line.startsWith('@schema ')) schema = JSON.parse(line.slice('@schema '.length));
    else if (words.length > 0 && line !== '') words.push(line);
  }
  return { description: words.join(' '), schema };
}
