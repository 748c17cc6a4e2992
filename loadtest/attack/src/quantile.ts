/** The value below which this share of the numbers lies; 0 for none. Sorts a copy. */
export function quantile(numbers: readonly number[], share: number): number {
  if (numbers.length === 0) return 0;
  const sorted = Float64Array.from(numbers).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
