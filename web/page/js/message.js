// One message on the screen, with what can be done about it.
import {copy} from './clipboard.js';
import {element, icon, iconButton, perFrame} from './dom.js';
import {MarkdownView} from './markdown.js';
import {tokensView} from './tokens.js';

const shortSeconds = seconds => (seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`);

// "12 tokens, 40 a second, the first after 0.3 s"
function figuresOf({usage, seconds, firstSeconds}) {
  if (!usage || !seconds) return '';
  const figures = [`${usage.completion_tokens} tokens`];
  if (usage.completion_tokens > 1 && seconds - firstSeconds > 0.05)  // nothing is known of what came at once
    figures.push(`${((usage.completion_tokens - 1) / (seconds - firstSeconds)).toFixed(1)} a second`);
  if (firstSeconds) figures.push(`first after ${shortSeconds(firstSeconds)}`);
  return figures.join(' · ');
}

// Why an answer ended where one would not expect it.
const kEnds = {
  length: 'The answer was cut at its longest length.',
  stopped: 'You stopped this answer.',
  left: 'The page was left before this answer was complete.',
};

// `thread` is asked to edit, regenerate, ... ; see Thread.
export class MessageView {
  constructor(message, thread) {
    this.message = message;
    this.thread = thread;
    this.answers = message.role === 'assistant';
    this.content = element('div', {class: 'content'});
    this.thought = element('div', {class: 'content'});
    this.reasoning = element('details', {class: 'reasoning', hidden: true}, element('summary', {}), this.thought);
    this.aside = element('div', {class: 'ending'});
    this.footer = element('div', {class: 'actions row'});
    this.node = element('article', {class: `message ${message.role}`, 'aria-label': this.answers ? 'Answer' : 'You'},
      this.reasoning, this.content, this.aside, this.footer);
    this.showsTokens = false;
    this.running = false;
    if (this.answers) {
      this.markdown = new MarkdownView(this.content);
      this.thoughtMarkdown = new MarkdownView(this.thought);
    }
    this.schedule = perFrame(() => this.draw());
    this.draw();
  }

  // After the message changed; it is drawn with the next frame.
  update() {
    this.schedule();
    if (document.hidden) this.schedule.flush();  // no frames come
  }

  setRunning(running) {
    this.running = running;
    this.node.classList.toggle('running', running);
    this.draw();
  }

  draw() {
    const {message} = this;
    if (!this.editing) this.drawContent();
    if (message.reasoning) this.drawReasoning();
    this.drawEnding();
    this.drawActions();
  }

  drawContent() {
    const {message} = this;
    if (this.showsTokens) return;
    if (this.answers) this.markdown.update(message.content);
    else this.content.textContent = message.content;
  }

  drawReasoning() {
    const thinking = this.running && !this.message.content;
    this.reasoning.hidden = false;
    this.reasoning.firstElementChild.textContent = thinking ? 'Thinking …' : 'What the model thought';
    this.thoughtMarkdown.update(this.message.reasoning);
  }

  drawEnding() {
    const {failure, finish, content} = this.message;
    const end = failure?.text ?? (finish ? kEnds[finish] : this.answers && kEnds.left);
    if (this.running || !end) return this.aside.replaceChildren();
    this.aside.replaceChildren(element('div', {class: failure ? 'failure row' : 'faint small row', role: failure ? 'alert' : null},
      element('span', {}, end),
      content && element('button', {type: 'button', class: 'quiet', onclick: () => this.thread.continue(this.message)}, 'Go on'),
      failure && element('button', {type: 'button', class: 'quiet', onclick: () => this.thread.regenerate(this.message)}, 'Try again')));
  }

  drawActions() {
    if (this.running || this.editing) return this.footer.replaceChildren();
    const {message, thread} = this;
    this.footer.replaceChildren(...[
      this.branches(),
      iconButton('copy', 'Copy', () => copy(message.content)),
      iconButton('edit', 'Edit', () => this.edit()),
      this.answers && iconButton('again', 'Answer again', () => thread.regenerate(message)),
      message.tokens && iconButton('tokens', 'Token probabilities', () => this.toggleTokens(), {'aria-pressed': String(this.showsTokens)}),
      this.answers && element('span', {class: 'faint small figures'},
        [message.model, figuresOf(message)].filter(Boolean).join(' · ')),
    ].filter(Boolean));
  }

  // "< 2 / 3 >", where there are other messages in this place.
  branches() {
    const all = this.thread.conversation.alternatives(this.message);
    if (all.length < 2) return null;
    const at = all.indexOf(this.message);
    const step = (name, label, to) => iconButton(name, label, () => this.thread.choose(all[to]), {disabled: !all[to]});
    return element('span', {class: 'branches row', role: 'group', 'aria-label': 'Alternatives'},
      step('left', 'Previous alternative', at - 1),
      element('span', {class: 'small'}, `${at + 1} / ${all.length}`),
      step('right', 'Next alternative', at + 1));
  }

  toggleTokens() {
    if (!this.message.tokens) return;
    this.showsTokens = !this.showsTokens;
    if (this.showsTokens) {
      this.content.replaceChildren(tokensView(this.message.tokens));
    } else {
      this.content.replaceChildren();
      this.markdown = new MarkdownView(this.content);
    }
    this.draw();
  }

  edit() {
    if (this.editing || this.running) return;
    this.editing = true;
    const area = element('textarea', {'aria-label': 'Message', rows: Math.min(12, this.message.content.split('\n').length + 1)});
    area.value = this.message.content;
    const done = text => {
      this.editing = false;
      this.showsTokens = false;
      this.content.replaceChildren();
      if (this.answers) this.markdown = new MarkdownView(this.content);
      this.draw();
      if (text !== null && text.trim() !== '' && text !== this.message.content) this.thread.edit(this.message, text);
    };
    const form = element('form', {
      class: 'stack editor',
      onsubmit: event => {
        event.preventDefault();
        done(area.value);
      },
      onkeydown: event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          done(null);
        } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          form.requestSubmit();
        }
      },
    }, area, element('div', {class: 'row end'},
      element('button', {type: 'button', class: 'quiet', onclick: () => done(null)}, 'Cancel'),
      element('button', {class: 'primary'}, icon(this.answers ? 'check' : 'send'), this.answers ? 'Keep beside the old' : 'Send')));
    this.content.replaceChildren(form);
    this.draw();
    area.focus();
  }
}
