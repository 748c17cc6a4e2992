import type { Level, Statement } from './statement.ts';
import { statements5 } from './statements-5.ts';
import { statements311 } from './statements-311.ts';

/** Every numbered statement of a version. The same number may say different things in the two versions. */
export const statementsByLevel: Readonly<Record<Level, readonly Statement[]>> = { 4: statements311, 5: statements5 };

/** Numbers of statements that Appendix B of each version lists, so that a row lost from a table is noticed. */
export const statementCounts: Readonly<Record<Level, number>> = { 4: 141, 5: 251 };
