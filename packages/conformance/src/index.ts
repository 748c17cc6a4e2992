export type { Binds, Level, Statement } from './statement.ts';
export { statementCounts, statementsByLevel } from './statements.ts';
