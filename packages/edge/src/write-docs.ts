// Writes docs/log.md, docs/audit.md and docs/api.md: part of `npm run docs`.
import { writeFileSync } from 'node:fs';
import { apiReference } from './api/api-document.ts';
import { auditReference } from './audit-document.ts';
import { logReference } from './log-document.ts';

writeFileSync(new URL('../../../docs/log.md', import.meta.url), logReference());
writeFileSync(new URL('../../../docs/api.md', import.meta.url), apiReference());
writeFileSync(new URL('../../../docs/audit.md', import.meta.url), auditReference());
