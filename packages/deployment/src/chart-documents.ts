import { chartDefinitions, listenerProperties } from './chart-definitions.ts';
import { type ChartValue, ChartValuesError } from './chart-values.ts';

type Schema = Record<string, unknown>;

/** The type of a default, in the words of JSON Schema. */
function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return 'integer';
  return typeof value;
}

/** JSON Schema of a value. */
function schemaOf({ path, fallback, description, schema }: ChartValue): Schema {
  if ('$ref' in schema) return { description, ...schema };
  if (fallback === null) throw new ChartValuesError(path, 'is null; give it a default that shows its type');
  const isOpen = typeof fallback === 'object' && !('items' in schema) && !('additionalProperties' in schema);
  if (isOpen)
    throw new ChartValuesError(path, 'is a list or map whose @schema says neither items nor additionalProperties');
  return { description, ...('enum' in schema ? {} : { type: typeOf(fallback) }), ...schema };
}

/** values.schema.json: every value, and nothing else. */
export function valuesSchema(values: readonly ChartValue[]): string {
  const root: Schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart dunlin',
    // Helm and charts above this one put values of their own there.
    ...object({ global: { type: 'object' } }),
  };
  for (const value of values) {
    const names = value.path.split('.');
    let at = root.properties as Record<string, Schema>;
    for (const name of names.slice(0, -1)) {
      at[name] ??= object({});
      at = at[name].properties as Record<string, Schema>;
    }
    at[names[names.length - 1]] = schemaOf(value);
  }
  return `${JSON.stringify({ ...root, $defs: chartDefinitions }, null, 2)}\n`;
}

function object(properties: Record<string, Schema>): Schema {
  return { type: 'object', additionalProperties: false, properties };
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** The table of values for the README. */
export function valuesTable(values: readonly ChartValue[]): string {
  const rows = values.map(({ path, description, fallback }) =>
    row([`\`${path}\``, description, path === 'listeners' ? 'see values.yaml' : `\`${JSON.stringify(fallback)}\``]),
  );
  return [row(['value', 'what it is', 'default']), row(['---', '---', '---']), ...rows].join('\n');
}

/** The table of what one listener may say. */
export function listenersTable(): string {
  const rows = Object.entries(listenerProperties).map(([name, { description }]) => row([`\`${name}\``, description]));
  return [row(['key', 'what it is']), row(['---', '---']), ...rows].join('\n');
}

/** A README with the tables between its marks, `<!-- values -->` and `<!-- end -->`. @throws RangeError when a mark is missing */
export function readmeWith(readme: string, tables: Readonly<Record<string, string>>): string {
  let text = readme;
  for (const [name, table] of Object.entries(tables)) {
    const mark = `<!-- ${name}: made of values.yaml by npm run docs -->`;
    const start = text.indexOf(mark);
    const end = text.indexOf('<!-- end -->', start);
    if (start === -1 || end === -1) throw new RangeError(`the README has no ${mark}`);
    text = `${text.slice(0, start + mark.length)}\n\n${table}\n\n${text.slice(end)}`;
  }
  return text;
}
