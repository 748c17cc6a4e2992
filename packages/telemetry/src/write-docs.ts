// Writes docs/metrics.md: part of `npm run docs`.
import { writeFileSync } from 'node:fs';
import { metricsReference } from './metrics-document.ts';

writeFileSync(new URL('../../../docs/metrics.md', import.meta.url), metricsReference());
