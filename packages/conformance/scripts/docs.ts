import { writeFile } from 'node:fs/promises';
import { conformanceDocument, documentPath } from '../src/document.ts';

await writeFile(documentPath, await conformanceDocument());
