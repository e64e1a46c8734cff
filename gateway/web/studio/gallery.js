// What was made, the newest first.

import { find, make } from "./dom.js";

const PAGE = 48;

export class Gallery {
  #store;
  #list = find("gallery");
  #ids = [];
  #items = new Map();
  #open;

  /** `open` is called with a record that is chosen. */
  constructor(store, open) {
    this.#store = store;
    this.#open = open;
    find("gallery-more").addEventListener("click", () => this.#more());
    if (!store.lasts) {
      find("gallery-note").textContent = "This browser keeps nothing: what you make is gone when the page is closed.";
    }
  }

  async load() {
    this.#ids = await this.#store.ids();
    await this.#more();
  }

  /** Keeps these records, and gives them back with their ids. A full disk loses the gallery's copy alone. */
  async add(records) {
    const kept = [];
    for (const record of records) kept.push(await this.#store.put(record));
    for (const record of kept) this.#place(record);
    this.#count();
    return kept;
  }

  async remove({ id }) {
    await this.#store.remove(id);
    this.#ids = this.#ids.filter((one) => one !== id);
    this.#drop(id);
    this.#count();
  }

  /** Marks the record that the easel shows. */
  mark(record) {
    for (const [id, item] of this.#items) {
      if (id === record?.id) item.firstChild.setAttribute("aria-current", "true");
      else item.firstChild.removeAttribute("aria-current");
    }
  }

  async #more() {
    const missing = this.#ids.filter((id) => !this.#items.has(id)).slice(0, PAGE);
    for (const record of await Promise.all(missing.map((id) => this.#store.get(id)))) this.#place(record);
    this.#count();
  }

  /** Among its elders and juniors by id, which deleting and taking that back must not change. */
  #place(record) {
    if (!this.#ids.includes(record.id)) this.#ids = [...this.#ids, record.id].sort((a, b) => b - a);
    const address = URL.createObjectURL(record.picture);
    const button = make(
      "button",
      { type: "button", ariaLabel: `Show “${record.values.prompt}”, seed ${record.seed ?? "unknown"}`, title: record.values.prompt },
      make("img", { src: address, alt: "", loading: "lazy" }),
    );
    button.addEventListener("click", async () => this.#open((await this.#store.get(record.id)) ?? record));
    const item = make("li", {}, button);
    this.#items.set(record.id, item);
    const junior = this.#ids.slice(0, this.#ids.indexOf(record.id)).findLast((id) => this.#items.has(id));
    if (junior === undefined) this.#list.prepend(item);
    else this.#items.get(junior).after(item);
  }

  #drop(id) {
    const item = this.#items.get(id);
    if (!item) return;
    URL.revokeObjectURL(item.querySelector("img").src);
    item.remove();
    this.#items.delete(id);
  }

  #count() {
    find("gallery-count").textContent = this.#ids.length || "";
    find("gallery-more").hidden = this.#ids.length === this.#items.size;
  }
}
