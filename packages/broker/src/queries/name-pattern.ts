/**
 * Names with `*` for any characters. Matched part by part from the left, each at its first place: no pattern makes it
 * walk a name more than once.
 */
export class NamePattern {
  private readonly parts: readonly string[];

  constructor(pattern: string) {
    this.parts = pattern.split('*');
  }

  matches(name: string): boolean {
    const { parts } = this;
    const first = parts[0];
    if (parts.length === 1) return name === first;
    const last = parts[parts.length - 1];
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
    const end = name.length - last.length;
    let at = first.length;
    for (let i = 1; i < parts.length - 1; i++) {
      at = name.indexOf(parts[i], at);
      if (at < 0 || at + parts[i].length > end) return false;
      at += parts[i].length;
    }
    return at <= end;
  }
}
