// The list of conversations: searched, opened, renamed and deleted.
import {element, icon, iconButton} from './dom.js';
import {notify} from './notice.js';
import {download, fromJson, pickFiles, toJson} from './transfer.js';

export class History {
  constructor(store) {
    this.store = store;
    this.current = '';
    this.search = element('input', {
      type: 'search', placeholder: 'Search', 'aria-label': 'Search conversations', oninput: () => this.show(),
    });
    this.list = element('ol', {'aria-label': 'Conversations'});
    this.node = document.getElementById('history');
    this.node.append(
      element('div', {class: 'row'}, this.search,
        element('a', {class: 'icon-button', href: '#/chat', title: 'New conversation (n)', 'aria-label': 'New conversation'}, icon('plus'))),
      this.list,
      element('div', {class: 'row'},
        element('button', {type: 'button', class: 'quiet small', onclick: () => this.importFiles()}, icon('import'), 'Import'),
        element('button', {type: 'button', class: 'quiet small', onclick: () => this.exportAll()}, icon('export'), 'Export all')));
    store.addEventListener('change', () => this.show());
    this.show();
  }

  // Marks the one that is read.
  setCurrent(id) {
    this.current = id;
    this.show();
  }

  show() {
    if (this.list.querySelector('input')) return;  // a name is being written
    const found = this.store.list(this.search.value);
    const rows = JSON.stringify([this.current, this.search.value, found.map(({id, title}) => [id, title])]);
    if (rows === this.rows) return;  // what has the focus keeps it
    this.rows = rows;
    this.list.replaceChildren(...found.map(conversation => this.row(conversation)));
    if (found.length === 0)
      this.list.append(element('li', {class: 'faint small'}, this.search.value ? 'None has these words.' : 'What you talk about is kept here, in this browser.'));
  }

  row(conversation) {
    const title = conversation.title || 'Conversation';
    const row = element('li', {class: conversation.id === this.current ? 'current' : ''},
      element('a', {href: `#/chat/${conversation.id}`, title, 'aria-current': conversation.id === this.current ? 'page' : null}, title),
      iconButton('edit', `Rename “${title}”`, () => this.rename(row, conversation)),
      iconButton('trash', `Delete “${title}”`, () => this.remove(conversation)));
    return row;
  }

  rename(row, conversation) {
    const input = element('input', {
      'aria-label': 'Name', onblur: () => done(input.value.trim()),
      onkeydown: event => {
        if (event.key === 'Escape') event.stopPropagation();
        if (event.key === 'Enter' || event.key === 'Escape') done(event.key === 'Enter' ? input.value.trim() : '');
      },
    });
    let open = true;
    const done = title => {
      if (!open) return;
      open = false;
      input.remove();
      this.rows = '';
      if (title) conversation.title = title;
      this.store.put(conversation);
    };
    input.value = conversation.title;
    row.replaceChildren(input);
    input.select();
  }

  async remove(conversation) {
    await this.store.remove(conversation);
    if (conversation.id === this.current) location.hash = '#/chat';
    notify(`“${conversation.title}” is deleted.`, {label: 'Undo', run: () => this.store.restore(conversation)});
  }

  async importFiles() {
    let count = 0;
    for (const text of await pickFiles()) {
      try {
        for (const conversation of fromJson(text)) {
          await this.store.put(conversation);
          ++count;
        }
      } catch (error) {
        notify(`This file cannot be read: ${error.message}.`);
        return;
      }
    }
    notify(count === 1 ? 'One conversation was added.' : `${count} conversations were added.`);
  }

  exportAll() {
    download('conversations.json', 'application/json', toJson(this.store.list()));
  }
}
