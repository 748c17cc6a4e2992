import { fan } from '../fan.ts';

const run = fan('fan-in');

export const { options, handleSummary } = run;
export default run.main;
