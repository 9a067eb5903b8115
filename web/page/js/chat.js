// The view of one conversation: a model, its settings, the messages and the next one.
import {ModelSelect} from './catalog.js';
import {Composer} from './composer.js';
import {Conversation} from './conversation.js';
import {element, iconButton} from './dom.js';
import {menu} from './menu.js';
import {SettingsForm} from './settings.js';
import {Thread} from './thread.js';
import {download, fileName, toJson, toMarkdown} from './transfer.js';

const kLatest = 'quern.settings';  // for conversations to come
const kPanel = 'quern.panel';      // whether settings are shown

export class ChatView {
  title = 'Chat';

  constructor({store, catalog, connection, history, menuButton}) {
    Object.assign(this, {store, catalog, connection, history});
    this.threads = new Map();  // by id: answers go on while another conversation is read
    this.composer = new Composer({send: text => this.send(text), stop: () => this.thread.stop(), recall: () => this.editLast()});
    this.conversation = new Conversation({settings: latestSettings()});
    const changed = () => this.settingsChanged();
    this.models = new ModelSelect(catalog, this.conversation.settings, changed);
    this.form = new SettingsForm(this.conversation.settings, changed);
    this.panel = element('aside', {class: 'panel', 'aria-label': 'Settings', hidden: localStorage.getItem(kPanel) !== 'open'},
      element('header', {class: 'row'}, element('h2', {}, 'Settings'), iconButton('close', 'Close settings', () => this.togglePanel())),
      this.form.node);
    this.toggle = iconButton('settings', 'Settings (,)', () => this.togglePanel(), {'aria-expanded': String(!this.panel.hidden)});
    this.scroller = element('div', {class: 'scroller'});
    this.toEnd = iconButton('down', 'To the end', () => this.thread.scrollToEnd(), {class: 'icon-button to-end', hidden: true});
    this.scroller.addEventListener('scroll', () => this.showToEnd());
    this.node = element('section', {class: 'view chat', 'aria-label': 'Chat'},
      element('header', {class: 'topbar row'}, menuButton(), this.models.node, element('span', {class: 'space'}),
        menu('export', 'Export', [
          {label: 'As Markdown', run: () => this.export('md', 'text/markdown', toMarkdown(this.conversation))},
          {label: 'As JSON', run: () => this.export('json', 'application/json', toJson([this.conversation]))},
        ]), this.toggle),
      element('div', {class: 'columns'},
        element('div', {class: 'reading'}, this.scroller, element('div', {class: 'dock'}, this.toEnd, this.composer.node)),
        this.panel));
  }

  enter(id) {
    const stored = id && this.store.all.get(id);
    if (id && !stored) return location.replace('#/chat');
    if (stored !== this.conversation || !this.thread)
      this.open(stored || new Conversation({settings: {...latestSettings(), model: this.conversation.settings.model}}));
    this.history.setCurrent(id);
    this.composer.focus();
  }

  leave() {
    this.history.setCurrent('');
  }

  open(conversation) {
    this.conversation = conversation;
    for (const [id, thread] of this.threads) if (!thread.busy) this.threads.delete(id);
    if (!this.threads.has(conversation.id)) this.threads.set(conversation.id, this.newThread(conversation));
    this.thread = this.threads.get(conversation.id);
    this.models.show(conversation.settings);
    this.form.settings = conversation.settings;
    this.form.show();
    this.showThread();
    this.composer.setBusy(this.thread.busy);
    this.thread.scrollToEnd();
  }

  newThread(conversation) {
    const thread = new Thread(conversation, {
      save: changed => this.store.put(changed),
      onBusy: busy => thread === this.thread && this.composer.setBusy(busy),
      onLost: () => this.connection.lost(),
    });
    return thread;
  }

  showThread() {
    const empty = this.conversation.messages.length === 0;
    this.scroller.replaceChildren(empty ? element('div', {class: 'welcome'},
      element('h1', {}, 'What is on your mind?'),
      element('p', {class: 'faint'}, 'The model answers on this server; what you write goes nowhere else.')) : this.thread.node);
    this.showToEnd();
  }

  showToEnd() {
    this.toEnd.hidden = this.thread.atEnd;
  }

  async send(text) {
    const sent = this.thread.send(text);
    this.showThread();
    this.thread.scrollToEnd();
    const address = `#/chat/${this.conversation.id}`;
    if (location.hash !== address) location.hash = address;
    await sent;
  }

  settingsChanged() {
    localStorage.setItem(kLatest, JSON.stringify(this.conversation.settings));
    if (this.conversation.messages.length > 0) this.store.put(this.conversation);
  }

  togglePanel() {
    this.panel.hidden = !this.panel.hidden;
    this.toggle.setAttribute('aria-expanded', String(!this.panel.hidden));
    localStorage.setItem(kPanel, this.panel.hidden ? '' : 'open');
    (this.panel.hidden ? this.toggle : this.form.node.querySelector('textarea')).focus();
  }

  export(ending, type, text) {
    download(fileName(this.conversation, ending), type, text);
  }

  // What shortcuts ask for; each does nothing where there is nothing to do it with.
  lastView(role) {
    const message = this.conversation.path.findLast(one => one.role === role);
    return message && this.thread.view(message);
  }
  editLast() {
    this.lastView('user')?.edit();
  }
  regenerateLast() {
    const view = this.lastView('assistant');
    if (view) this.thread.regenerate(view.message);
  }
  walkLast(step) {
    const message = this.lastView('assistant')?.message;
    if (!message) return;
    const all = this.conversation.alternatives(message);
    const other = all[all.indexOf(message) + step];
    if (other) this.thread.choose(other);
  }
}

function latestSettings() {
  try {
    return JSON.parse(localStorage.getItem(kLatest)) ?? {};
  } catch {
    return {};
  }
}
