/** All attacks, in the order of the table. */
import type { Attack } from '../attack.ts';
import { atOnceAttacks } from './at-once.ts';
import { beforeConnect } from './before-connect.ts';
import { connects } from './connects.ts';
import { floods } from './floods.ts';
import { publishes } from './publishes.ts';
import { readers } from './readers.ts';
import { signIns } from './sign-ins.ts';
import { stored } from './stored.ts';
import { subscriptions } from './subscriptions.ts';
import { webSockets } from './web-sockets.ts';

/** Attacks by what they are about. */
export const groups: readonly { readonly title: string; readonly attacks: readonly Attack[] }[] = [
  { title: 'Before CONNECT', attacks: [...beforeConnect, ...atOnceAttacks] },
  { title: 'WebSocket', attacks: webSockets },
  { title: 'Connecting and signing in', attacks: [...connects, ...signIns] },
  { title: 'Subscriptions', attacks: subscriptions },
  { title: 'Messages', attacks: [...publishes, ...floods] },
  { title: 'Clients that do not read', attacks: readers },
  { title: 'What is stored', attacks: stored },
];

export const attacks: readonly Attack[] = groups.flatMap((group) => group.attacks);
