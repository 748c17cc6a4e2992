import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditEvents } from '@dunlin/broker/ports';
import { describe, expect, test } from 'vitest';
import { auditFields, auditReference } from '../src/audit-document.ts';

const root = join(import.meta.dirname, '../../..');
const events = Object.values(auditEvents);

/** Names of events that the sources of broker and edge record. */
function recorded(): string[] {
  const texts = ['broker', 'edge'].flatMap((name) => {
    const folder = join(root, 'packages', name, 'src');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
    return files.map((path) => readFileSync(join(folder, path), 'utf8'));
  });
  return texts.flatMap((text) => [...text.matchAll(/\bauditEvents\['([^']+)'\]/g)].map(([, name]) => name));
}

describe('the table of audit events', () => {
  test('docs/audit.md is fresh (npm run docs)', () => {
    expect(readFileSync(join(root, 'docs/audit.md'), 'utf8')).toBe(auditReference());
  });

  test('every event is recorded somewhere, and no other is', () => {
    expect([...new Set(recorded())].sort()).toEqual(Object.keys(auditEvents).sort());
  });

  test('names are a noun and what became of it; fields are explained, and none else', () => {
    for (const { name } of events) expect(name).toMatch(/^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/);
    const used = new Set(events.flatMap(({ fields }) => fields.map((field) => field.replace('?', ''))));
    expect([...used].sort()).toEqual(Object.keys(auditFields).sort());
  });

  test('no field is one in which a secret could stand', () => {
    const fields = Object.keys(auditFields);
    expect(fields.filter((field) => /pass|secret|token|key$|credential|authorization/i.test(field))).toEqual([]);
  });
});
