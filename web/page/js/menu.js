// A button that opens a short list of things to do.
import {element, icon} from './dom.js';

// `items`: [{label, run}]
export function menu(iconName, label, items) {
  const details = element('details', {class: 'menu'},
    element('summary', {class: 'icon-button', title: label, 'aria-label': label, role: 'button'}, icon(iconName)),
    element('div', {class: 'card'}, ...items.map(item => element('button', {
      type: 'button', class: 'quiet',
      onclick: () => {
        details.open = false;
        item.run();
      },
    }, item.label))));
  details.addEventListener('focusout', event => {
    if (!details.contains(event.relatedTarget)) details.open = false;
  });
  details.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || !details.open) return;
    event.stopPropagation();
    details.open = false;
    details.firstElementChild.focus();
  });
  return details;
}
