/** Topics in the order of their code units, in pieces that are split when they grow: adding one moves a few hundred others at most. */
const pieceMax = 512;

export class OrderedTopics {
  /** Each in order, none empty but where there is only one, and each behind the one before. */
  private readonly pieces: string[][] = [[]];

  /** Adds a topic that is not among them. */
  add(topic: string): void {
    const at = this.pieceOf(topic);
    const piece = this.pieces[at];
    piece.splice(lowerBound(piece, topic), 0, topic);
    if (piece.length > pieceMax) this.pieces.splice(at + 1, 0, piece.splice(pieceMax / 2));
  }

  /** Removes a topic that is among them. */
  remove(topic: string): void {
    const at = this.pieceOf(topic);
    const piece = this.pieces[at];
    piece.splice(lowerBound(piece, topic), 1);
    if (piece.length === 0 && this.pieces.length > 1) this.pieces.splice(at, 1);
  }

  /** All from this one on. */
  *from(topic: string): Iterable<string> {
    let at = this.pieceOf(topic);
    let index = lowerBound(this.pieces[at], topic);
    for (; at < this.pieces.length; at++) {
      const piece = this.pieces[at];
      for (; index < piece.length; index++) yield piece[index];
      index = 0;
    }
  }

  /** The piece where it is, or belongs. */
  private pieceOf(topic: string): number {
    let low = 0;
    let high = this.pieces.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.pieces[middle][0] <= topic) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first topic that is not before it. */
function lowerBound(piece: readonly string[], topic: string): number {
  let low = 0;
  let high = piece.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (piece[middle] < topic) low = middle + 1;
    else high = middle;
  }
  return low;
}
