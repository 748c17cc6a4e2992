import { readFileSync } from 'node:fs';
import { isMap, isNode, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import type { InnerPath, Setting } from './layer.ts';
import { ConfigurationError, type Problem, showValue } from './problem.ts';
import { sections } from './schema.ts';

export interface FileLayer {
  settings: Setting[];
  problems: Problem[];
}

/**
 * Reads a YAML file. A file that is not there or not readable is an error: a broker must not start open because of a
 * typing mistake.
 */
export function readFileLayer(file: string): FileLayer {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const reason =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (cause as Error).message;
    throw new ConfigurationError(
      [{ where: file, message: `the configuration file cannot be read: ${reason}`, suggestion: '' }],
      cause,
    );
  }
  return parseFileLayer(text, file);
}

/** The settings of a YAML text; `name` stands before `:line:column` in messages. */
export function parseFileLayer(text: string, name: string): FileLayer {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const problems: Problem[] = document.errors.map((error) => ({
    where: at(error.pos[0]),
    message: error.message,
    suggestion: '',
  }));
  if (problems.length > 0) return { settings: [], problems };
  const root = document.contents as Node | null;
  const settings: Setting[] = [];
  if (isMap(root)) walk(root, '', { at, settings, problems });
  else if (root !== null && !(isScalar(root) && root.value === null)) {
    problems.push({
      where: at(root.range?.[0] ?? 0),
      message: 'a configuration is a map of keys to values',
      suggestion: '',
    });
  }
  return { settings, problems };
}

interface Walk {
  at(offset: number): string;
  settings: Setting[];
  problems: Problem[];
}

function walk(map: YAMLMap, prefix: string, into: Walk): void {
  for (const pair of map.items as Pair<Node, Node | null>[]) {
    const path = prefix + String(isScalar(pair.key) ? pair.key.value : pair.key);
    const keyAt = into.at(pair.key.range?.[0] ?? 0);
    const value = pair.value;
    if ((sections as readonly string[]).includes(path)) {
      if (isMap(value)) walk(value, `${path}.`, into);
      // A section with nothing under it, all its lines commented out perhaps, says nothing.
      else if (value !== null && !(isScalar(value) && value.value === null)) {
        const message = `${path}: given ${showValue(value.toJSON())}, allowed: a map of keys to values`;
        into.problems.push({ where: into.at(value.range?.[0] ?? 0), message, suggestion: '' });
      }
      continue;
    }
    into.settings.push({
      path,
      spelling: path,
      isText: false,
      value: isNode(value) ? value.toJSON() : null,
      locate: (inner) => locate(pair, inner, into, keyAt),
    });
  }
}

/**
 * Follows `inner` into the value as far as it goes; a path that ends in an empty name means the key before it, not its
 * value.
 */
function locate(pair: Pair<Node, Node | null>, inner: InnerPath, walkState: Walk, keyAt: string): string {
  if (inner.length === 1 && inner[0] === '') return keyAt;
  let node: Node | null = pair.value;
  for (const step of inner) {
    if (isSeq(node)) node = (node.items[step as number] as Node | undefined) ?? node;
    else if (isMap(node)) {
      const found = (node.items as Pair<Node, Node | null>[]).find(
        (item) => isScalar(item.key) && item.key.value === step,
      );
      if (found !== undefined)
        node = inner.at(-1) === '' && step === inner.at(-2) ? found.key : (found.value ?? found.key);
    }
  }
  const offset = node?.range?.[0];
  return offset === undefined ? keyAt : walkState.at(offset);
}
