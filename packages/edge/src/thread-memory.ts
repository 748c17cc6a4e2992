/** Bytes of this thread: its heap in use, and buffers outside of it as their allocator counts them. V8's own count of these is renewed at its next collection only. */
export function threadMemory(): { heap: number; buffers: number } {
  const { heapUsed: heap, arrayBuffers: buffers } = process.memoryUsage();
  return { heap, buffers };
}
