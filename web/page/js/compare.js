// Two answers to each message side by side: of two models, or of one under two settings.
import {ModelSelect} from './catalog.js';
import {Composer} from './composer.js';
import {Conversation} from './conversation.js';
import {element, icon} from './dom.js';
import {SettingsForm} from './settings.js';
import {Thread} from './thread.js';

class Side {
  constructor(name, {store, catalog, connection}, onBusy) {
    Object.assign(this, {name, store, catalog, connection, onBusy});
    this.settings = {};
    this.models = new ModelSelect(catalog, this.settings, () => {});
    this.scroller = element('div', {class: 'scroller'});
    this.keep = element('button', {type: 'button', class: 'quiet small', disabled: true, onclick: () => this.openInChat()},
      icon('chat'), 'Go on in chat');
    this.node = element('section', {class: 'side', 'aria-label': name},
      element('header', {class: 'row'}, this.models.node, element('span', {class: 'space'}), this.keep),
      element('details', {class: 'side-settings'}, element('summary', {}, 'Settings'), new SettingsForm(this.settings, () => {}).node),
      this.scroller);
    this.clear();
  }

  clear() {
    this.thread?.stop();
    const conversation = new Conversation({settings: this.settings});
    this.thread = new Thread(conversation, {save: () => {}, onBusy: () => this.onBusy(), onLost: () => this.connection.lost()});
    this.scroller.replaceChildren(this.thread.node);
    this.keep.disabled = true;
  }

  send(text) {
    this.keep.disabled = false;
    this.thread.send(text);
  }

  async openInChat() {
    const conversation = new Conversation({...structuredClone({...this.thread.conversation}), id: undefined});
    await this.store.put(conversation);
    location.hash = `#/chat/${conversation.id}`;
  }
}

export class CompareView {
  title = 'Compare';

  constructor(page) {
    const onBusy = () => this.composer.setBusy(this.sides.some(side => side.thread.busy));
    this.sides = ['First', 'Second'].map(name => new Side(name, page, onBusy));
    this.composer = new Composer({
      label: 'Message to both',
      send: text => this.sides.forEach(side => side.send(text)),
      stop: () => this.sides.forEach(side => side.thread.stop()),
    });
    this.node = element('section', {class: 'view compare', 'aria-label': 'Compare'},
      element('header', {class: 'topbar row'}, page.menuButton(), element('h1', {}, 'Compare'), element('span', {class: 'space'}),
        element('button', {type: 'button', class: 'quiet', onclick: () => this.clear()}, icon('plus'), 'Begin anew')),
      element('div', {class: 'sides'}, ...this.sides.map(side => side.node)),
      element('div', {class: 'dock'}, this.composer.node));
    page.catalog.addEventListener('change', () => this.chooseOthers(page.catalog), {once: true});
  }

  // Where there are two models, they are compared.
  chooseOthers({models}) {
    const second = this.sides[1];
    if (models.length > 1) second.settings.model = models[1].id;
    second.models.show(second.settings);
  }

  enter() {
    this.composer.focus();
  }
  leave() {}

  clear() {
    for (const side of this.sides) side.clear();
    this.composer.setBusy(false);
    this.composer.focus();
  }
}
