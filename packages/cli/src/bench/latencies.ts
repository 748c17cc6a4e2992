/**
 * A histogram of latencies with a relative error below 1/64, in constant memory however long a run is.
 *
 * ```
 *   microseconds   0 1 2 … 127 | 128 130 … 254 | 256 260 … 508 | …
 *   bucket         0 1 2 … 127 | 128 … 191     | 192 … 255     | …     64 buckets for each doubling
 * ```
 */
const linearBuckets = 128;
const bucketsPerDoubling = 64;
/** 2^7 is where the doublings begin. */
const linearBits = 7;
/** Buckets up to 2^32 microseconds, more than an hour. */
const bucketCount = linearBuckets + (32 - linearBits) * bucketsPerDoubling;

function bucketOf(microseconds: number): number {
  if (microseconds < linearBuckets) return microseconds;
  const doubling = 31 - Math.clz32(microseconds) - linearBits;
  return linearBuckets + doubling * bucketsPerDoubling + ((microseconds >>> (doubling + 1)) - bucketsPerDoubling);
}

/** The least latency that falls into the bucket. */
function lowestOf(bucket: number): number {
  if (bucket < linearBuckets) return bucket;
  const doubling = Math.floor((bucket - linearBuckets) / bucketsPerDoubling);
  const within = (bucket - linearBuckets) % bucketsPerDoubling;
  return (within + bucketsPerDoubling) * 2 ** (doubling + 1);
}

export class Latencies {
  private readonly counts = new Float64Array(bucketCount);
  private total = 0;

  add(milliseconds: number): void {
    const microseconds = Math.min(0xffff_ffff, Math.max(0, Math.round(milliseconds * 1000))) >>> 0;
    this.counts[bucketOf(microseconds)]++;
    this.total++;
  }

  /** The latency in microseconds that the given share of all stays at or below; 0 when there are none. */
  percentileMicroseconds(share: number): number {
    const wanted = Math.ceil(this.total * share);
    let seen = 0;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      seen += this.counts[bucket];
      if (seen >= wanted && seen > 0) return lowestOf(bucket);
    }
    return 0;
  }
}
