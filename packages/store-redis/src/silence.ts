/** Detects that a server is silent although it owes answers. One timer, and only while an answer is owed. */
export class Silence {
  private readonly milliseconds: number;
  private readonly noticed: () => void;
  private owed: number;
  private timer: NodeJS.Timeout | undefined;

  /** `noticed` is called once. */
  constructor(milliseconds: number, noticed: () => void) {
    this.milliseconds = milliseconds;
    this.noticed = noticed;
    this.owed = 0;
    this.timer = undefined;
  }

  asked(): void {
    if (this.owed++ === 0) this.timer = setTimeout(this.noticed, this.milliseconds);
  }

  /** Notes that bytes came, if only a part of an answer. */
  heard(): void {
    this.timer?.refresh();
  }

  answered(): void {
    if (--this.owed === 0) this.end();
  }

  end(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
