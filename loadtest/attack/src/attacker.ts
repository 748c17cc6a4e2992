/** The process that attacks: forked with the name of a row, the address and its index, it runs the row and sends back what the broker answered. */
import { attacks } from './attacks/index.ts';
import { Stage } from './stage.ts';
import type { Address } from './target.ts';

/** Assignment of this process. */
export interface Assignment {
  readonly name: string;
  readonly address: Address;
  readonly index: number;
}

process.once('message', async (assignment: Assignment) => {
  const attack = attacks.find(({ name }) => name === assignment.name);
  if (attack === undefined) throw new TypeError(`no attack has the name ${assignment.name}`);
  const stage = new Stage(assignment.address, assignment.index, attack.seconds);
  // What an attack has under way when its time is over goes with the process.
  await Promise.race([attack.run(stage), stage.hold()]);
  process.send?.(stage.tally.toJSON(), () => process.exit(0));
});
