/**
 * Rules in YAML, a list in which the first that matches wins and what none matches is denied:
 *
 * ```yaml
 * - allow: all                        # publish, subscribe or all
 *   user: operator                    # a name, or several; * stands for anything
 *   topics: ['#', '$SYS/#']
 * - deny: publish
 *   topics: config/#
 * - allow: connect                    # once a rule says connect, none else may
 *   client: ['%u', '%u-*']
 * - allow: publish
 *   client: gauge-*
 *   address: [10.0.0.0/8, '::1']
 *   qos: [0, 1]
 *   retain: false
 *   topics: sensors/%c/+              # %c: the client identifier, %u: the user name
 * - allow: subscribe
 *   group: workers                    # members of this shared group alone
 *   topics: jobs/#
 * - allow: subscribe
 *   anonymous: true                   # also clients that have not proved a name
 *   topics: public/#
 * ```
 */
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
import type { Rule } from './rule.ts';
import { itself, readRules } from './rules/read-rules.ts';
import { AccessFileError, type SourceText } from './source-text.ts';

/** Rules of a file. Measured with as many (`npm run bench -- sign-in`); more are a sign that `%c` and `%u` are wanted. */
const rulesMax = 100_000;
/** Characters of a piece that is read at once: some milliseconds. */
const pieceCharacters = 8192;

/** Some consecutive rules of a file. */
export interface RulesPiece {
  /** Values as they stand in the file. */
  readonly items: readonly unknown[];
  readonly rules: readonly Rule[];
}

/**
 * Reads a file piece by piece, so that whoever reads it can do something else in between.
 * @throws AccessFileError with the line and the column of what is wrong first
 */
export function* readRulesFile({ name, text }: SourceText): Generator<RulesPiece, void> {
  let count = 0;
  let allowsConnect = false;
  /** Position of the first rule about connecting. */
  let connectAt: string | null = null;
  for (const { piece, linesBefore } of piecesOf(text)) {
    const lines = new LineCounter();
    const document = parseDocument(piece, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
    const at = (offset: number): string => {
      const { line, col } = lines.linePos(offset);
      return `${name}:${line + linesBefore}:${col}`;
    };
    const [error] = document.errors;
    if (error !== undefined) throw new AccessFileError(`${at(error.pos[0])}: ${error.message}`);
    const positionOf = (path: readonly (string | number)[]): string =>
      at(offsetOf(document.contents as Node | null, path));
    const items = document.toJS({ maxAliasCount: 0 });
    const rules = readRules(
      items,
      (path, what) => {
        throw new AccessFileError(`${positionOf(path)}: ${what}`);
      },
      rulesMax,
    );
    if (count + rules.length > rulesMax)
      throw new AccessFileError(`${positionOf([rulesMax - count])}: more than ${rulesMax} rules`);
    count += rules.length;
    for (const [index, { connect, allows }] of rules.entries()) {
      if (!connect) continue;
      connectAt ??= positionOf([index]);
      allowsConnect ||= allows;
    }
    yield { items: items ?? [], rules };
  }
  if (connectAt !== null && !allowsConnect)
    throw new AccessFileError(
      `${connectAt}: rules deny connect and none allows it, so nobody could connect: end with "allow: connect"`,
    );
}

/**
 * Pieces of a text that are lists by themselves: a line that begins with `- ` begins a rule. Where documents end, or directives are given, the text stays whole.
 */
function* piecesOf(text: string): Generator<{ piece: string; linesBefore: number }, void> {
  const isWhole = /^(%|\.\.\.)/m.test(text);
  let linesBefore = 0;
  let start = 0;
  do {
    const next = isWhole ? -1 : text.indexOf('\n- ', start + pieceCharacters);
    const end = next < 0 ? text.length : next + 1;
    const piece = text.slice(start, end);
    yield { piece, linesBefore };
    for (let at = piece.indexOf('\n'); at >= 0; at = piece.indexOf('\n', at + 1)) linesBefore++;
    start = end;
  } while (start < text.length);
}

function offsetOf(root: Node | null, path: readonly (string | number)[]): number {
  let node = root;
  let keyOffset = 0;
  let offset = root?.range?.[0] ?? 0;
  for (const step of path) {
    if (step === itself) return keyOffset;
    if (isSeq(node)) node = (node.items[step as number] as Node | undefined) ?? null;
    else if (isMap(node)) {
      const pair = (node.items as Pair<Node, Node | null>[]).find(({ key }) => isScalar(key) && key.value === step);
      keyOffset = pair?.key.range?.[0] ?? offset;
      offset = keyOffset;
      node = pair?.value ?? null;
    } else break;
    offset = node?.range?.[0] ?? offset;
  }
  return offset;
}
