import { StoreError } from '@dunlin/broker/ports';

/** Error of background work, such as trimming, while the store is closed. */
export function closed(): StoreError {
  return new StoreError('closed', 'the LMDB store is closed');
}
