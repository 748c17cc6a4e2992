import type { z } from 'zod';
import type { Listener } from './listener.ts';
import type { schema } from './schema.ts';

type Shape = z.output<typeof schema>;

/** A whole, checked configuration. */
export interface Configuration extends Omit<Shape, 'listeners'> {
  listeners: Listener[];
}
