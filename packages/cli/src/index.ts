export { exitCodes } from './exit-code.ts';
export { main } from './main.ts';
export { buildProgram } from './program.ts';
export { version } from './version.ts';
