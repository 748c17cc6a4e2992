import { dirname } from 'node:path';

/** The folder with the Dockerfile, docker-compose.yml and charts. */
export const repositoryRoot = dirname(dirname(dirname(import.meta.dirname)));
