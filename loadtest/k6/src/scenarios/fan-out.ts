import { fan } from '../fan.ts';

const run = fan('fan-out');

export const { options, handleSummary } = run;
export default run.main;
