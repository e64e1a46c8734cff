// The gallery's pictures in IndexedDB: records {id, made, mode, values, seed, width, height, mediaType, picture,
// seconds, stages, warnings, input, mask}, where picture, input and mask are blobs.

const NAME = "triptych";
const PICTURES = "pictures";

/** The store; one that lasts until the page is closed where the browser keeps nothing. */
export async function openStore() {
  try {
    return new Store(await open());
  } catch {
    return new ShortStore();
  }
}

function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(PICTURES, { keyPath: "id", autoIncrement: true });
  return done(request);
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

class Store {
  lasts = true;

  constructor(database) {
    this.database = database;
  }

  /** Keeps a record and gives it an id, if it has none. */
  async put(record) {
    const id = await done(this.#pictures("readwrite").put(record));
    return { ...record, id };
  }

  async remove(id) {
    await done(this.#pictures("readwrite").delete(id));
  }

  /** All ids, the newest first. */
  async ids() {
    return (await done(this.#pictures().getAllKeys())).reverse();
  }

  get(id) {
    return done(this.#pictures().get(id));
  }

  #pictures(mode = "readonly") {
    return this.database.transaction(PICTURES, mode).objectStore(PICTURES);
  }
}

class ShortStore {
  lasts = false;
  records = new Map();

  async put(record) {
    const kept = { ...record, id: record.id ?? this.records.size + 1 };
    this.records.set(kept.id, kept);
    return kept;
  }

  async remove(id) {
    this.records.delete(id);
  }

  async ids() {
    return [...this.records.keys()].sort((a, b) => b - a);
  }

  async get(id) {
    return this.records.get(id);
  }
}
