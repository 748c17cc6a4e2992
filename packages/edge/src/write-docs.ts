// Writes docs/log.md and docs/audit.md: part of `npm run docs`.
import { writeFileSync } from 'node:fs';
import { auditReference } from './audit-document.ts';
import { logReference } from './log-document.ts';

writeFileSync(new URL('../../../docs/log.md', import.meta.url), logReference());
writeFileSync(new URL('../../../docs/audit.md', import.meta.url), auditReference());
