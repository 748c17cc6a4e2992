/** Instruction of a Dockerfile: `COPY`, its flags and the words after them. */
export interface Instruction {
  readonly name: string;
  /** `--from=build` as `from: build`. */
  readonly flags: ReadonlyMap<string, string>;
  /** Rest of the instruction: text, with lines joined. */
  readonly text: string;
}

/** A stage: what it begins with, its name if it has one, and its instructions after FROM. */
export interface Stage {
  readonly image: string;
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

const flagPattern = /^--([a-z-]+)=(\S+)\s+/;

/** Reads the parts of the language that our Dockerfile uses: no ARG, no heredocs, no escape directive. @throws SyntaxError on a line before the first FROM */
export function parseDockerfile(source: string): Stage[] {
  const stages: { image: string; name: string; instructions: Instruction[] }[] = [];
  for (const line of logicalLines(source)) {
    const instruction = parseInstruction(line);
    if (instruction.name === 'FROM') {
      const [image, , name = ''] = instruction.text.split(/\s+/);
      stages.push({ image, name, instructions: [] });
    } else if (stages.length === 0) throw new SyntaxError(`${line} stands before the first FROM`);
    else stages[stages.length - 1].instructions.push(instruction);
  }
  return stages;
}

/** Lines without comments, each with those that continue it. */
function logicalLines(source: string): string[] {
  const kept = source.split('\n').filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  return kept
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n');
}

function parseInstruction(line: string): Instruction {
  const [name] = line.split(/\s/, 1);
  let text = line.slice(name.length).trim();
  const flags = new Map<string, string>();
  for (let match = flagPattern.exec(text); match !== null; match = flagPattern.exec(text)) {
    flags.set(match[1], match[2]);
    text = text.slice(match[0].length);
  }
  return { name: name.toUpperCase(), flags, text };
}

/** The words of an instruction in its exec form, `["node", "-e", "…"]`; null: it is in the shell form. */
export function execForm(text: string): string[] | null {
  if (!text.startsWith('[')) return null;
  const words: unknown = JSON.parse(text);
  return Array.isArray(words) && words.every((word) => typeof word === 'string') ? words : null;
}

/** The variables of an ENV or LABEL, `A=b C="d e"`. */
export function assignments(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [, name, quoted, plain] of text.matchAll(/([\w.]+)=(?:"([^"]*)"|(\S*))/g)) found[name] = quoted ?? plain;
  return found;
}
