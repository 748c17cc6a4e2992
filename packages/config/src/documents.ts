import { configurationJsonSchema, configurationReference } from './describe.ts';

/** Files of docs/ that are made from the schema: name and content. */
export function generatedDocuments(): [name: string, text: string][] {
  return [
    ['configuration.md', configurationReference()],
    ['dunlin.schema.json', `${JSON.stringify(configurationJsonSchema(), null, 2)}\n`],
  ];
}
