// Writes docs/log.md: part of `npm run docs`.
import { writeFileSync } from 'node:fs';
import { logReference } from './log-document.ts';

writeFileSync(new URL('../../../docs/log.md', import.meta.url), logReference());
