import { z } from 'zod';

/** Allowed values of a part of a schema, in words; of the whole, the names of its parts. Empty: zod's own words are best. */
export function allowedOf(schema: z.ZodType, name: string): string {
  if (!(schema instanceof z.ZodObject)) return '';
  const shape = schema.shape as Record<string, z.ZodType>;
  if (name !== '') return wordsOf(shape[name]);
  const names = Object.keys(shape);
  return names.length === 0 ? 'nothing' : names.join(', ');
}

function wordsOf(schema: z.ZodType | undefined): string {
  if (schema === undefined) return '';
  const words = schema.meta()?.allowed;
  if (words !== undefined) return words;
  const isWrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable;
  return isWrapped ? wordsOf(schema.unwrap() as z.ZodType) : '';
}
