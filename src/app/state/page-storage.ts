/**
 * What the page keeps in the browser's own storage (IndexedDB) for a later visit. Where the browser has none, or it is full, nothing is kept and
 * nothing fails. The connection is closed after each use, so that no other tab has to wait.
 */

/** The one store of a database. */
const STORE = 'kept';

export interface PageDatabase {
  name: string;
  /** Changes with what is kept: what is of another kind is forgotten. */
  version: number;
}

export class PageStorage<T> {
  readonly #database: PageDatabase;

  constructor(database: PageDatabase) {
    this.#database = database;
  }

  async load(key: string): Promise<T | undefined> {
    return (await this.#inStore('readonly', (store) => store.get(key)))?.result as T | undefined;
  }

  /** @returns whether it is kept: on the disk, not only on its way there. */
  async save(key: string, value: T): Promise<boolean> {
    return (await this.#inStore('readwrite', (store) => store.put(value, key))) !== undefined;
  }

  async remove(key: string): Promise<void> {
    await this.#inStore('readwrite', (store) => store.delete(key));
  }

  /** `undefined` where nothing can be kept. */
  async #inStore(
    mode: IDBTransactionMode,
    work: (store: IDBObjectStore) => IDBRequest,
  ): Promise<IDBRequest | undefined> {
    try {
      const database = await openDatabase(this.#database);
      try {
        const transaction = database.transaction(STORE, mode, { durability: 'strict' });
        const request = work(transaction.objectStore(STORE));
        await completed(transaction);
        return request;
      } finally {
        database.close();
      }
    } catch {
      // Private windows and full disks: then a reload begins anew.
      return undefined;
    }
  }
}

function openDatabase({ name, version }: PageDatabase): Promise<IDBDatabase> {
  const request = indexedDB.open(name, version);
  request.onupgradeneeded = () => {
    const { result } = request;
    for (const store of result.objectStoreNames) result.deleteObjectStore(store);
    result.createObjectStore(STORE);
  };
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(storageError(request.error));
  });
}

const completed = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(storageError(transaction.error));
  });

const storageError = (cause: DOMException | null): Error =>
  new Error('The storage of the browser failed', { cause: cause ?? undefined });
