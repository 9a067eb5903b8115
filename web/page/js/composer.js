// Where a message is written and sent, or an answer stopped.
import {element, icon} from './dom.js';

const kHighest = 0.4;  // of the window

export class Composer {
  // `send(text)`, `stop()`; `recall()`: arrow up in the empty field.
  constructor({send, stop, recall = () => {}, label = 'Message'}) {
    this.area = element('textarea', {
      rows: 1, placeholder: 'Write a message', 'aria-label': label, enterkeyhint: 'send',
      oninput: () => this.fit(),
      onkeydown: event => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
          event.preventDefault();
          this.submit();
        } else if (event.key === 'ArrowUp' && this.area.value === '') {
          event.preventDefault();
          recall();
        }
      },
    });
    this.button = element('button', {class: 'primary round send'}, icon('send'));
    this.send = send;
    this.stop = stop;
    this.node = element('form', {
      class: 'composer',
      onsubmit: event => {
        event.preventDefault();
        if (this.busy) this.stop();
        else this.submit();
      },
    }, this.area, this.button);
    this.setBusy(false);
  }

  setBusy(busy) {
    this.busy = busy;
    const label = busy ? 'Stop (Esc)' : 'Send (Enter)';
    this.button.replaceChildren(icon(busy ? 'stop' : 'send'));
    this.button.title = label;
    this.button.setAttribute('aria-label', label);
  }

  submit() {
    const text = this.area.value;
    if (this.busy || text.trim() === '') return;
    this.area.value = '';
    this.fit();
    this.send(text);
  }

  // As high as its text.
  fit() {
    this.area.style.height = 'auto';
    this.area.style.height = `${Math.min(this.area.scrollHeight, kHighest * innerHeight)}px`;
  }

  focus() {
    this.area.focus();
  }
}
