import type { AdminKey, AdminKeyStore, AdminScope } from '@dunlin/broker';
import { textKey } from './keys.ts';
import { RecordReader, RecordWriter } from './records.ts';
import type { StoreHandle } from './store-handle.ts';

/** Keys of the administration API. */
export class AdminKeys implements AdminKeyStore {
  private readonly handle: StoreHandle;
  private readonly writer = new RecordWriter();

  constructor(handle: StoreHandle) {
    this.handle = handle;
  }

  async put(key: AdminKey): Promise<void> {
    const store = this.handle.use();
    return store.write(null, () => void store.tables.adminKey.put(textKey(key.name), this.record(key)), true);
  }

  async remove(name: string): Promise<boolean> {
    const store = this.handle.use();
    return store.write(null, () => {
      const existed = store.tables.adminKey.get(textKey(name)) !== undefined;
      void store.tables.adminKey.remove(textKey(name));
      return existed;
    });
  }

  async used(name: string, at: number): Promise<void> {
    const store = this.handle.use();
    return store.write(null, () => {
      const record = store.tables.adminKey.get(textKey(name));
      if (record !== undefined)
        void store.tables.adminKey.put(textKey(name), this.record({ ...readKey(record), usedAt: at }));
    });
  }

  async list(): Promise<AdminKey[]> {
    const store = this.handle.use();
    return store.read(() => {
      const keys = [...store.tables.adminKey.getRange({})].map(({ value }) => readKey(value));
      return keys.sort((one, other) => (one.name < other.name ? -1 : 1));
    });
  }

  private record({ name, scope, hash, by, createdAt, usedAt }: AdminKey): Uint8Array {
    return this.writer.begin().f64(createdAt).f64(usedAt).text(name).text(scope).text(hash).text(by).finish();
  }
}

function readKey(record: Uint8Array): AdminKey {
  const reader = new RecordReader(record);
  const [createdAt, usedAt] = [reader.f64(), reader.f64()];
  const name = reader.text();
  return { name, scope: reader.text() as AdminScope, hash: reader.text(), by: reader.text(), createdAt, usedAt };
}
