// Conversations in the browser: IndexedDB, and a copy of all in memory to list and search. Where the browser keeps nothing
// (some do not in private windows), they live as long as the page.
import {Conversation} from './conversation.js';

const kDatabase = 'quern';
const kTable = 'conversations';

const finished = request => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function openDatabase() {
  const request = indexedDB.open(kDatabase, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(kTable, {keyPath: 'id'});
  return finished(request);
}

export class Store extends EventTarget {
  static async open() {
    const store = new Store();
    try {
      store.database = await openDatabase();
      for (const data of await finished(store.table('readonly').getAll())) store.all.set(data.id, new Conversation(data));
    } catch {
      store.database = null;
    }
    return store;
  }

  all = new Map();      // by id
  removed = new Set();  // ids: answers to them may still be written

  table(mode) {
    return this.database.transaction(kTable, mode).objectStore(kTable);
  }

  // Those that hold all words of `search`, the latest first.
  list(search = '') {
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    return [...this.all.values()].filter(one => one.matches(words)).sort((a, b) => b.updated - a.updated);
  }

  async put(conversation) {
    if (this.removed.has(conversation.id)) return;
    this.all.set(conversation.id, conversation);
    this.dispatchEvent(new Event('change'));
    if (this.database) await finished(this.table('readwrite').put(JSON.parse(JSON.stringify(conversation))));
  }

  async remove(conversation) {
    this.removed.add(conversation.id);
    this.all.delete(conversation.id);
    this.dispatchEvent(new Event('change'));
    if (this.database) await finished(this.table('readwrite').delete(conversation.id));
  }

  // Takes the removal back.
  async restore(conversation) {
    this.removed.delete(conversation.id);
    await this.put(conversation);
  }
}
