/** The path inside a value to what is meant: `[0, 'url']` is the URL of the first listener. */
export type InnerPath = readonly (string | number)[];

/** Key set by one source. */
export interface Setting {
  /** Path of the key as the source spells it; it may be unknown. */
  path: string;
  /** Text from variables and flags; text, numbers, lists and objects from a file. */
  value: unknown;
  /** Place where the value, or a part of it, was given: for messages. */
  locate(inner: InnerPath): string;
  /** Name of the key in the source: a path, or the name of a variable. */
  spelling: string;
  /** Text that stands for a number, a truth value or a list is read as such. */
  isText: boolean;
}
