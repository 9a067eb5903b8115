// Short messages at the edge of the page, and what is said to screen readers alone.
import {element} from './dom.js';

const kShown = 6000;  // milliseconds

// Shows `text` for a while, with a button where `action` has {label, run}.
export function notify(text, action = null) {
  const notice = element('div', {class: 'notice'}, element('span', {}, text),
    action && element('button', {
      type: 'button', class: 'quiet',
      onclick: () => {
        notice.remove();
        action.run();
      },
    }, action.label));
  document.getElementById('notices').append(notice);
  setTimeout(() => notice.remove(), kShown);
}

// Tells screen readers what changed where one does not look.
export function announce(text) {
  document.getElementById('announcer').textContent = text;
}
