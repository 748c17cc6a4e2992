import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listenersTable, readmeWith, valuesSchema, valuesTable } from './chart-documents.ts';
import { readChartValues } from './chart-values.ts';
import { dashboard } from './dashboard.ts';
import { repositoryRoot } from './repository-root.ts';

/** The folder of the chart. */
export const chartDirectory = join(repositoryRoot, 'charts', 'dunlin');

/** Files generated from the chart's values.yaml and from the table of panels, by their names in its folder. */
export function generatedChartFiles(): Map<string, string> {
  const read = (name: string) => readFileSync(join(chartDirectory, name), 'utf8');
  const values = readChartValues(read('values.yaml'));
  const readme = readmeWith(read('README.md'), { listeners: listenersTable(), values: valuesTable(values) });
  return new Map([
    ['values.schema.json', valuesSchema(values)],
    ['README.md', readme],
    [join('dashboards', 'dunlin.json'), dashboard()],
  ]);
}
