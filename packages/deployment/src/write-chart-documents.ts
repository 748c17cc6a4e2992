// Writes values.schema.json, the tables of the chart's README and the dashboard: part of `npm run docs`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chartDirectory, generatedChartFiles } from './generated-chart-files.ts';

for (const [name, text] of generatedChartFiles()) writeFileSync(join(chartDirectory, name), text);
