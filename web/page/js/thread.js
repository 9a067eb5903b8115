// A conversation on the screen: its messages one below the other, and the answer that is being written.
import {answer} from './answer.js';
import {element} from './dom.js';
import {MessageView} from './message.js';
import {announce} from './notice.js';

const kSaved = 2000;   // milliseconds: how often an answer that is being written is saved
const kNearEnd = 80;   // pixels from the end at which a reader is at the end

export class Thread {
  // `save(conversation)`: after each change; `onBusy(busy)`: when an answer begins and ends; `onLost`: the server was not
  // reached.
  constructor(conversation, {save, onBusy = () => {}, onLost = () => {}}) {
    Object.assign(this, {conversation, save, onBusy, onLost});
    this.views = new Map();  // by id of message
    this.node = element('div', {class: 'thread', role: 'log', 'aria-live': 'polite', 'aria-label': 'Conversation'});
    this.show();
  }

  get busy() {
    return Boolean(this.abort);
  }
  get last() {
    return this.conversation.path.at(-1);
  }

  view(message) {
    if (!this.views.has(message.id)) this.views.set(message.id, new MessageView(message, this));
    return this.views.get(message.id);
  }

  show() {
    const views = this.conversation.path.map(message => this.view(message));
    for (const view of views) view.drawActions();  // alternatives may have come
    this.node.replaceChildren(...views.map(view => view.node));
  }

  // What scrolls: an ancestor.
  get scroller() {
    return this.node.closest('.scroller');
  }
  get atEnd() {
    const {scroller} = this;
    return !scroller || scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < kNearEnd;
  }
  scrollToEnd() {
    this.scroller?.scrollTo({top: this.scroller.scrollHeight});
  }

  async send(text) {
    if (this.busy) return;
    this.conversation.add(this.last?.id ?? '', 'user', text);
    await this.answerLast();
  }

  // Answers the last message, which is the user's.
  async answerLast() {
    await this.run(this.conversation.add(this.last.id, 'assistant', '', {model: this.conversation.settings.model}));
  }

  async regenerate(message) {
    if (this.busy) return;
    await this.run(this.conversation.add(message.parent, 'assistant', '', {model: this.conversation.settings.model}));
  }

  async continue(message) {
    if (!this.busy) await this.run(message);
  }

  // Another message in the place of `message`: a user's is answered.
  async edit(message, text) {
    if (this.busy) return;
    const answered = message.role === 'assistant' && {model: message.model, finish: 'stop'};
    this.conversation.add(message.parent, message.role, text, answered || {});
    this.show();
    this.save(this.conversation);
    if (message.role === 'user') await this.answerLast();
  }

  choose(message) {
    if (this.busy) return;
    this.conversation.choose(message);
    this.show();
    this.save(this.conversation);
    this.view(message).node.querySelector('.branches button:enabled')?.focus();
  }

  stop() {
    this.abort?.abort();
  }

  async run(message) {
    this.abort = new AbortController();
    this.show();
    this.save(this.conversation);
    this.scrollToEnd();
    const view = this.view(message);
    view.setRunning(true);
    this.node.setAttribute('aria-busy', 'true');  // screen readers read the answer when it is whole
    this.onBusy(true);
    announce('The model answers.');
    const saving = setInterval(() => this.save(this.conversation), kSaved);
    const following = new ResizeObserver(() => this.following && this.scrollToEnd());
    this.following = true;
    const follow = () => { this.following = this.atEnd; };
    this.scroller?.addEventListener('scroll', follow);
    following.observe(this.node);

    await answer(this.conversation, message, this.abort.signal, () => view.update());

    following.disconnect();
    this.scroller?.removeEventListener('scroll', follow);
    clearInterval(saving);
    this.abort = null;
    this.node.removeAttribute('aria-busy');
    view.setRunning(false);
    this.onBusy(false);
    announce(message.failure ? message.failure.text : 'The answer is complete.');
    this.save(this.conversation);
    if (message.failure?.lost) this.onLost();
  }
}
