/** All attacks, in the order of the table. */
import type { Attack } from '../attack.ts';
import { beforeConnect } from './before-connect.ts';
import { connects } from './connects.ts';
import { publishes } from './publishes.ts';
import { readers } from './readers.ts';
import { stored } from './stored.ts';
import { subscriptions } from './subscriptions.ts';
import { webSockets } from './web-sockets.ts';

export const attacks: readonly Attack[] = [
  ...beforeConnect,
  ...webSockets,
  ...connects,
  ...subscriptions,
  ...publishes,
  ...readers,
  ...stored,
];
