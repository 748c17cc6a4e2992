// Writes docs/configuration.md and docs/dunlin.schema.json: part of `npm run docs`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { generatedDocuments } from './documents.ts';

mkdirSync(new URL('../../../docs/', import.meta.url), { recursive: true });
for (const [name, text] of generatedDocuments()) writeFileSync(new URL(`../../../docs/${name}`, import.meta.url), text);
