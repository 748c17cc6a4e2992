/** Writes the tables of README.md from those of the code: `npm run docs:k6`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { markdownTable, metricRows, scenarioRows, variableRows } from './tables.ts';

const file = join(import.meta.dirname, '..', 'README.md');
const tables = { scenarios: scenarioRows(), variables: variableRows(), metrics: metricRows() };

let text = readFileSync(file, 'utf8');
for (const [name, rows] of Object.entries(tables)) {
  const between = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end -->)`);
  text = text.replace(between, (_, begin: string, end: string) => `${begin}${markdownTable(rows)}\n${end}`);
}
writeFileSync(file, text);
