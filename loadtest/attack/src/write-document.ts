// Writes docs/attacks.md from what was measured: part of `npm run docs`.
import { writeFileSync } from 'node:fs';
import { renderDocument } from './document.ts';
import { Measurements } from './measurements.ts';

export function writeDocument(measurements: Measurements): void {
  writeFileSync(new URL('../../../docs/attacks.md', import.meta.url), renderDocument(measurements));
}

if (import.meta.main) writeDocument(Measurements.read());
