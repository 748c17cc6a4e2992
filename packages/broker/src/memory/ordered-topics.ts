/**
 * Topics in the order of their code units, in parts that are split when they grow: an insertion moves a few hundred
 * others at most.
 */
const pieceMax = 512;

export class OrderedTopics {
  /** Parts in order; each is sorted, and none is empty unless it is the only one. */
  private readonly pieces: string[][] = [[]];

  /** Adds a topic that is not contained. */
  add(topic: string): void {
    const at = this.pieceOf(topic);
    const piece = this.pieces[at];
    piece.splice(lowerBound(piece, topic), 0, topic);
    if (piece.length > pieceMax) this.pieces.splice(at + 1, 0, piece.splice(pieceMax / 2));
  }

  /** Removes a topic that is contained. */
  remove(topic: string): void {
    const at = this.pieceOf(topic);
    const piece = this.pieces[at];
    piece.splice(lowerBound(piece, topic), 1);
    if (piece.length === 0 && this.pieces.length > 1) this.pieces.splice(at, 1);
  }

  /** All topics from this one on. */
  *from(topic: string): Iterable<string> {
    let at = this.pieceOf(topic);
    let index = lowerBound(this.pieces[at], topic);
    for (; at < this.pieces.length; at++) {
      const piece = this.pieces[at];
      for (; index < piece.length; index++) yield piece[index];
      index = 0;
    }
  }

  /** The part that contains the topic, or would. */
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
