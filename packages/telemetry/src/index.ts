export { type LogFormat, type LogLevel, type LogOptions, NodeLogger } from './logger.ts';
